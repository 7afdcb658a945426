import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApiClient, Credentials } from '#local/stack/api-client.ts'
import type { StackInfo } from '#local/stack/stack.ts'
import { expect, moveClock, until } from './checks.ts'
import type { Narrator } from './narrator.ts'

export type Life = {
  readonly api: ApiClient
  readonly stack: Pick<StackInfo, 'gatewayUrl' | 'controlUrl' | 'operators'>
  readonly tenantId: string
  readonly client: Credentials
}

const LIMIT_MS = 40_000
const HOUR_SECONDS = 3_600
const VERIFIER = join(import.meta.dirname, '../../docs/verify-certificate.mjs')

/** A tenant moves to a larger tier, is suspended, which ends its tokens at once, and comes back. */
export async function changeTenant(life: Life, say: Narrator): Promise<void> {
  const { api, tenantId, client } = life
  const operator = await api.token(life.stack.operators[0])
  const path = `/v1/tenants/${tenantId}`
  await say.step('POST …/tier-change: charged first, then limits, storage and slots grow', async () => {
    const json = { toTier: 'premium', effective: 'now' }
    const done = await order(life, operator, 'tier-change', json)
    const tenant = await api.call('GET', path, { token: operator })
    expect(tenant.body['tier'] === 'premium', 'expected the tier premium', tenant)
    return { value: undefined, note: `${tenant.body['state']}, tier premium; ${done}` }
  })
  await say.step('POST …/suspend: its token is refused, its pods stop, its egress closes', async () => {
    const token = await api.token(client)
    const done = await order(life, operator, 'suspend', { mode: 'hard', reason: 'security' })
    const refused = await until(LIMIT_MS, async () => {
      const answer = await api.call('GET', `${path}/usage`, { token })
      return answer.status === 401 ? answer : undefined
    })
    expect(refused !== undefined, 'the token still opens something')
    return { value: undefined, note: `SUSPENDED; a token of before: 401; ${done}` }
  })
  await say.step('POST …/resume: limits and workloads are as they were', async () => {
    const done = await order(life, operator, 'resume', {})
    const token = await until(LIMIT_MS, () => api.token(client).catch(() => undefined))
    expect(token !== undefined, 'its client gets no token')
    return { value: undefined, note: `ACTIVE; a new token; ${done}` }
  })
}

/**
 * A tenant's end: its data in one archive, the approval of two people, a deletion that leaves nothing but
 * its proof, and the proof, checked as a customer would.
 *
 * It moves the clock by days, so it comes last, and only on a stack of its own.
 */
export async function leave(life: Life, say: Narrator): Promise<void> {
  const { api, stack, tenantId } = life
  const path = `/v1/tenants/${tenantId}`
  const [first, second] = stack.operators
  await say.step('POST …/export: everything the tenant has, in one signed archive', async () => {
    const done = await order(life, await api.token(first), 'export', { scope: 'all' })
    return { value: undefined, note: done }
  })
  await say.step('POST …/purge/approvals: one person is not enough, two are', async () => {
    const json = { reason: 'contract ended' }
    const [ada, grace] = [await api.token(first), await api.token(second)]
    const approve = (token: string) => api.call('POST', `${path}/purge/approvals`, { token, json })
    const one = await approve(ada)
    expect(one.status === 201, 'expected 201', one)
    const same = await approve(ada)
    expect(same.status === 409, 'expected 409', same)
    const two = await approve(grace)
    expect(two.status === 202, 'expected 202', two)
    return {
      value: undefined,
      note: `201; the same person again: ${String(same.body['code'])}; another: 202`,
    }
  })
  await say.step('Everything is erased, and after its waiting time the key is destroyed', async () => {
    // The last hour is billed first; then Cloud KMS keeps a key for a while, here a day, before it destroys it.
    await advance(life, 2 * HOUR_SECONDS)
    await advance(life, 26 * HOUR_SECONDS)
    const gone = await until(LIMIT_MS, async () => {
      const answer = await api.call('GET', path, { token: await api.token(first) })
      if (answer.status !== 404) await advance(life, HOUR_SECONDS)
      return answer.status === 404 ? answer : undefined
    })
    expect(gone !== undefined, 'the tenant is still there')
    const left = await documentsOf(life)
    const rest = left.filter((name) => name.startsWith(`tenants/${tenantId}`))
    expect(rest.length === 0, `left: ${rest.join(', ')}`)
    return { value: undefined, note: `404; below tenants/${tenantId}: 0 documents` }
  })
  await say.step('GET …/deletion-certificate is proven offline by the customer’s own script', async () => {
    const certificate = await api.call('GET', `${path}/deletion-certificate`, {
      token: await api.token(first),
    })
    expect(certificate.status === 200, 'expected 200', certificate)
    const keys = await api.call('GET', '/v1/evidence-keys')
    return { value: undefined, note: verified(certificate.body, keys.body) }
  })
}

/** Orders something and waits for its operation; what came of it, in words. */
async function order(life: Life, token: string, command: string, json: object): Promise<string> {
  const path = `/v1/tenants/${life.tenantId}`
  const ordered = await life.api.call('POST', `${path}/${command}`, { token, json })
  expect(ordered.status === 202, 'expected 202', ordered)
  const operation = `${path}/operations/${String(ordered.body['operationId'])}`
  const ended = await until(LIMIT_MS, async () => {
    const answer = await life.api.call('GET', operation, { token })
    return answer.body['endedAt'] === null ? undefined : answer
  })
  expect(ended !== undefined, `${command} has not ended within ${LIMIT_MS / 1000} s`)
  expect(ended?.body['status'] === 'succeeded', `${command} did not succeed`, ended)
  const steps = ended?.body['steps'] as { code: string }[]
  return `steps ${steps.map(({ code }) => code).join(' ')}`
}

/** What docs/verify-certificate.mjs says, which needs nothing of ours. */
function verified(certificate: object, keys: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'energent-certificate-'))
  try {
    const files = { certificate: join(folder, 'certificate.json'), keys: join(folder, 'keys.json') }
    writeFileSync(files.certificate, JSON.stringify(certificate))
    writeFileSync(files.keys, JSON.stringify(keys))
    const played = spawnSync(process.execPath, [VERIFIER, files.certificate, files.keys], {
      encoding: 'utf8',
    })
    expect(played.status === 0, `not proven: ${played.stdout}${played.stderr}`)
    return played.stdout.trim().split('\n').at(-1) ?? ''
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function documentsOf({ stack, tenantId }: Life): Promise<string[]> {
  const dump = await fetch(`${stack.controlUrl}/dump?tenantId=${tenantId}`)
  return Object.keys(((await dump.json()) as { documents: object }).documents)
}

function advance({ stack }: Life, advanceSeconds: number): Promise<void> {
  return moveClock(stack, { advanceSeconds })
}
