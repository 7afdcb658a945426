import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { canonicalJson } from '#shared/json.ts'
import { ok, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import {
  freezeSlots,
  judgeFreeze,
  liveLeases,
  NO_SLOTS,
  parseSlots,
  type Slots,
  thawBefore,
  thawSlots,
} from '../domain/slots.ts'
import { parseProjection } from '../domain/tenant-projection.ts'
import type { DrainedFact, SlotState, WorkflowSlots } from '../ports/slots.ts'

const SLOTS = ['billing_quota', 'workflows']
const TENANT = ['billing_tenant', 'current']

/**
 * Slots as one document, changed only as it was read and judged by the store's time of that read: clocks
 * of instances decide nothing.
 */
export function firestoreWorkflowSlots(tenants: TenantFirestore): WorkflowSlots {
  /** The document, made where it is missing: only what was read has a time of the store. */
  const made = async (ctx: TenantContext): Promise<void> => {
    const found = await tenants.withTenant(ctx, (db) => db.find(SLOTS, parseSlots))
    if (found !== undefined) return
    await tenants.optimistic(ctx, undefined, async (db) => {
      const there = await db.find(SLOTS, parseSlots)
      return ok({ value: undefined, writes: there === undefined ? [db.create(SLOTS, { ...NO_SLOTS })] : [] })
    })
  }
  return {
    find: async (ctx) =>
      tenants.withTenant(ctx, async (db) => {
        const tenant = await db.find(TENANT, parseProjection)
        const slots = await db.find(SLOTS, parseSlots)
        if (tenant === undefined) return undefined
        const atMs = slots?.readTimeMs ?? tenant.readTimeMs
        return { slots: slots?.value ?? NO_SLOTS, tenant: tenant.value, atMs } satisfies SlotState
      }),
    change: async (ctx, decide, drained) => {
      const attempt = () =>
        tenants.optimistic(ctx, undefined, async (db) => {
          const tenant = await db.find(TENANT, parseProjection)
          if (tenant === undefined) return refuse('resource.not_found', 'no such tenant')
          const doc = await db.find(SLOTS, parseSlots)
          if (doc === undefined) return ok({ value: undefined, writes: [] })
          const decided = decide({ slots: doc.value, tenant: tenant.value, atMs: doc.readTimeMs })
          if (!decided.ok) return decided
          const told = tell(db, doc, decided.value.slots, drained)
          return ok({
            value: decided.value.answer,
            writes: [...told.writes, db.verify(TENANT, tenant)],
            events: told.events,
          })
        })
      for (;;) {
        const changed = await attempt()
        if (!changed.ok) return changed
        if (!changed.value.duplicate && changed.value.value !== undefined) return ok(changed.value.value)
        await made(ctx)
      }
    },
    freeze: async (ctx, claim, freeze, drained) => {
      await made(ctx)
      const frozen = await tenants.optimistic(ctx, claim, async (db) => {
        const doc = await present(db)
        const slots = freezeSlots(doc.value, freeze, doc.readTimeMs)
        if (slots === undefined) return ok({ value: undefined, writes: [db.verify(SLOTS, doc)] })
        const told = tell(db, doc, slots, drained)
        return ok({ value: told.events.length > 0 ? ('drained' as const) : ('waiting' as const), ...told })
      })
      if (!frozen.ok) return frozen
      if (!frozen.value.duplicate && frozen.value.value !== undefined) return ok(frozen.value.value)
      const stands = (await tenants.withTenant(ctx, (db) => present(db))).value.freeze
      if (stands?.operationId !== freeze.operationId) return ok('over')
      return ok(stands.drained === null ? 'waiting' : { toldBefore: stands.drained })
    },
    thaw: async (ctx, by) => {
      await made(ctx)
      await tenants.optimistic(ctx, undefined, async (db) => {
        const doc = await present(db)
        const slots =
          'sequence' in by ? thawBefore(doc.value, by.sequence) : thawSlots(doc.value, by.operationId)
        return ok({
          value: undefined,
          writes: slots === undefined ? [] : [db.update(SLOTS, doc, { ...slots })],
        })
      })
    },
    drain: async (ctx, drained) => {
      const told = await tenants.optimistic(ctx, undefined, async (db) => {
        const doc = await db.find(SLOTS, parseSlots)
        if (doc === undefined || doc.value.freeze?.drained !== null) return ok({ value: true, writes: [] })
        if (judgeFreeze(doc.value, doc.readTimeMs) === undefined) return ok({ value: false, writes: [] })
        const leases = liveLeases(doc.value, doc.readTimeMs)
        return ok({ value: true, ...tell(db, doc, { ...doc.value, leases }, drained) })
      })
      return told.ok && !told.value.duplicate && told.value.value
    },
  }
}

async function present<S>(db: ScopedDb<S>): Promise<Doc<S, Slots>> {
  const doc = await db.find(SLOTS, parseSlots)
  if (doc === undefined) throw new Error('the slots are gone')
  return doc
}

/** Writes the slots, and with them the fact that somebody waits for, if it has come true. */
function tell<S>(
  db: ScopedDb<S>,
  doc: Doc<S, Slots>,
  slots: Slots,
  drained: DrainedFact,
): { writes: Write<S>[]; events: { topic: 'billing-facts'; event: CloudEvent }[] } {
  const verdict = judgeFreeze(slots, doc.readTimeMs)
  if (verdict === undefined || slots.freeze === null) {
    return { writes: [db.update(SLOTS, doc, { ...slots })], events: [] }
  }
  const event = drained(slots.freeze, verdict)
  const freeze = { ...slots.freeze, drained: canonicalJson(event) }
  return {
    writes: [db.update(SLOTS, doc, { ...slots, freeze })],
    events: [{ topic: 'billing-facts', event }],
  }
}
