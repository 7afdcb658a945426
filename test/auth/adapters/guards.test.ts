import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { reach } from '#shared/firestore/database.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { systemIds } from '#shared/ids.ts'
import { ok, refuse } from '#shared/result.ts'
import { firestoreApiKeys } from '../../../functions/auth/adapters/api-key-store.ts'
import { firestoreBindingStore } from '../../../functions/auth/adapters/binding-store.ts'
import { firestoreClientRegister } from '../../../functions/auth/adapters/client-register.ts'
import { firestoreClientStore } from '../../../functions/auth/adapters/client-store.ts'
import { firestoreGroupStore } from '../../../functions/auth/adapters/group-store.ts'
import { firestoreInvitationStore } from '../../../functions/auth/adapters/invitation-store.ts'
import { firestoreRoleStore } from '../../../functions/auth/adapters/role-store.ts'
import { firestoreDomainStore } from '../../../functions/auth/adapters/sign-on-store.ts'
import { newClientId } from '../../../functions/auth/domain/client-id.ts'
import type { Role } from '../../../functions/auth/domain/role.ts'
import { platformState, type TenantAuthState } from '../../../functions/auth/domain/tenant-state.ts'
import type { GoogleBinding } from '../../../functions/auth/domain/workload-binding.ts'
import { START_MS } from '../../shared/support/platform.ts'
import { contextOf, openStore, parseAny, type TestStore } from '../../shared/support/store.ts'

// What a commit only reads may change before it: the decision is then made again.

const ACME = contextOf('acme')
const STATE = ['auth_state', 'current']

let engine: FirestoreEngine
let store: TestStore
beforeAll(async () => {
  engine = await startFirestoreEngine({ now: () => START_MS })
  store = openStore(engine.host, 'auth')
})
afterAll(async () => {
  await store.close()
  await engine.close()
})
beforeEach(async () => {
  engine.reset()
  await put(STATE, { ...platformState(START_MS) })
})

const put = (path: readonly string[], fields: Record<string, unknown>) =>
  store.tenants.optimistic(ACME, undefined, async (db) => ok({ value: 1, writes: [db.create(path, fields)] }))

const remove = (path: readonly string[]) =>
  store.tenants.optimistic(ACME, undefined, async (db) => {
    const found = await db.find(path, parseAny)
    return ok({ value: 1, writes: found === undefined ? [] : [db.delete(path, found)] })
  })

const endTenant = () =>
  store.tenants.optimistic(ACME, undefined, async (db) => {
    const found = await db.find(STATE, parseAny)
    if (found === undefined) throw new Error('the tenant is there')
    return ok({ value: 1, writes: [db.update(STATE, found, { status: 'PURGED' })] })
  })

/** A store in which something happens once, between a decision and its commit. */
function raced(between: () => Promise<unknown>): TenantFirestore {
  let happened = false
  return {
    ...store.tenants,
    optimistic: (ctx, claim, decide) =>
      store.tenants.optimistic(ctx, claim, async (db) => {
        const decision = await decide(db)
        if (!happened) {
          happened = true
          await between()
        }
        return decision
      }),
  }
}

type Found = { readonly state: TenantAuthState | undefined }

/** Yes to whoever's tenant is active. */
const ifActive =
  <T>(answer: T) =>
  ({ state }: Found) =>
    state?.status === 'ACTIVE' ? ok(answer) : refuse('tenant.closed' as never, 'it has ended')

const ENDINGS: [string, (tenants: TenantFirestore) => Promise<unknown>][] = [
  [
    'a client',
    (tenants) =>
      firestoreClientStore(tenants).add(
        ACME,
        undefined,
        { clientId: 'c_1' as never, creatorId: undefined },
        ifActive({ value: 1, client: { clientId: 'c_1', secrets: [] } }) as never,
      ),
  ],
  [
    'an API key',
    (tenants) =>
      firestoreApiKeys(tenants, store.database).add(
        ACME,
        undefined,
        { keyId: 'k_1' } as never,
        ifActive({ value: 1, events: [], audit: [] }) as never,
      ),
  ],
  [
    'an invitation',
    (tenants) =>
      firestoreInvitationStore(tenants).add(
        ACME,
        undefined,
        { emailHash: 'h' },
        ifActive({ value: 1, invitation: anInvitation('i_1'), audit: [] }) as never,
      ),
  ],
  [
    'a binding',
    (tenants) =>
      firestoreBindingStore(tenants).add(
        ACME,
        undefined,
        aBinding('b_1'),
        ifActive({ binding: { id: 'b_1' }, audit: [] }) as never,
      ),
  ],
  [
    'a domain',
    (tenants) =>
      firestoreDomainStore(tenants, store.system).findOrCreate(
        ACME,
        { domainId: 'd_1' } as never,
        (state) => ifActive(undefined)({ state }) as never,
      ),
  ],
]

test.each(ENDINGS)('%s is not made beside the end of its tenant', async (_what, make) => {
  expect(await make(store.tenants)).toMatchObject({ ok: true })
  engine.reset()
  await put(STATE, { ...platformState(START_MS) })

  expect(await make(raced(endTenant))).toMatchObject({ ok: false, code: 'tenant.closed' })
})

