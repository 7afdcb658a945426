import { z } from 'zod'
import type { Doc, ScopedDb, Write } from '#shared/firestore/scoped.ts'
import type { Commit, TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { hashedId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result } from '#shared/result.ts'
import { type Invitation, parseInvitation } from '../domain/invitation.ts'
import { type IdpLink, isActiveOwner, parseUser, type User, type UserId } from '../domain/user.ts'
import type { UserCommit, UserLookup, UserStore, UserSurroundings } from '../ports/people.ts'
import { commitWithAssertion } from './replay-store.ts'
import { customRolesIn } from './role-store.ts'

export const USERS = 'auth_users'
/** Who signs in with (connection, subject): created once, so two first log-ins make one user. */
const LINKS = 'auth_userLinks'
const USER_NAMES = 'auth_userNames'
/** Changed by whoever makes a user of an address: it guards the question who has that address already. */
const EMAILS = 'auth_userEmails'
const INVITATIONS = 'auth_invitations'
/** Who the active owners are. Each change of them goes through this document, so none can be the last twice. */
const OWNERS = ['auth_limits', 'owners']
const MOST_MATCHES = 20

const userId = z.string().transform((value) => value as UserId)
const parsePointer = parser(z.object({ userId }))
const parseGuard = parser(z.object({ users: z.number().int() }))
const parseOwners = parser(z.object({ userIds: z.array(userId) }))

type EmailGuard<S> = {
  readonly emailHash: string
  readonly doc: Doc<S, { readonly users: number }> | undefined
}

type Found<S> = UserSurroundings & {
  readonly emailGuard: EmailGuard<S> | undefined
  readonly docs: ReadonlyMap<string, Doc<S, User>>
  readonly invitationDocs: readonly Doc<S, Invitation>[]
  readonly ownersDoc: Doc<S, { readonly userIds: readonly UserId[] }> | undefined
}

export function firestoreUserStore(tenants: TenantFirestore): UserStore {
  const listWhere = (ctx: Parameters<UserStore['list']>[0], field: string, value: string) =>
    tenants.withTenant(ctx, async (db) => {
      const found = await db.list([USERS], { where: [[field, '==', value]], limit: MOST_MATCHES }, parseUser)
      return found.map((doc) => doc.value)
    })
  return {
    find: (ctx, id) => tenants.withTenant(ctx, async (db) => (await db.find([USERS, id], parseUser))?.value),
    findByLink: (ctx, link) => tenants.withTenant(ctx, async (db) => (await findLinked(db, link))?.value),
    list: (ctx, { limit, after }) =>
      tenants.withTenant(ctx, async (db) => {
        const options = { orderBy: [['__name__', 'asc']] as const, limit }
        const page = after === undefined ? options : { ...options, startAfter: [after] }
        return (await db.list([USERS], page, parseUser)).map((doc) => doc.value)
      }),
    findByUserName: (ctx, hash) =>
      tenants.withTenant(ctx, async (db) => {
        const pointer = await db.find([USER_NAMES, hash], parsePointer)
        return pointer === undefined
          ? undefined
          : (await db.find([USERS, pointer.value.userId], parseUser))?.value
      }),
    findByExternalId: (ctx, hash) => listWhere(ctx, 'scim.externalIdHash', hash),
    findByEmail: (ctx, hash) => listWhere(ctx, 'emailHash', hash),
    change: (ctx, claim, lookup, decide) =>
      tenants.optimistic(ctx, claim, (db) => changed(db, lookup, decide)),
    changeWithAssertion: (ctx, assertion, lookup, decide) =>
      commitWithAssertion(tenants, ctx, assertion, (db) => changed(db, lookup, decide)),
  }
}

async function changed<S, T>(
  db: ScopedDb<S>,
  lookup: UserLookup,
  decide: (found: UserSurroundings) => Result<UserCommit<T>>,
): Promise<Result<Commit<S, T>>> {
  const found = await look(db, lookup)
  const decided = decide(found)
  if (!decided.ok) return decided
  const { value, user, deleted, invitation, events = [], audit = [], revocations = [] } = decided.value
  const writes = [
    ...(user === undefined ? [] : await saveUser(db, found.docs.get(user.userId), user)),
    ...(deleted === undefined ? [] : await deleteUser(db, found.docs.get(deleted.userId))),
    ...ownerWrites(db, found, user, deleted),
    ...guardWrites(db, found, user),
    ...(invitation === undefined ? [] : [settleInvitation(db, found, invitation)]),
  ]
  return ok({
    value,
    writes,
    events: events.map((event) => ({ topic: 'auth-facts' as const, event })),
    audit,
    revocations,
  })
}

async function look<S>(db: ScopedDb<S>, lookup: UserLookup): Promise<Found<S>> {
  const { emailHash } = lookup
  const [user, linked, [emailGuard, sameEmail], invited, invitation, named, ownersDoc, custom] =
    await Promise.all([
      lookup.userId === undefined ? undefined : db.find([USERS, lookup.userId], parseUser),
      lookup.link === undefined ? undefined : findLinked(db, lookup.link),
      emailHash === undefined ? NO_EMAIL : findSameEmail(db, emailHash),
      emailHash === undefined ? [] : findInvitations(db, emailHash),
      lookup.invitationId === undefined
        ? undefined
        : db.find([INVITATIONS, lookup.invitationId], parseInvitation),
      lookup.userNameHash === undefined
        ? undefined
        : db.find([USER_NAMES, lookup.userNameHash], parsePointer),
      db.find(OWNERS, parseOwners),
      customRolesIn(db),
    ])
  const docs = [user, linked, ...sameEmail].filter((doc) => doc !== undefined)
  return {
    user: user?.value,
    linked: linked?.value,
    sameEmail: sameEmail.map((doc) => doc.value),
    emailGuard,
    invitations: invited.map((doc) => doc.value),
    invitation: invitation?.value,
    userNameOwner: named?.value.userId,
    owners: ownersDoc?.value.userIds ?? [],
    custom,
    docs: new Map(docs.map((doc) => [doc.value.userId, doc])),
    invitationDocs: [...invited, ...(invitation === undefined ? [] : [invitation])],
    ownersDoc,
  }
}

async function findLinked<S>(db: ScopedDb<S>, link: IdpLink): Promise<Doc<S, User> | undefined> {
  const pointer = await db.find([LINKS, linkId(link)], parsePointer)
  return pointer === undefined ? undefined : db.find([USERS, pointer.value.userId], parseUser)
}

const NO_EMAIL = [undefined, []] as const

/** The guard is read before the question is asked: who answers it otherwise in the meantime changes the guard. */
async function findSameEmail<S>(
  db: ScopedDb<S>,
  emailHash: string,
): Promise<readonly [EmailGuard<S>, readonly Doc<S, User>[]]> {
  const doc = await db.find([EMAILS, emailHash], parseGuard)
  const where = [['emailHash', '==', emailHash]] as const
  return [{ emailHash, doc }, await db.list([USERS], { where, limit: MOST_MATCHES }, parseUser)]
}

function guardWrites<S>(db: ScopedDb<S>, found: Found<S>, user: User | undefined): Write<S>[] {
  const { emailGuard: guard } = found
  const isNew = user !== undefined && !found.docs.has(user.userId)
  if (!isNew || guard === undefined || user.emailHash !== guard.emailHash) return []
  const path = [EMAILS, guard.emailHash]
  return [
    guard.doc === undefined
      ? db.create(path, { users: 1 })
      : db.update(path, guard.doc, { users: guard.doc.value.users + 1 }),
  ]
}

function findInvitations<S>(db: ScopedDb<S>, emailHash: string): Promise<Doc<S, Invitation>[]> {
  const where = [
    ['emailHash', '==', emailHash],
    ['status', '==', 'pending'],
  ] as const
  return db.list([INVITATIONS], { where, limit: MOST_MATCHES }, parseInvitation)
}

function linkId(link: IdpLink): string {
  return hashedId(link.connectionId, link.sub)
}

/** The writes of a new or changed user, with the indexes that lead to them. */
export async function saveUser<S>(
  db: ScopedDb<S>,
  before: Doc<S, User> | undefined,
  user: User,
): Promise<Write<S>[]> {
  const path = [USERS, user.userId]
  const fields = fieldsOf(user)
  const links = user.idpLinks.filter((link) => !hasLink(before?.value, link))
  const oldName = before?.value.scim?.userNameHash
  const newName = user.scim?.userNameHash
  return [
    before === undefined ? db.create(path, fields) : db.update(path, before, fields),
    ...links.map((link) => db.create([LINKS, linkId(link)], { userId: user.userId })),
    ...(oldName === newName || newName === undefined
      ? []
      : [db.create([USER_NAMES, newName], { userId: user.userId })]),
    ...(oldName === newName || oldName === undefined ? [] : await removePointer(db, USER_NAMES, oldName)),
  ]
}

async function deleteUser<S>(db: ScopedDb<S>, doc: Doc<S, User> | undefined): Promise<Write<S>[]> {
  if (doc === undefined) return []
  const { idpLinks, scim, userId: id } = doc.value
  const pointers = await Promise.all([
    ...idpLinks.map((link) => removePointer(db, LINKS, linkId(link))),
    ...(scim === null ? [] : [removePointer(db, USER_NAMES, scim.userNameHash)]),
  ])
  return [db.delete([USERS, id], doc), ...pointers.flat()]
}

async function removePointer<S>(db: ScopedDb<S>, collection: string, id: string): Promise<Write<S>[]> {
  const pointer = await db.find([collection, id], parsePointer)
  return pointer === undefined ? [] : [db.delete([collection, id], pointer)]
}

function ownerWrites<S>(
  db: ScopedDb<S>,
  found: Found<S>,
  user: User | undefined,
  deleted: User | undefined,
): Write<S>[] {
  const changed = user ?? deleted
  if (changed === undefined) return []
  const was = found.owners.includes(changed.userId)
  const is = isActiveOwner(user)
  if (was === is) return []
  const others = found.owners.filter((id) => id !== changed.userId)
  const userIds = is ? [...others, changed.userId] : others
  return [
    found.ownersDoc === undefined
      ? db.create(OWNERS, { userIds })
      : db.update(OWNERS, found.ownersDoc, { userIds }),
  ]
}

function settleInvitation<S>(db: ScopedDb<S>, found: Found<S>, invitation: Invitation): Write<S> {
  const path = [INVITATIONS, invitation.invitationId]
  const doc = found.invitationDocs.find(({ id }) => id === invitation.invitationId)
  if (doc === undefined) throw new TypeError('an invitation was settled that nobody read')
  return db.update(path, doc, { ...invitation })
}

function hasLink(user: User | undefined, link: IdpLink): boolean {
  return (
    user?.idpLinks.some((known) => known.connectionId === link.connectionId && known.sub === link.sub) ===
    true
  )
}

export function fieldsOf(user: User): Record<string, unknown> {
  return {
    ...user,
    idpLinks: user.idpLinks.map((link) => ({ ...link })),
    rolesFrom: { ...user.rolesFrom },
    scim: user.scim === null ? null : { ...user.scim },
  }
}
