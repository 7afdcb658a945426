import { z } from 'zod'
import type { Clock } from '#shared/clock.ts'
import type { Doc } from '#shared/firestore/scoped.ts'
import type { SystemFirestore, SystemScope } from '#shared/firestore/system.ts'
import type { Ids, TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { DUE_KINDS, type Due, type DueKind, type DueWork } from '../ports/slots.ts'

const JOBS = 'jobs'

const parseDue = parser(
  z.object({
    tenantId: z.string(),
    due: z.enum(DUE_KINDS),
    key: z.string(),
    markedAtMs: z.number().int(),
  }),
)
type DueDoc = Doc<
  SystemScope,
  ReturnType<typeof parseDue> extends infer R ? (R extends { value: infer V } ? V : never) : never
>

/** Documents in `jobs` of the kind `due`: one for each tenant and kind of work. */
export function firestoreDueWork(deps: {
  readonly system: SystemFirestore
  readonly ids: Ids
  readonly clock: Clock
}): DueWork {
  const { system, ids, clock } = deps
  return {
    mark: (tenantId, due, key, nowMs) =>
      system.merge(JOBS, idOf(tenantId, due), { kind: 'due', tenantId, due, key, markedAtMs: nowMs }),
    list: async (limit) =>
      (await system.list(JOBS, { where: [['kind', '==', 'due']], limit }, parseDue)).map(dueOf),
    find: async (tenantId, due) => {
      const found = await system.find(JOBS, idOf(tenantId, due), parseDue)
      return found === undefined ? undefined : dueOf(found)
    },
    settle: async ({ mark }) => {
      // A conflict means that it was marked again: it stays.
      await system.commit([system.delete(JOBS, mark as DueDoc)], ids.uuid(clock.now()))
    },
  }
}

function dueOf(doc: DueDoc): Due {
  const { tenantId, due, key, markedAtMs } = doc.value
  return { tenantId: tenantId as TenantId, kind: due, key, markedAtMs, mark: doc }
}

function idOf(tenantId: TenantId, due: DueKind): string {
  return `due_${due}_${tenantId}`
}
