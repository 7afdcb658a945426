import { FieldValue } from '@google-cloud/firestore'
import { seededChance } from '#local/fault-proxy/chance.ts'
import type { ProxyCounts } from '#local/fault-proxy/index.ts'
import { directClient, type Instance, newProject, startBilling } from './instances.ts'
import { tenantFact } from './messages.ts'
import { eachOf, openNetwork } from './network.ts'

export type UsageScale = {
  readonly events: number
  readonly cuts: number
  readonly seed: number
}

export type UsageOutcome = {
  readonly network: ProxyCounts
  /** Pushes made, and how many of them were answered anything but 204. */
  readonly pushes: number
  readonly failedPushes: number
  /** Distinct events, and what they add up to. */
  readonly sent: { readonly events: number; readonly sum: number }
  /** What the live counters say: `increment`s, where a second commit would show. */
  readonly live: { readonly events: number; readonly sum: number }
  /** What the ledger's documents hold. */
  readonly ledger: { readonly events: number; readonly batches: number }
  /** What the usage route answers, over all tenants. */
  readonly answered: number
}

const MOST_INSTANCES = 24

/** Each line heals by itself, so that the cuts cost their time side by side. */
function instancesFor(scale: UsageScale): number {
  return Math.min(MOST_INSTANCES, scale.cuts)
}
const TENANTS = ['acme', 'globex', 'initech', 'umbrella', 'wayne']
const SUBSCRIPTION = 'billing-events-to-billing'

/**
 * Usage events, one in each message, pushed to two dozen instances whose lines to Firestore are cut while
 * they commit, with one message in ten delivered twice at once. A push that fails comes again, as
 * Pub/Sub does; nothing else is repaired.
 */
export async function runUsage(firestoreHost: string, scale: UsageScale): Promise<UsageOutcome> {
  const project = newProject()
  const count = instancesFor(scale)
  const width = 3 * count
  const chance = seededChance(scale.seed)
  const network = await openNetwork(firestoreHost, count, scale.seed)
  const instances = await Promise.all(
    network.lines.map((line) => startBilling({ project, firestoreHost: line.host })),
  )
  try {
    const nowMs = instances[0]?.platform.clock.now() ?? 0
    for (const tenantId of TENANTS) {
      await mustPush(instances, 0, 'tenant-facts-to-billing', tenantFact(tenantId, nowMs))
    }
    const events = Array.from({ length: scale.events }, (_, at) => usageEvent(at, 1 + (at % 7), nowMs))
    const tally = { pushes: 0, failedPushes: 0 }
    const deliver = async (event: unknown): Promise<void> => {
      const copies = chance() < 0.1 ? 2 : 1
      await Promise.all(
        Array.from({ length: copies }, () => untilAcknowledged(instances, chance, event, tally)),
      )
    }
    // Each instance learns of each tenant first: the client takes seconds to repeat a read that was cut.
    const warmUp = events.slice(0, count * TENANTS.length)
    for (const [at, event] of warmUp.entries()) {
      await mustPush(instances, Math.floor(at / TENANTS.length), SUBSCRIPTION, event)
    }
    const rate = Math.min(0.5, (3 * scale.cuts) / scale.events)
    network.cutUntil(scale.cuts, rate)
    await eachOf(events, width, deliver)
    // What is left of the cuts meets events that were counted before: they must change nothing.
    while (network.cuts() < scale.cuts) await eachOf(events.slice(0, width), width, deliver)
    network.heal()
    const sum = events.reduce((total, event) => total + Number(event.data.value), 0)
    return {
      network: network.counts(),
      ...tally,
      sent: { events: events.length, sum },
      ...(await whatIsStored(firestoreHost, project)),
      answered: await whatIsAnswered(instances, nowMs),
    }
  } finally {
    await Promise.all(instances.map((instance) => instance.close()))
    await network.close()
  }
}