/** One more of a kind, if there is none yet: what a limit or a name is decided by. */
const SINGLES: [string, (tenants: TenantFirestore, id: string) => Promise<unknown>][] = [
  [
    'bindings',
    (tenants, id) =>
      firestoreBindingStore(tenants).add(ACME, undefined, aBinding(id), ({ count }) =>
        count === 0 ? ok({ binding: aBinding(id), audit: [] }) : FULL,
      ),
  ],
  [
    'invitations',
    (tenants, id) =>
      firestoreInvitationStore(tenants).add(ACME, undefined, { emailHash: id }, (({
        pendingCount,
      }: {
        pendingCount: number
      }) =>
        pendingCount === 0 ? ok({ value: 1, invitation: anInvitation(id), audit: [] }) : FULL) as never),
  ],
  [
    'groups of one name',
    (tenants, groupId) =>
      firestoreGroupStore(tenants).step(
        ACME,
        groupId,
        START_MS,
        ({ others }) =>
          others.some(({ displayName }) => displayName === 'Staff')
            ? FULL
            : ok({ groupId, displayName: 'Staff', externalId: null, members: [] }),
        () => ok({ users: [], audit: [] }),
      ),
  ],
  [
    'roles',
    (tenants, name) =>
      firestoreRoleStore(tenants).change(ACME, name, ({ count }) =>
        count === 0 ? ok({ value: aRole(name), role: aRole(name), audit: [] }) : FULL,
      ),
  ],
]

const FULL = refuse('rate.limited', 'there is one')

test.each(SINGLES)('of two %s at once the second sees the first', async (_what, add) => {
  expect(
    await add(
      raced(() => add(store.tenants, 'first')),
      'second',
    ),
  ).toMatchObject(FULL)
  // Those that are there already are not in the way of each other's guard.
  engine.reset()
  await put(STATE, { ...platformState(START_MS) })
  expect(await add(store.tenants, 'first')).toMatchObject({ ok: true })
  expect(await add(store.tenants, 'second')).toMatchObject(FULL)
})

test('of two clients that delete each other, the second is too late', async () => {
  const [first, second] = [newClientId(systemIds, ACME.tenantId), newClientId(systemIds, ACME.tenantId)]
  for (const clientId of [first, second]) await put(['auth_clients', clientId], aClient(clientId))
  const keepers: (string | undefined)[] = []
  const register = firestoreClientRegister(raced(() => remove(['auth_clients', second])))

  const outcome = await register.change(
    ACME,
    undefined,
    { clientId: first as never, keeperId: second as never },
    ({ keeper }) => {
      keepers.push(keeper?.clientId)
      return (
        keeper === undefined ? refuse('client.unauthorized', 'gone') : ok({ value: 1, audit: [] })
      ) as never
    },
  )
  expect(outcome).toMatchObject({ ok: false, code: 'client.unauthorized' })
  expect(keepers).toEqual([second, undefined])
  expect(await read(['auth_clients', first])).toBeDefined()
})

test('a domain whose ownership is given up while it is proven is owned again, or not proven', async () => {
  const domain = { domainId: 'd_1', domain: 'acme.org', token: 't', createdAt: START_MS, provenAt: null }
  await put(['auth_domains', 'd_1'], { ...domain, status: 'pending' })
  await own('acme')
  const giveUp = async () => {
    await disown()
    await own('globex')
  }

  const outcome = await firestoreDomainStore(raced(giveUp), store.system).prove(ACME, 'd_1', START_MS)

  expect(outcome).toMatchObject({ ok: false, code: 'domain.taken' })
  expect((await read(['auth_domains', 'd_1']))?.value).toMatchObject({ status: 'pending' })
})

const read = (path: readonly string[]) => store.tenants.withTenant(ACME, (db) => db.find(path, parseAny))

const own = (tenantId: string) =>
  store.tenants.optimistic(contextOf(tenantId), undefined, async (db) =>
    ok({ value: 1, writes: [db.createSystem('domainOwners', 'd_1', { tenantId, provenAt: START_MS })] }),
  )

/** No code of ours gives a domain up yet, so it is done as the store would. */
async function disown(): Promise<void> {
  const { client } = await reach(store.database)
  await client.doc('domainOwners/d_1').delete()
}

function aBinding(id: string): GoogleBinding {
  return { id, email: `${id}@project.iam`, scopes: [], createdAt: START_MS }
}

function aRole(name: string): Role {
  return { name, description: '', scopes: [], revision: 1, createdAt: START_MS, updatedAt: START_MS }
}

function anInvitation(invitationId: string): Record<string, unknown> {
  return {
    ...{ invitationId, tenantId: 'acme', emailSealed: 's', emailHash: invitationId, role: 'viewer' },
    ...{ tokenHash: 't', status: 'pending', acceptedBy: null, createdAt: START_MS, expiresAt: START_MS + 1 },
  }
}

function aClient(clientId: string): Record<string, unknown> {
  return {
    ...{ clientId, tenantId: 'acme', name: clientId, status: 'active', grants: ['client_credentials'] },
    ...{ scopes: [], roles: [], secrets: [], ownerUserId: null, notBefore: 0, createdAt: START_MS },
  }
}
