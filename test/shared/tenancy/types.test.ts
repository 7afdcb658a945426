import { expect, test } from 'vitest'
import type { ScopedDb } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parseTenantId, type TenantId } from '#shared/ids.ts'
import { ok, type Result } from '#shared/result.ts'
import type { Actor, TenantContext } from '#shared/tenancy/context.ts'
import { VerifiedToken } from '#shared/tenancy/proofs.ts'

declare const tenants: TenantFirestore
declare const ctx: TenantContext
declare const actor: Actor
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

test('what must not compile is never run', () => {
  expect(neverCompiles).toBeTypeOf('function')
})

test('a tenant id comes from its parser alone', () => {
  const parsed = parseTenantId('acme')
  const id: TenantId | undefined = parsed.ok ? parsed.value : undefined
  expect(id).toBe('acme')
})
