import { type ApiClient, apiClient, type Credentials } from '#local/stack/api-client.ts'
import type { StackInfo } from '#local/stack/stack.ts'
import { expect, until } from './checks.ts'
import { changeTenant, leave } from './lifecycle.ts'
import { playMonth } from './month.ts'
import type { Narrator } from './narrator.ts'
import { readAudit, revokeToken } from './revocation.ts'
import { signInSomebody } from './sign-on.ts'
import { exchangeWorkload } from './workload.ts'

/** What a journey needs of a stack, in this process or another. */
type JourneyStack = Pick<
  StackInfo,
  'gatewayUrl' | 'controlUrl' | 'operator' | 'operators' | 'tenants' | 'idp'
>

const PROVISION_LIMIT_MS = 30_000
const USAGE_LIMIT_MS = 15_000

/**
 * One tenant's life: created, provisioned by events, given a client, metered, billed, changed, and deleted.
 *
 * Everything goes through the gateway as a user's calls would; the control door is only used to look
 * at the cluster, and to let a month pass where `month` says that the clock may be moved. Each step checks what it came for and fails the journey otherwise.
 */
export async function playJourney(
  stack: JourneyStack,
  tenantId: string,
  say: Narrator,
  options: { readonly month: boolean } = { month: true },
): Promise<void> {
  const api = apiClient(stack.gatewayUrl)
  const operator = await say.step('An operator gets a token by client credentials', async () => {
    const token = await api.token(stack.operator)
    return { value: token, note: `${token.length} characters, ES256` }
  })
  await createTenant(api, operator, tenantId, say)
  await awaitActivation(api, stack, operator, tenantId, say)
  const client = await createClient(api, operator, tenantId, say)
  const token = await say.step("The tenant's client gets a token", async () => {
    const value = await api.token(client)
    return { value, note: client.clientId }
  })
  await keepOut(api, stack, token, say)
  await exchangeWorkload(api, stack, tenantId, say)
  await signInSomebody(api, stack, say)
  const sent = await reportUsage(api, stack, token, tenantId, say)
  await readUsage(api, token, tenantId, sent, say)
  await readInvoice(api, token, tenantId, say)
  const revoking = { api, stack, operator, tenantId }
  await revokeToken(revoking, say)
  await readAudit(revoking, say)
  const life = { api, stack, tenantId, client }
  if (options.month) await playMonth(life, say)
  await changeTenant(life, say)
  if (options.month) await leave(life, say)
}

async function createTenant(
  api: ApiClient,
  operator: string,
  tenantId: string,
  say: Narrator,
): Promise<void> {
  await say.step(`POST /v1/tenants creates '${tenantId}'`, async () => {
    const json = {
      tenantId,
      displayName: 'Demo Robotics',
      tier: 'standard',
      deploymentModel: 'multi_tenant',
      region: 'us-central1',
    }
    const headers = { 'idempotency-key': `demo-${tenantId}` }
    const first = await api.call('POST', '/v1/tenants', { token: operator, json, headers })
    expect(first.status === 202, 'expected 202', first)
    const operationId = String(first.body['operationId'])
    const location = `/v1/tenants/${tenantId}/operations/${operationId}`
    expect(first.headers.get('location') === location, `expected Location ${location}`, first)
    const again = await api.call('POST', '/v1/tenants', { token: operator, json, headers })
    expect(again.body['operationId'] === operationId, 'the same key must get the same answer', again)
    const taken = await api.call('POST', '/v1/tenants', { token: operator, json })
    expect(
      taken.status === 409 && taken.body['code'] === 'tenant.id_taken',
      'expected 409 tenant.id_taken',
      taken,
    )
    return {
      value: undefined,
      note: `202, operation ${operationId}; repeated: the same; without the key: 409`,
    }
  })
}

