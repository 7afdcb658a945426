import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Credentials } from '#local/stack/api-client.ts'
import { run } from '../../scripts/energent.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { deletionsOf, hashOf } from './purge-traces.ts'
import { control, eventually, startTestStack, type TestStack } from './test-stack.ts'

/** A name that nothing else contains: whatever mentions it is a trace. */
const TENANT = 'quokka-traces'
const PATH = `/v1/tenants/${TENANT}`
const HOUR = 3_600
const DAY = 24 * HOUR

const folder = temporaryFolder()
let stack: TestStack
let [ada, grace] = ['', '']
beforeAll(async () => {
  stack = await startTestStack('--no-seed', '--data', folder)
}, 60_000)
afterAll(() => stack.close())

async function signIn(): Promise<void> {
  const [first, second] = stack.info().operators
  ;[ada, grace] = await Promise.all([stack.api().token(first), stack.api().token(second)])
}

const call = (method: string, path: string, token: string, json?: object) =>
  stack.api().call(method, path, { token, ...(json === undefined ? {} : { json }) })
const advance = (seconds: number) => control(stack, 'POST', '/clock', { advanceSeconds: seconds })
const stateOf = async () => String((await call('GET', PATH, ada)).body['state'])
const becomes = (state: string) =>
  eventually(`the tenant is ${state}`, async () => ((await stateOf()) === state ? true : undefined), 40_000)

/** A tenant with something of every kind: a client, a key, usage, a plan, an export, an invitation. */
async function live(): Promise<void> {
  const body = {
    tenantId: TENANT,
    displayName: `The ${TENANT} company`,
    tier: 'standard',
    deploymentModel: 'multi_tenant',
    region: 'us-central1',
  }
  expect((await call('POST', '/v1/tenants', ada, body)).status).toBe(202)
  await becomes('ACTIVE')
  const scopes = ['tenant:read', 'usage:write', 'usage:read', 'keys:manage', 'billing:manage']
  const made = await eventually('auth has heard of the tenant', async () => {
    const answer = await call('POST', `${PATH}/clients`, ada, { scopes })
    return answer.status === 201 ? answer : undefined
  })
  const token = await stack.api().token(made.body as unknown as Credentials)
  await call('POST', `${PATH}/invitations`, ada, { email: `owner@${TENANT}.example`, role: 'owner' })
  const now = String((await control(stack, 'GET', '/clock'))['now'])
  const event = {
    specversion: '1.0',
    id: 'one',
    source: `//energent.ai/${TENANT}`,
    type: 'ai.energent.usage.workflow_runs.v1',
    subject: `tenants/${TENANT}`,
    tenantid: TENANT,
    time: now,
    datacontenttype: 'application/json',
    data: {},
  }
  const told = await call('POST', '/v1/usage', token, [event])
  expect([told.status, told.body['code']]).toEqual([202, undefined])
  await eventually('the usage is counted', async () => {
    const batches = Object.keys(await documents()).filter((path) => path.includes('billing_usageBatches/'))
    return batches.length > 0 ? true : undefined
  })
}

async function documents(): Promise<Record<string, unknown>> {
  return (await control(stack, 'GET', `/dump?tenantId=${TENANT}`))['documents'] as Record<string, unknown>
}

/** Everything that the stack holds and that mentions the tenant, wherever it is. */
async function traces(): Promise<string[]> {
  const dump = (await control(stack, 'GET', '/dump')) as {
    documents: Record<string, unknown>
    kubernetes: unknown[]
    cloud: unknown[]
  }
  const { messages } = (await control(stack, 'GET', '/messages')) as { messages: { state: string }[] }
  // What was acknowledged is shown by the stack and kept by no subscription.
  const backlog = messages.filter(({ state }) => state !== 'acked')
  const bucket = `${stack.info().storage.url}/storage/v1/b/energent-exports/o?versions=true`
  const { items = [] } = (await (await fetch(bucket)).json()) as { items?: unknown[] }
  const all: [string, unknown][] = [
    ...Object.entries(dump.documents),
    ...dump.kubernetes.map((one): [string, unknown] => [`kubernetes ${hashOf(one)}`, one]),
    ...dump.cloud.map((one): [string, unknown] => [`cloud ${hashOf(one)}`, one]),
    ...backlog.map((one): [string, unknown] => [`message ${hashOf(one)}`, one]),
    ...items.map((one): [string, unknown] => [`object ${hashOf(one)}`, one]),
  ]
  return all
    .filter(([path, data]) => `${path} ${JSON.stringify(data)} ${decoded(data)}`.includes(TENANT))
    .map(([path, data]) => (path.includes(' ') ? `${path} ${JSON.stringify(data).slice(0, 300)}` : path))
    .sort()
}

