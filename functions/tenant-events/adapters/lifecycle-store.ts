import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { Commit, TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { factsForAudit } from '../domain/facts.ts'
import type { Operation } from '../domain/operation.ts'
import type { Tenant } from '../domain/tenant.ts'
import { timerId } from '../domain/timers.ts'
import type { Change, LifecycleStore } from '../ports.ts'
import { parseOperation, parseTenant } from './documents.ts'

const OPERATIONS = 'lifecycle_operations'

/** Tenants and operations in Firestore; every change is one commit, guarded by all that it was decided on. */
export function firestoreLifecycleStore(tenants: TenantFirestore, system: SystemFirestore): LifecycleStore {
  return {
    findTenant: (ctx) => tenants.withTenant(ctx, async (db) => (await db.find([], parseTenant))?.value),
    findOperation: (ctx, operationId) =>
      tenants.withTenant(
        ctx,
        async (db) => (await db.find([OPERATIONS, operationId], parseOperation))?.value,
      ),

    create: (ctx, claim, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        // The tenant first: a purge removes it and leaves the tombstone in one commit, so that whoever
        // no longer sees the one must see the other. Whatever is stored there, the id is taken. That there
        // is none must still be so at the commit: a whole life may pass between the two.
        const existing = await db.find([], ok)
        const tombstone = await system.find('tombstones', db.tenantId, ok)
        const decided = decide({ exists: existing !== undefined, tombstone: tombstone !== undefined })
        if (!decided.ok) return decided
        const { value, tenant, operation, events, audit } = decided.value
        const writes = [
          db.verifySystem('tombstones', db.tenantId, tombstone),
          db.create([], tenant),
          db.create([OPERATIONS, operation.operationId], operation),
        ]
        return ok({ value, writes, events, audit: [...audit, ...factsForAudit(events)] })
      }),

    changeTenant: (ctx, claim, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const tenant = await db.find([], parseTenant)
        if (tenant === undefined) return refuse('resource.not_found', 'no tenant')
        const decided = decide(tenant.value)
        if (!decided.ok) return decided
        const { value, tenant: changed, events = [], audit = [] } = decided.value
        if (changed === undefined && claim === undefined) return ok({ value, writes: [], events, audit })
        const write = changed === undefined ? db.verify([], tenant) : db.update([], tenant, changed)
        return ok({ value, writes: [write], events, audit: [...audit, ...factsForAudit(events)] })
      }),

    change: (ctx, claim, operationId, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const [tenant, operation] = await Promise.all([
          db.find([], parseTenant),
          db.find([OPERATIONS, operationId], parseOperation),
        ])
        if (tenant === undefined || operation === undefined) {
          return refuse('resource.not_found', `no operation ${operationId}`)
        }
        const waiting = await findOperations(
          db,
          idsOf(tenant.value).filter((id) => id !== operationId),
        )
        const read = [operation, ...waiting]
        const decided = decide({
          tenant: tenant.value,
          operation: operation.value,
          waiting: tenant.value.queue.flatMap((entry) =>
            read.filter(({ id }) => id === entry.operationId).map(({ value }) => value),
          ),
          readTimeMs: readTimeOf([tenant, operation]),
        })
        return commitOf(db, decided, { tenant, operations: read, decidedOn: [operation] }, claim)
      }),

    changeStanding: (ctx, claim, named, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const tenant = await db.find([], parseTenant)
        if (tenant === undefined) return refuse('resource.not_found', 'no tenant')
        const ids = [...new Set([...idsOf(tenant.value), ...(named === undefined ? [] : [named])])]
        const operations = await findOperations(db, ids)
        const decided = decide({
          tenant: tenant.value,
          operations: operations.map(({ value }) => value),
          readTimeMs: readTimeOf([tenant, ...operations]),
        })
        return commitOf(db, decided, { tenant, operations, decidedOn: operations }, claim)
      }),
  }
}

/** What a decision was made on. Operations in `decidedOn` must not have changed even if it leaves them alone. */
type Read<S> = {
  readonly tenant: Doc<S, Tenant>
  readonly operations: readonly Doc<S, Operation>[]
  readonly decidedOn: readonly Doc<S, Operation>[]
}

function commitOf<S, T>(
  db: ScopedDb<S>,
  decided: Result<Change<T>>,
  read: Read<S>,
  claim: unknown,
): Result<Commit<S, T>> {
  if (!decided.ok) return decided
  const { value, events = [], audit = [], ...change } = decided.value
  // Only an answer: whoever asks again gets the next one. With a claim nobody asks again.
  const nothing = change.tenant === undefined && change.operations === undefined
  if (nothing && claim === undefined) return ok({ value, writes: [], events, audit })
  const writes = change.burial === undefined ? changes(db, change, read) : burials(db, change.burial, read)
  return ok({ value, writes, events, audit: [...audit, ...factsForAudit(events)] })
}

function changes<S>(db: ScopedDb<S>, change: Omit<Change<unknown>, 'value'>, read: Read<S>): Write<S>[] {
  const { operations = [], timers = [] } = change
  const untouched = read.decidedOn.filter(({ id }) =>
    operations.every(({ operationId }) => operationId !== id),
  )
  return [
    change.tenant === undefined ? db.verify([], read.tenant) : db.update([], read.tenant, change.tenant),
    ...operations.map((operation) => {
      const path = [OPERATIONS, operation.operationId]
      const known = read.operations.find(({ id }) => id === operation.operationId)
      return known === undefined ? db.create(path, operation) : db.update(path, known, operation)
    }),
    ...untouched.map((operation) => db.verify([OPERATIONS, operation.id], operation)),
    ...timers.map((timer) => db.createSystem('timers', timerId(timer), timer)),
  ]
}

/** The tenant goes in the very commit that leaves its tombstone: its id is never free. */
function burials<S>(
  db: ScopedDb<S>,
  burial: NonNullable<Change<unknown>['burial']>,
  read: Read<S>,
): Write<S>[] {
  return [
    db.delete([], read.tenant),
    ...read.operations.map((operation) => db.delete([OPERATIONS, operation.id], operation)),
    db.createSystem('tombstones', db.tenantId, burial.tombstone),
    db.createSystem('deletionCertificates', db.tenantId, burial.certificate),
  ]
}

function idsOf({ op, queue }: Tenant): string[] {
  return [...(op === null ? [] : [op.operationId]), ...queue.map(({ operationId }) => operationId)]
}

async function findOperations<S>(db: ScopedDb<S>, ids: readonly string[]): Promise<Doc<S, Operation>[]> {
  const found = await Promise.all(ids.map((id) => db.find([OPERATIONS, id], parseOperation)))
  return found.filter((operation) => operation !== undefined)
}

/** The earliest of the reads: a lease is never believed over before it is. */
function readTimeOf(read: readonly Pick<Doc<unknown, unknown>, 'readTimeMs'>[]): number {
  return Math.min(...read.map(({ readTimeMs }) => readTimeMs))
}