async function awaitActivation(
  api: ApiClient,
  stack: JourneyStack,
  operator: string,
  tenantId: string,
  say: Narrator,
): Promise<void> {
  await say.step(
    'Provisioning runs by events: billing, placement, namespace, guardrails, identity',
    async () => {
      const answer = await until(PROVISION_LIMIT_MS, async () => {
        const tenant = await api.call('GET', `/v1/tenants/${tenantId}`, { token: operator })
        expect(
          !['PROVISION_FAILED', 'REJECTED'].includes(String(tenant.body['state'])),
          'provisioning failed',
          tenant,
        )
        return tenant.body['state'] === 'ACTIVE' ? tenant : undefined
      })
      expect(answer !== undefined, `not active within ${PROVISION_LIMIT_MS / 1000} s`)
      return { value: undefined, note: `ACTIVE, ETag ${answer?.headers.get('etag')}` }
    },
  )
  await say.step('The cluster has the namespace with quota, limits and default-deny', async () => {
    const dump = await fetch(`${stack.controlUrl}/dump?tenantId=${tenantId}`)
    const { kubernetes } = (await dump.json()) as {
      kubernetes: { kind: string; metadata: { name: string } }[]
    }
    const has = (kind: string, name?: string): boolean =>
      kubernetes.some(
        (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
      )
    for (const [kind, name] of [
      ['Namespace', `tenant-${tenantId}`],
      ['ResourceQuota', 'tenant-compute'],
      ['LimitRange', 'tenant-limits'],
      ['NetworkPolicy', 'default-deny'],
    ] as const) {
      expect(has(kind, name), `${kind} ${name} is missing`)
    }
    return { value: undefined, note: `${kubernetes.length} objects` }
  })
}

async function createClient(
  api: ApiClient,
  operator: string,
  tenantId: string,
  say: Narrator,
): Promise<Credentials> {
  return say.step('The operator gives the tenant its first client', async () => {
    const scopes = ['tenant:read', 'usage:write', 'usage:read', 'invoices:read']
    const created = await until(USAGE_LIMIT_MS, async () => {
      const answer = await api.call('POST', `/v1/tenants/${tenantId}/clients`, {
        token: operator,
        json: { name: 'demo', scopes },
      })
      // Auth may hear of the activation a moment after lifecycle says it.
      return answer.status === 201 ? answer : undefined
    })
    expect(created !== undefined, 'expected 201')
    const { clientId, clientSecret } = (created?.body ?? {}) as Record<string, string>
    expect(clientId !== undefined && clientSecret !== undefined, 'expected a secret, once', created)
    return {
      value: { clientId: clientId ?? '', clientSecret: clientSecret ?? '' },
      note: `scopes ${scopes.join(' ')}`,
    }
  })
}

async function keepOut(api: ApiClient, stack: JourneyStack, token: string, say: Narrator): Promise<void> {
  const [other] = stack.tenants
  await say.step('Another tenant and a missing one are the same 404', async () => {
    const foreign = await api.call('GET', `/v1/tenants/${other?.tenantId ?? 'acme'}/usage`, { token })
    const missing = await api.call('GET', '/v1/tenants/there-is-none/usage', { token })
    expect(foreign.status === 404 && missing.status === 404, 'expected 404', foreign)
    const { requestId: _first, ...left } = foreign.body
    const { requestId: _second, ...right } = missing.body
    expect(JSON.stringify(left) === JSON.stringify(right), 'the bodies differ', foreign)
    return { value: undefined, note: String(foreign.body['code']) }
  })
}

const RUNS = 120

async function reportUsage(
  api: ApiClient,
  stack: JourneyStack,
  token: string,
  tenantId: string,
  say: Narrator,
): Promise<string> {
  return say.step(`POST /v1/usage reports ${RUNS} workflow runs, each batch twice`, async () => {
    const clock = await fetch(`${stack.controlUrl}/clock`)
    const { now: time } = (await clock.json()) as { now: string }
    const events = Array.from({ length: RUNS }, (_, index) => ({
      specversion: '1.0',
      id: `${tenantId}-run-${index}`,
      source: `//demo.example/tenants/${tenantId}`,
      type: 'ai.energent.usage.workflow_runs.v1',
      subject: `tenants/${tenantId}`,
      time,
      data: { value: '1', dimensions: { outcome: 'succeeded' } },
    }))
    for (const batch of [events.slice(0, 70), events.slice(0, 70), events.slice(50), events.slice(50)]) {
      const answer = await api.call('POST', '/v1/usage', { token, json: batch })
      expect(answer.status === 202 && answer.body['accepted'] === batch.length, 'expected 202', answer)
    }
    return { value: String(RUNS), note: `four batches that overlap: ${RUNS} different events in all` }
  })
}

async function readUsage(
  api: ApiClient,
  token: string,
  tenantId: string,
  sent: string,
  say: Narrator,
): Promise<void> {
  await say.step('GET …/usage counts each event once', async () => {
    const counted = await until(USAGE_LIMIT_MS, async () => {
      const usage = await api.call('GET', `/v1/tenants/${tenantId}/usage?meter=workflow_runs`, { token })
      expect(usage.status === 200, 'expected 200', usage)
      const [entry] = usage.body['data'] as { value: string }[]
      expect(entry === undefined || Number(entry.value) <= Number(sent), 'counted more than was sent', usage)
      return entry?.value === sent ? usage : undefined
    })
    expect(counted !== undefined, `did not reach ${sent}`)
    return { value: undefined, note: `${sent} runs, exact through ${String(counted?.body['exactThrough'])}` }
  })
}

async function readInvoice(api: ApiClient, token: string, tenantId: string, say: Narrator): Promise<void> {
  await say.step('GET …/invoices/upcoming shows the bill', async () => {
    const path = `/v1/tenants/${tenantId}/invoices/upcoming`
    const invoice = await api.call('GET', path, { token })
    expect(invoice.status === 200, 'expected 200', invoice)
    const lines = invoice.body['lines'] as { amount: { minor: number } }[]
    const total = invoice.body['total'] as { amount: string; minor: number; currency: string }
    expect(lines.length > 0 && total.minor > 0, 'expected lines and a total', invoice)
    return {
      value: undefined,
      note: `${lines.length} lines, ${total.amount} ${total.currency}, digest ${String(invoice.body['digest']).slice(0, 12)}…`,
    }
  })
}