/** Bytes are shown in base64, and may hold the name all the same. */
function decoded(value: unknown): string {
  if (typeof value === 'string') return Buffer.from(value, 'base64').toString('latin1')
  if (typeof value !== 'object' || value === null) return ''
  return Object.values(value).map(decoded).join(' ')
}

/** What the operator's check says of the audit of a tenant, gone or not. */
async function auditOf(tenantId: string) {
  const out: string[] = []
  const args = ['audit-verify', '--tenant', tenantId, '--json', '--stack', '--data', folder]
  const say = { out: (line: string) => void out.push(line), err: (line: string) => void out.push(line) }
  const code = await run(args, { env: {}, ...say })
  const report = JSON.parse(out.join('\n')) as {
    chains: { waiting: number; faults: string[] }[]
  }
  return {
    code,
    faults: report.chains.flatMap(({ faults }) => faults),
    waiting: report.chains.map(({ waiting }) => waiting),
  }
}

/** What may stay, as docs/deletion.md has it. */
const STAYS = [
  `tombstones/${TENANT}`,
  `deletionCertificates/${TENANT}`,
  `tenantAudit/${TENANT}/`,
  `billingArchive/${TENANT}/`,
]

test('a purge leaves nothing but tombstone, certificate, audit and the legal copies of invoices', async () => {
  await signIn()
  await live()
  expect((await call('POST', `${PATH}/export`, ada, { scope: 'all' })).status).toBe(202)
  await eventually('there is an archive', async () => {
    const shown = (await traces()).filter((trace) => trace.startsWith('object '))
    return shown.some((trace) => trace.includes('.tar.gz')) ? true : undefined
  })
  expect((await traces()).length).toBeGreaterThan(20)

  for (const approver of [ada, grace]) {
    const approved = await call('POST', `${PATH}/purge/approvals`, approver, { reason: 'contract ended' })
    expect([201, 202]).toContain(approved.status)
  }
  await becomes('PURGING')
  // The last hour is billed, then everything goes; the key takes its time to be destroyed.
  await advance(2 * HOUR)
  await eventually(
    'auth and billing have erased theirs',
    async () => {
      const paths = Object.keys(await documents())
      return paths.some((path) => /auth_clients|billing_subscriptions/.test(path)) ? undefined : true
    },
    40_000,
  )
  await advance(31 * DAY)
  await signIn()
  await eventually(
    'the tenant is gone',
    async () => {
      const { status } = await call('GET', PATH, ada)
      if (status !== 404) await advance(HOUR)
      return status === 404 ? true : undefined
    },
    60_000,
  )
  const certificate = await call('GET', `${PATH}/deletion-certificate`, ada)
  expect(certificate.status).toBe(200)
  expect(await deletionsOf(stack, certificate.body)).toContain('signed: true, whole: true, counts: true')

  // Retention of messages, of claims and of what was published: all of it ends by itself.
  await advance(40 * DAY)
  await signIn()
  const left = (await traces()).filter((trace) => !STAYS.some((path) => trace.startsWith(path)))
  expect(left).toEqual([])
  expect(await auditOf(TENANT)).toEqual({ code: 0, faults: [], waiting: [0, 0] })

  const again = await call('POST', '/v1/tenants', ada, {
    tenantId: TENANT,
    displayName: 'Another',
    tier: 'basic',
    deploymentModel: 'multi_tenant',
    region: 'us-central1',
  })
  expect([again.status, again.body['code']]).toEqual([409, 'tenant.id_taken'])
}, 240_000)
