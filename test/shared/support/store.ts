import type { Group } from '#shared/catalogue/functions.ts'
import { manualClock } from '#shared/clock.ts'
import { stepContinue } from '#shared/contracts/events/step-continue.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { closeDatabase, openDatabase } from '#shared/firestore/database.ts'
import { createOutbox, type Outgoing } from '#shared/firestore/outbox.ts'
import { systemFirestore } from '#shared/firestore/system.ts'
import { tenantFirestore } from '#shared/firestore/tenant-store.ts'
import { systemIds, type TenantId } from '#shared/ids.ts'
import { asRecord, type Parse } from '#shared/json.ts'
import { silentLogger } from '#shared/log.ts'
import type { OutgoingMessage } from '#shared/pubsub/publisher.ts'
import { ok } from '#shared/result.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import { START_MS } from './platform.ts'

export const parseAny: Parse<Record<string, unknown>> = (raw) => ok(asRecord(raw) ?? {})

export function contextOf(tenantId: string): TenantContext {
  return new TenantContext(prove.event({ tenantId: tenantId as TenantId, eventId: 'e', type: 'test' }))
}

export type TestStore = ReturnType<typeof openStore>

/** The store of one group on an engine, in a project of its own, and a publisher in memory. */
export function openStore(
  host: string,
  group: Group = 'lifecycle',
  project = `demo-${systemIds.bytes(5).toString('hex')}`,
) {
  const clock = manualClock(START_MS)
  const published: OutgoingMessage[] = []
  const failing: { when: (message: OutgoingMessage) => boolean } = { when: () => false }
  const publisher = {
    publish: async (message: OutgoingMessage) => {
      if (failing.when(message)) throw new Error('Pub/Sub is down')
      return `m${published.push(message)}`
    },
  }
  const database = openDatabase({ project, databaseId: '(default)', emulatorHost: host })
  const system = systemFirestore(database, group)
  const outbox = createOutbox({ group, system, publisher, clock, log: silentLogger })
  const tenants = tenantFirestore({ database, group, clock, ids: systemIds, outbox })
  return {
    project,
    clock,
    database,
    system,
    outbox,
    tenants,
    published,
    failing,
    close: () => closeDatabase(database),
  }
}

export function aStep(tenantId: string, id: string): Outgoing {
  const data = { tenantId, operationId: id }
  const event = newEvent({
    id,
    source: '//energent.ai/tenant-events',
    type: stepContinue.type,
    tenantId: tenantId as TenantId,
    nowMs: START_MS,
    data,
  })
  return { topic: 'tenant-work', event }
}
