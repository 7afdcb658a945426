import type { ProxyCounts } from '#local/fault-proxy/index.ts'
import { directClient, newProject, startBilling } from './instances.ts'
import { tenantFact } from './messages.ts'
import { eachOf, openNetwork } from './network.ts'
import { openWire } from './wire.ts'

export type PublishOutcome = {
  readonly pubsub: ProxyCounts
  readonly sent: number
  /** Messages on the wire by the broker's own ids: a copy has another. */
  readonly messages: number
  readonly copies: number
  /** What the live counters say after every message was delivered. */
  readonly counted: number
}

const INSTANCES = 8
const TENANT = 'acme'

/**
 * Usage sent over HTTP while the line to Pub/Sub is cut as messages go up. What is on the wire, copies
 * and all, is then delivered.
 */
export async function runPublish(
  hosts: { readonly firestore: string; readonly pubsub: string },
  scale: { readonly events: number; readonly cuts: number; readonly seed: number },
): Promise<PublishOutcome> {
  const project = newProject()
  const wire = await openWire(hosts.pubsub, project, ['billing-events'])
  const queue = await openNetwork(hosts.pubsub, INSTANCES, scale.seed)
  const instances = await Promise.all(
    queue.lines.map((line) =>
      startBilling({ project, firestoreHost: hosts.firestore, pubsubHost: line.host }),
    ),
  )
  try {
    const nowMs = instances[0]?.platform.clock.now() ?? 0
    await instances[0]?.push('tenant-facts-to-billing', tenantFact(TENANT, nowMs))
    queue.cutUntil(scale.cuts, Math.min(0.4, (2 * scale.cuts) / scale.events))
    const events = Array.from({ length: scale.events }, (_, at) => usageEvent(at, nowMs))
    await eachOf(events, 2 * INSTANCES, async (event, at) => {
      for (let sent = 0; ; sent += 1) {
        const instance = instances[(at + sent) % INSTANCES]
        const answer = await instance?.call('POST', '/v1/usage', { as: TENANT, body: event })
        if (answer?.status === 202) return
        if (answer !== undefined && answer.status < 500) throw new Error(JSON.stringify(answer))
      }
    })
    queue.heal()
    const messages = await wire.pullAll()
    await eachOf(messages, 2 * INSTANCES, async (message, at) => {
      const status = await instances[at % INSTANCES]?.push(
        'billing-events-to-billing',
        Buffer.from(message.text),
        message.attributes,
      )
      if (status !== 204) throw new Error(`a delivery was answered ${status}`)
    })
    const distinct = new Set(messages.map(({ text }) => text)).size
    return {
      pubsub: queue.counts(),
      sent: scale.events,
      messages: messages.length,
      copies: messages.length - distinct,
      counted: await liveEvents(hosts.firestore, project),
    }
  } finally {
    await Promise.all(instances.map((instance) => instance.close()))
    await Promise.all([queue.close(), wire.close()])
  }
}

function usageEvent(at: number, nowMs: number) {
  return {
    specversion: '1.0',
    id: `p-${at}`,
    source: '//test.example/publish',
    type: 'ai.energent.usage.workflow_runs.v1',
    subject: `tenants/${TENANT}`,
    time: new Date(nowMs - at * 100).toISOString(),
    data: { value: '1' },
  }
}

async function liveEvents(host: string, project: string): Promise<number> {
  const direct = directClient(host, project)
  const counters = await direct.collection(`tenants/${TENANT}/billing_live`).get()
  await direct.terminate()
  const hours = counters.docs.flatMap((counter) => Object.values(counter.get('h') as Record<string, Hour>))
  return hours.reduce((total, hour) => total + (hour.workflow_runs?.events ?? 0), 0)
}

type Hour = { readonly workflow_runs?: { readonly events: number } }
