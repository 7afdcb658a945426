import { gunzipSync } from 'node:zlib'
import { fieldsToJson } from '#local/engine/firestore/codec.ts'
import type { Commit, Store } from '#local/engine/firestore/store.ts'
import { SYSTEM_COLLECTIONS } from '#shared/firestore/paths.ts'
import type { OutgoingMessage } from '#shared/pubsub/publisher.ts'
import type { Invocation, Simulation } from '#shared/testing/simulation.ts'
import { expectedUsage, type Tally } from './expected-usage.ts'
import type { SimulatedCluster } from './ground/cluster.ts'
import { DATABASE } from './ground/firestore-client.ts'
import type { SimulatedPubSub } from './ground/pubsub.ts'
import { GHOST, type UsageRaw, type Workload } from './workload.ts'

type Json = Readonly<Record<string, unknown>>
type Documents = ReadonlyMap<string, Json>

/** Every document, by path. */
export function documentsOf(store: Store): Documents {
  return new Map(
    [...store.tree(DATABASE).documents()].map(({ path, state }) => [path, fieldsToJson(state.fields)]),
  )
}

/** The outbox rows that were never published. */
export function pendingRows(documents: Documents): string[] {
  return [...documents]
    .filter(([path, doc]) => /^\w+_outbox\//.test(path) && doc['status'] !== 'sent')
    .map(([path]) => path)
}

/** Tenants with an operation that is not over. */
export function busyTenants(documents: Documents): string[] {
  return [...documents]
    .filter(([path, doc]) => /^tenants\/[^/]+$/.test(path) && doc['op'] !== null)
    .map(([path]) => path)
}

/** What must hold of every single commit: one tenant, that of its cause; and only who holds a lease writes under it. */
export function watchCommits(simulation: Simulation, store: Store): void {
  const holders = new Map<string, Invocation | undefined>()
  store.onCommit((commit) => {
    const cause = simulation.applying()
    const named = new Set(commit.changes.flatMap((change) => tenantsOf(change)))
    const paths = commit.changes.map(({ path }) => path).join(' ')
    if (named.size > 1) simulation.violated(`one commit wrote for ${[...named].join(' and ')}: ${paths}`)
    for (const tenant of named) {
      if (cause?.tenants !== undefined && !cause.tenants.has(tenant)) {
        simulation.violated(
          `${cause.cause} about ${[...cause.tenants].join(', ')} wrote for ${tenant}: ${paths}`,
        )
      }
    }
    for (const { path, before, after } of commit.changes) {
      if (!/^tenants\/[^/]+$/.test(path) || after === undefined) continue
      const was = before === undefined ? undefined : leaseOf(fieldsToJson(before.fields))
      const is = leaseOf(fieldsToJson(after.fields))
      if (is !== undefined && is.leaseBy !== was?.leaseBy) holders.set(path, cause)
      else if (was !== undefined && was.leaseUntilMs > 0 && holders.get(path) !== cause) {
        simulation.violated(`${path}: a worker wrote under the lease of another`)
      }
    }
  })
}

function leaseOf(tenant: Json): { leaseBy: string; leaseUntilMs: number } | undefined {
  return (tenant['op'] ?? undefined) as { leaseBy: string; leaseUntilMs: number } | undefined
}

function tenantsOf({ path, before, after }: Commit['changes'][number]): string[] {
  const named = /^(?:tenants|tenantAudit)\/([^/]+)/.exec(path)?.[1]
  if (named !== undefined) return [named]
  const known = Object.values(SYSTEM_COLLECTIONS).flat()
  if (!known.includes(path.split('/')[0] ?? '')) return [`(nobody: ${path})`]
  const value = (after ?? before)?.fields.get('tenantId')
  return value?.kind === 'string' ? [value.value] : []
}

/** Every fact and command has one body for ever, however often it is published. */
export function watchFacts(simulation: Simulation, pubsub: SimulatedPubSub): ReadonlyMap<string, Json> {
  const bodies = new Map<string, string>()
  const facts = new Map<string, Json>()
  pubsub.onPublish(({ topic, data }: OutgoingMessage) => {
    if (!topic.endsWith('-facts') && topic !== 'billing-commands') return
    const body = Buffer.from(data).toString()
    const event = JSON.parse(body) as { source: string; id: string }
    const key = `${event.source} ${event.id}`
    const known = bodies.get(key) ?? body
    if (known !== body) simulation.violated(`${key} was published with two bodies`)
    bodies.set(key, known)
    facts.set(key, event)
  })
  return facts
}

/** What must hold once everything has come to rest. */
export function checkEnd(
  simulation: Simulation,
  world: { store: Store; cluster: SimulatedCluster; facts: ReadonlyMap<string, Json> },
  workload: Workload,
): void {
  const documents = documentsOf(world.store)
  const { violated } = simulation
  const expect = (what: string, actual: unknown, wanted: unknown): void => {
    const [is, should] = [JSON.stringify(actual), JSON.stringify(wanted)]
    if (is !== should) violated(`${what} is ${is} and should be ${should}`)
  }
  expect('what waits in outboxes', pendingRows(documents), [])
  expect('tenants with an operation', busyTenants(documents), [])
  for (const tenant of workload.tenants) checkTenant(tenant, documents, world, expect)
  if (workload.cancelled !== undefined) checkCancelled(workload.cancelled, documents, expect)
  checkUsage(documents, workload, expect)
  for (const [key, fact] of world.facts) {
    if (fact['tenantid'] !== workload.cancelled) checkCommitted(key, fact, documents, violated)
  }
}

type Expect = (what: string, actual: unknown, wanted: unknown) => void

function checkTenant(
  tenant: string,
  documents: Documents,
  world: { cluster: SimulatedCluster },
  expect: Expect,
): void {
  const at = (path: string): Json => documents.get(`tenants/${tenant}${path}`) ?? {}
  const below = (collection: string): Json[] =>
    [...documents]
      .filter(([path]) => path.startsWith(`tenants/${tenant}/${collection}/`))
      .map(([, doc]) => doc)
  const own = at('')
  expect(`the state of ${tenant}`, own['state'], 'ACTIVE')
  expect(
    `operations of ${tenant}`,
    below('lifecycle_operations').map((doc) => doc['status']),
    ['succeeded'],
  )
  const subscription = at('/billing_subscriptions/main')
  expect(
    `the subscription of ${tenant}`,
    [subscription['status'], (subscription['history'] as unknown[])?.length],
    ['active', 1],
  )
  expect(
    `answers to ${tenant}`,
    below('billing_operations').map((doc) => doc['outcome']),
    ['ready'],
  )
  const sequence = String(own['factSequence'])
  expect(
    `what auth knows of ${tenant}`,
    [at('/auth_state/current')['status'], at('/auth_state/current')['sequence']],
    ['ACTIVE', sequence],
  )
  expect(
    `what billing knows of ${tenant}`,
    [at('/billing_tenant/current')['state'], at('/billing_tenant/current')['sequence']],
    ['ACTIVE', sequence],
  )
  expect(`bindings of ${tenant}`, below('auth_bindings').length, 1)
  const namespaces = [...world.cluster.memory.objects.keys()].filter(
    (path) => path === `Namespace//tenant-${tenant}`,
  )
  expect(`namespaces of ${tenant}`, namespaces.length, 1)
  expect(`doubled audit entries of ${tenant}`, doubledAudit(tenant, documents), [])
}

/** Whichever command came first, the later one counts; what it ends goes on for whoever else holds it. */
function checkCancelled(tenant: string, documents: Documents, expect: Expect): void {
  const at = (path: string): Json[] =>
    [...documents].filter(([name]) => name.startsWith(`tenants/${tenant}/${path}`)).map(([, doc]) => doc)
  const outcomes = at('billing_operations/').map((doc) => String(doc['outcome']))
  const others = outcomes.filter((outcome) => outcome !== 'cancelled')
  expect(`answers to ${tenant}`, [outcomes.length, others.length], [4, 3])
  const standing = at('billing_subscriptions/').filter((doc) => doc['status'] !== 'cancelled')
  const holders = standing.flatMap((doc) => doc['holders'] as string[])
  const ready = others.filter((outcome) => outcome === 'ready')
  expect(`how many hold the subscription of ${tenant}`, holders.length, ready.length)
  expect(`whether ${tenant} holds what was cancelled`, holders.includes('op_regret'), false)
  expect(`doubled audit entries of ${tenant}`, doubledAudit(tenant, documents), [])
}

/** What is done once and for all stands in the audit once. */
function doubledAudit(tenant: string, documents: Documents): string[] {
  const entries = [...documents]
    .filter(([path]) => path.startsWith(`tenantAudit/${tenant}/`) && path.includes('_segments/'))
    .flatMap(([, doc]) => doc['entries'] as { action: string; target: string; outcome?: string }[])
    .map(({ action, target, outcome = '' }) => `${action} ${target} ${outcome}`)
  return entries.filter((entry, index) => entries.indexOf(entry) !== index)
}

/** A fact that was published is true: the state that made it was committed. */
function checkCommitted(
  key: string,
  fact: Json,
  documents: Documents,
  violated: (what: string) => void,
): void {
  const tenant = String(fact['tenantid'])
  const { sequence } = fact as { sequence?: string }
  const known = Number(documents.get(`tenants/${tenant}`)?.['factSequence'] ?? (tenant === GHOST ? 9 : 0))
  if (sequence !== undefined && Number(sequence) > known) violated(`${key} was published and never committed`)
  const answers = [...documents].filter(([path]) => path.startsWith(`tenants/${tenant}/billing_operations/`))
  const said = String(fact['type']).startsWith('ai.energent.billing.subscription-ready')
  if (said && !answers.some(([, doc]) => JSON.parse(String(doc['fact'] ?? 'null'))?.id === fact['id'])) {
    violated(`${key} was published and never committed`)
  }
}

/** Every good event counts once, in the ledger and in the live counters; every bad one is set aside once. */
function checkUsage(documents: Documents, workload: Workload, expect: Expect): void {
  const untimely: string[] = []
  for (const tenant of [...workload.tenants, GHOST]) {
    const batches = [...documents].filter(([path]) =>
      path.startsWith(`tenants/${tenant}/billing_usageBatches/`),
    )
    const stored = batches.flatMap(([, doc]) => unpack(doc['payload']))
    const ids = new Set(stored.map(({ id }) => id))
    const wanted = expectedUsage(tenant === GHOST ? [] : workload.messages, tenant, ids)
    for (const { id } of workload.messages.flatMap(({ early }) => early.get(tenant) ?? [])) {
      // By some clock it was too early, by another it was not: either way it is in one place.
      if (!ids.has(id)) untimely.push(id)
    }
    expect(`events of ${tenant} in the ledger`, [...ids].sort(), wanted.ids)
    expect(`batches of ${tenant}`, batches.length, wanted.batches)
    expect(`live counters of ${tenant}`, liveOf(documents, tenant), wanted.live)
  }
  const aside = [...documents]
    .filter(([path, doc]) => path.startsWith('billing_quarantine/') && doc['status'] === 'waiting')
    .map(([, doc]) => JSON.parse(Buffer.from(String(doc['payload']), 'base64').toString()) as { id?: string })
    .flatMap(({ id }) => (id === undefined ? [] : [id]))
  expect('events set aside', aside.sort(), [...workload.poison, ...untimely].sort())
}

function unpack(payload: unknown): UsageRaw[] {
  return JSON.parse(gunzipSync(Buffer.from(String(payload), 'base64')).toString()) as UsageRaw[]
}

/** `events` and `sum` of each meter, day and hour, over all shards. */
function liveOf(documents: Documents, tenant: string): Tally {
  const tally = new Map<string, number>()
  const add = (key: string, by: unknown): void => {
    if (typeof by === 'number') tally.set(key, (tally.get(key) ?? 0) + by)
  }
  for (const [path, doc] of documents) {
    const day = new RegExp(`^tenants/${tenant}/billing_live/(\\d+)_\\d+$`).exec(path)?.[1]
    if (day === undefined) continue
    for (const [hour, meters] of Object.entries(doc['h'] as Record<string, Record<string, unknown>>)) {
      for (const [meter, live] of Object.entries(meters)) {
        if (meter === 'n') continue
        const { events, sum } = live as { events?: number; sum?: number }
        add(`${day}${hour} ${meter} events`, events)
        add(`${day}${hour} ${meter} sum`, sum)
      }
    }
  }
  return [...tally].sort(([left], [right]) => (left < right ? -1 : 1))
}