/** What happens to somebody who only adds: the same client, the same cuts, no claim. */
export async function runNaive(
  firestoreHost: string,
  scale: UsageScale,
): Promise<{ acknowledged: number; stored: number; network: ProxyCounts }> {
  const project = newProject()
  const count = instancesFor(scale)
  const width = 3 * count
  const network = await openNetwork(firestoreHost, count, scale.seed)
  const clients = network.lines.map((line) => directClient(line.host, project))
  const direct = directClient(firestoreHost, project)
  try {
    network.cutUntil(scale.cuts, Math.min(0.5, (3 * scale.cuts) / scale.events))
    let acknowledged = 0
    const adds = Array.from({ length: scale.events }, (_, at) => at)
    await eachOf(adds, width, async (at) => {
      const document = clients[at % count]?.doc(`naive/${at % 16}`)
      const added = await document
        ?.set({ n: FieldValue.increment(1) }, { merge: true })
        .catch(() => undefined)
      if (added !== undefined) acknowledged += 1
    })
    const counters = await direct.collection('naive').get()
    const stored = counters.docs.reduce((total, counter) => total + Number(counter.get('n')), 0)
    return { acknowledged, stored, network: network.counts() }
  } finally {
    await Promise.all([...clients, direct].map((client) => client.terminate()))
    await network.close()
  }
}

async function untilAcknowledged(
  instances: readonly Instance[],
  chance: () => number,
  event: unknown,
  tally: { pushes: number; failedPushes: number },
): Promise<void> {
  for (;;) {
    const instance = instances[Math.floor(chance() * instances.length)]
    tally.pushes += 1
    if ((await instance?.push(SUBSCRIPTION, event)) === 204) return
    tally.failedPushes += 1
  }
}

async function mustPush(
  instances: readonly Instance[],
  at: number,
  subscription: string,
  data: unknown,
): Promise<void> {
  const status = await instances[at]?.push(subscription, data)
  if (status !== 204) throw new Error(`${subscription} was answered ${status}`)
}

function usageEvent(at: number, value: number, nowMs: number) {
  return {
    specversion: '1.0',
    id: `e-${at}`,
    source: '//test.example/exactly-once',
    type: 'ai.energent.usage.agent_minutes.v1',
    subject: `tenants/${TENANTS[at % TENANTS.length]}`,
    time: new Date(nowMs - (at % 600) * 1000).toISOString(),
    data: { value: String(value) },
  }
}

async function whatIsStored(host: string, project: string): Promise<Pick<UsageOutcome, 'live' | 'ledger'>> {
  const direct = directClient(host, project)
  const live = { events: 0, sum: 0 }
  const ledger = { events: 0, batches: 0 }
  for (const tenantId of TENANTS) {
    const counters = await direct.collection(`tenants/${tenantId}/billing_live`).get()
    for (const counter of counters.docs) {
      for (const hour of Object.values(counter.get('h') as Record<string, LiveHour>)) {
        live.events += hour.agent_minutes?.events ?? 0
        live.sum += (hour.agent_minutes?.sum ?? 0) / SCALE
      }
    }
    const batches = await direct.collection(`tenants/${tenantId}/billing_usageBatches`).get()
    ledger.batches += batches.size
    ledger.events += batches.docs.reduce((total, batch) => total + Number(batch.get('n')), 0)
  }
  await direct.terminate()
  return { live, ledger }
}

/** Live sums are whole thousandths. */
const SCALE = 1_000

type LiveHour = { readonly agent_minutes?: { readonly events: number; readonly sum: number } }

async function whatIsAnswered(instances: readonly Instance[], nowMs: number): Promise<number> {
  const day = 24 * 3_600_000
  const from = new Date(Math.floor(nowMs / day) * day - day).toISOString()
  const to = new Date(Math.floor(nowMs / day) * day + day).toISOString()
  let total = 0
  for (const tenantId of TENANTS) {
    const path = `/v1/tenants/${tenantId}/usage?meter=agent_minutes&from=${from}&to=${to}`
    const answer = await instances[0]?.call('GET', path, { as: tenantId })
    if (answer?.status !== 200) throw new Error(`usage was answered ${JSON.stringify(answer)}`)
    for (const row of answer.body['data'] as { value: string }[]) total += Number(row.value)
  }
  return total
}
