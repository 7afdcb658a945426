import { expect, test } from 'vitest'
import type { Database } from '#shared/firestore/database.ts'
import type { Doc, Filter, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { SystemFirestore, SystemScope } from '#shared/firestore/system.ts'
import type { TenantIndex } from '#shared/firestore/tenant-index.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parseTenantId, type TenantId } from '#shared/ids.ts'
import { ok, type Result } from '#shared/result.ts'
import { type Actor, TenantContext } from '#shared/tenancy/context.ts'
import { openAsOperator } from '#shared/tenancy/operator.ts'
import { OperatorGrant, VerifiedEvent, VerifiedToken } from '#shared/tenancy/proofs.ts'

declare const tenants: TenantFirestore
declare const ctx: TenantContext
declare const actor: Actor
declare const system: SystemFirestore
declare const index: TenantIndex
declare const database: Database
const parse = (): Result<number> => ok(1)

/**
 * Never run: the compiler is the test. Each line marked must not compile, and `tsc` fails when one does.
 */
async function neverCompiles(): Promise<void> {
  // @ts-expect-error a text is not a tenant id until it was parsed
  const id: TenantId = 'acme'
  // @ts-expect-error two kinds of branded text are not each other
  const other: TenantId = actor
  // @ts-expect-error an object of the form of a context is none
  const context: TenantContext = { tenantId: id, actor, expiresAtMs: undefined }
  // @ts-expect-error a token is not made without the key
  const token = new VerifiedToken({}, Symbol('proof'))
  // @ts-expect-error a text is not a context
  await tenants.withTenant('acme', async () => 1)

  await tenants.withTenant(ctx, (left) =>
    tenants.withTenant(ctx, async (right) => {
      const found = await left.find(['auth_clients', 'a'], parse)
      if (found === undefined) return
      left.update(['auth_clients', 'a'], found, {})
      // @ts-expect-error a document read for one tenant is not written for another
      right.update(['auth_clients', 'a'], found, {})
      // @ts-expect-error nor deleted
      right.delete(['auth_clients', 'a'], found)
    }),
  )

  let escaped: ScopedDb<unknown> | undefined
  await tenants.withTenant(ctx, async (db) => {
    // @ts-expect-error a scoped database does not leave its function through a variable
    escaped = db
  })
  // @ts-expect-error nor as what the function returns
  const returned: ScopedDb<unknown> = await tenants.withTenant(ctx, async (db) => db)

  await tenants.withTenant(ctx, (left) =>
    tenants.optimistic(ctx, undefined, async (_db) =>
      // @ts-expect-error a write of one scope does not commit in another
      ok({ value: 1, writes: [left.create(['auth_clients', 'a'], {})] }),
    ),
  )
  await tenants.optimistic(ctx, undefined, async (db) =>
    ok({ value: 1, writes: [db.create(['auth_clients', 'a'], {})] }),
  )
  expect([id, other, context, token, escaped, returned]).toBeDefined()
}

/** The same for contexts and proofs: only what was verified makes one, and it stays what it is. */
function neverProves(token: VerifiedToken, tenantId: TenantId): void {
  // @ts-expect-error an event is not verified by whoever says so
  new VerifiedEvent({ tenantId, eventId: 'e', type: 't' })
  // @ts-expect-error nor is a grant given by whoever wants one
  new OperatorGrant({ tenantId, operator: 'o', scope: 'platform:read', reason: 'r', expiresAtMs: 1 })
  // @ts-expect-error a context is made of a proof, not of a tenant id
  new TenantContext(tenantId)
  // @ts-expect-error nor of what a proof holds
  new TenantContext(token.claims)
  // @ts-expect-error nor of another context
  new TenantContext(ctx)
  // @ts-expect-error an operator may be refused, and that has to be looked at
  const opened: TenantContext = openAsOperator(token, tenantId, 'platform:read', 'r', 0)
  // @ts-expect-error a tenant's scope opens no other tenant
  openAsOperator(token, tenantId, 'tenant:read', 'r', 0)
  // @ts-expect-error a context does not change its tenant
  ctx.tenantId = tenantId
  // @ts-expect-error nor a token its claims
  token.claims = { ...token.claims }
  // @ts-expect-error nor the claims their tenant
  token.claims.tenant = tenantId
  // @ts-expect-error nor the scopes themselves
  token.claims.scopes.add('platform:read')
  // @ts-expect-error the client is not reached through a database
  expect([opened, database.client]).toBeDefined()
}

/** And for the two kinds of documents: a tenant's and those of nobody. */
async function neverMixes(shared: Doc<SystemScope, unknown>, write: Write<SystemScope>): Promise<void> {
  await tenants.withTenant(ctx, async (db) => {
    // @ts-expect-error a shared document is not changed as a tenant's
    db.update(['auth_clients', 'a'], shared, {})
    // @ts-expect-error a path is a list of segments: a text could hold a slash
    await db.find('auth_clients/a', parse)
    // @ts-expect-error a document that was never read guards nothing
    db.update(['auth_clients', 'a'], { id: 'a', value: 1 }, {})
    // @ts-expect-error the client is not reached through a scope
    db.client
    // @ts-expect-error nor collections of all tenants
    db.collectionGroup('auth_clients')
    const own = db.create(['auth_clients', 'a'], {})
    // @ts-expect-error a tenant's write is not committed past its claim, audit and events
    await system.commit([own], 'c')
    const found = await db.find(['auth_clients', 'a'], parse)
    // @ts-expect-error a tenant's document is not changed as a shared one
    if (found !== undefined) system.update('auth_outbox', found, {})
  })
  // @ts-expect-error a shared write does not commit as a tenant's
  await tenants.optimistic(ctx, undefined, async () => ok({ value: 1, writes: [write] }))
  const [listed] = await index.list({ limit: 1 }, parse)
  // @ts-expect-error what the list of tenants returns guards no write
  system.update('timers', listed, {})
  // @ts-expect-error there is no group of collections to query
  await index.list({ limit: 1, collectionGroup: 'auth_clients' }, parse)
  // @ts-expect-error and no operator that would need one of the store's own indexes
  const filter: Filter = ['a', 'not-in', []]
  expect(filter).toBeDefined()
}

test('what must not compile is never run', () => {
  for (const never of [neverCompiles, neverProves, neverMixes]) expect(never).toBeTypeOf('function')
})

test('a tenant id comes from its parser alone', () => {
  const parsed = parseTenantId('acme')
  const id: TenantId | undefined = parsed.ok ? parsed.value : undefined
  expect(id).toBe('acme')
})
