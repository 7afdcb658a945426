import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { seededChance } from '#local/fault-proxy/chance.ts'
import { systemClock } from '#shared/clock.ts'
import { sha256Hex } from '#shared/ids.ts'
import { type Instance, newProject, startBilling } from './instances.ts'
import { tenantFact } from './messages.ts'
import { eachOf } from './network.ts'

const LISTENER = 'billing-events-to-billing'
const TYPE = 'ai.energent.usage.workflow_runs.v1'

/** `POISON_MESSAGES=2000` is the full size; a multiple of 200. */
const MESSAGES = Number(process.env['POISON_MESSAGES'] ?? 400)

let firestore: FirestoreEngine
let billing: Instance
beforeAll(async () => {
  firestore = await startFirestoreEngine({ now: systemClock.now })
})
afterAll(() => firestore.close())
beforeEach(async () => {
  firestore.reset()
  billing = await startBilling({ project: newProject(), firestoreHost: firestore.host })
  await billing.push('tenant-facts-to-billing', tenantFact('acme', systemClock.now()))
  return () => billing.close()
})

type Message = { readonly data: Buffer; readonly attributes: Record<string, string>; readonly code?: string }

function good(at: number, over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    specversion: '1.0',
    id: `m-${at}`,
    source: '//test.example/poison',
    type: TYPE,
    subject: 'tenants/acme',
    time: new Date(systemClock.now()).toISOString(),
    data: { value: '1' },
    ...over,
  }
}

/** Ten ways for a message to be beyond help, and the reason each must get. */
const POISONS: readonly ((at: number) => Message)[] = [
  (at) => poison(`no JSON ${at}`, 'event.malformed'),
  (at) => poison('', 'event.malformed', { only: `attributes ${at}`, tenantid: `t${at}` }),
  (at) => poison(good(at, { specversion: '0.3' }), 'event.malformed'),
  (at) => poison(good(at, { subject: `tenants/acme/${at}` }), 'event.malformed'),
  (at) => poison(good(at, { tenantid: 'globex' }), 'event.tenant_mismatch'),
  (at) => poison(good(at), 'event.tenant_mismatch', { tenantid: 'globex' }),
  (at) => poison(good(at, { type: 'ai.energent.tenant.activated.v1' }), 'event.unknown_type'),
  (at) => poison(good(at, { type: `ai.example.${at}` }), 'event.unknown_type'),
  (at) => poison(good(at, { data: { value: 'much' } }), 'event.malformed'),
  (at) => poison(`{"at":${at},"pad":"${'x'.repeat(600_000)}"}`, 'event.malformed'),
]

function poison(data: unknown, code: string, attributes: Record<string, string> = {}): Message {
  return { data: Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)), attributes, code }
}

const entries = () => firestore.dump('billing_quarantine').filter(({ data }) => data['status'] !== 'part')
const counted = () => firestore.dump('tenants/acme/billing_usageBatches').length

test('of many messages, one in twenty poison and some twice: the good count once, each poison is kept once', async () => {
  const chance = seededChance(5)
  const trace = '0af7651916cd43dd8448eb211c80319c'
  const messages = Array.from({ length: MESSAGES }, (_, at): Message => {
    const bad = POISONS[(at / 20) % POISONS.length]
    return at % 20 === 0 && bad !== undefined
      ? bad(at)
      : { data: Buffer.from(JSON.stringify(good(at))), attributes: { type: TYPE, tenantid: 'acme' } }
  })
  const traceparent = `00-${trace}-00f067aa0ba902b7-01`
  await eachOf(messages, 24, async ({ data, attributes }) => {
    const copies = chance() < 0.1 ? 2 : 1
    const pushes = Array.from({ length: copies }, () =>
      billing.push(LISTENER, data, { ...attributes, traceparent }),
    )
    // Acknowledged at once: what comes again and again holds up its neighbours.
    expect(await Promise.all(pushes)).toEqual(pushes.map(() => 204))
  })

  const poisons = messages.filter(({ code }) => code !== undefined)
  const kept = entries()
  expect(counted()).toBe(MESSAGES * 0.95)
  expect(kept).toHaveLength(MESSAGES * 0.05)
  const reasons = new Map(poisons.map(({ data, attributes, code }) => [keyOf(data, attributes), code]))
  for (const { data } of kept) {
    const attributes = JSON.parse(String(data['attributes']))
    expect(data).toMatchObject({ attempt: 3, traceId: trace, status: 'waiting', times: 1 })
    expect(reasons.get(`${data['payloadHash']} ${attributes.tenantid ?? ''}`)).toBe(data['code'])
    expect(String(data['detail']).length).toBeGreaterThan(5)
  }
}, 60_000)

function keyOf(data: Buffer, attributes: Readonly<Record<string, string>>): string {
  return `${sha256Hex(data)} ${attributes['tenantid'] ?? ''}`
}

// A kill before a commit and one after it, at each commit that setting aside takes; then Pub/Sub pushes again.
test.each(['error', 'lostAnswer'] as const)(
  'a quarantine killed at any step (%s) keeps the whole message, once',
  async (mode) => {
    let steps = 0
    for (let failing = 1; failing <= 5; failing += 1) {
      const text = `{"at":${failing},"mode":"${mode}","pad":"${'x'.repeat(1_800_000)}"}`
      let commits = 0
      firestore.setFault((rpc) => {
        if (rpc !== 'Commit') return undefined
        commits += 1
        return commits === failing ? { mode, code: 13 } : undefined
      })
      const statuses = [await billing.push(LISTENER, Buffer.from(text))]
      while (statuses.at(-1) !== 204) statuses.push(await billing.push(LISTENER, Buffer.from(text)))
      firestore.setFault(undefined)
      if (statuses.length > 1) steps += 1

      const kept = entries().filter(({ data }) => data['payloadHash'] === sha256Hex(text))
      expect(kept).toHaveLength(1)
      const parts = firestore
        .dump('billing_quarantine')
        .filter(({ path }) => path.startsWith(kept[0]?.path ?? '-'))
      expect(parts).toHaveLength(4)
    }
    expect(steps).toBe(4)
  },
)

// 10 names what was aborted: neither ours nor anybody's. To take it for kept would lose the message.
test('a quarantine whose commit is aborted for good does not acknowledge', async () => {
  firestore.setFault((rpc) => (rpc === 'Commit' ? { mode: 'error', code: 5 } : undefined))
  expect(await billing.push(LISTENER, 'poison')).toBe(500)
  firestore.setFault(undefined)
  expect(await billing.push(LISTENER, 'poison')).toBe(204)
  expect(entries()).toHaveLength(1)
})
