import type { Doc, ScopedDb } from '#shared/firestore/scoped.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { ok } from '#shared/result.ts'
import { type Group, MOST_GROUPS, parseGroup } from '../domain/scim/group.ts'
import { parseUser, type User, type UserId } from '../domain/user.ts'
import type { GroupStore } from '../ports/people.ts'
import { listGuard } from './list-guard.ts'
import { saveUser, USERS } from './user-store.ts'

const GROUPS = 'auth_groups'
/** Members that one commit changes: each is a document, and perhaps a fact and the end of their tokens. */
const MOST_AT_ONCE = 100

export function firestoreGroupStore(tenants: TenantFirestore): GroupStore {
  return {
    find: (ctx, id) =>
      tenants.withTenant(ctx, async (db) => (await db.find([GROUPS, id], parseGroup))?.value),
    findMany: (ctx, ids) => tenants.withTenant(ctx, (db) => findGroups(db, ids)),
    list: (ctx) => tenants.withTenant(ctx, listGroups),
    step: async (ctx, groupId, nowMs, plan, decide) => {
      const stepped = await tenants.optimistic(ctx, undefined, async (db) => {
        const path = [GROUPS, groupId]
        const guard = await listGuard(db, 'groups')
        const [doc, all] = await Promise.all([db.find(path, parseGroup), listGroups(db)])
        const planned = plan({
          group: doc?.value,
          others: all.filter((group) => group.groupId !== groupId),
        })
        if (!planned.ok) return planned
        const wanted = planned.value === 'deleted' ? undefined : planned.value
        const before = doc?.value
        const { affected, members, done } = portionOf(before, wanted)
        const next = nextOf(before, wanted, members, done, nowMs)
        const users = await findUsers(db, affected)
        const groupIds = [...users.values()].flatMap(({ value }) => value.scim?.groups ?? [])
        const groups = await findGroups(db, [...new Set(groupIds)])
        const decided = decide({
          group: before,
          next,
          users: new Map([...users].map(([id, user]) => [id, user.value])),
          groups: new Map(groups.map((group) => [group.groupId, group])),
        })
        if (!decided.ok) return decided
        const changed = decided.value.users.filter(({ user }) => user !== undefined)
        const saved = await Promise.all(
          changed.map(({ user }) => (user === undefined ? [] : saveUser(db, users.get(user.userId), user))),
        )
        const ownWrite =
          next === undefined
            ? doc === undefined
              ? []
              : [db.delete(path, doc)]
            : [doc === undefined ? db.create(path, { ...next }) : db.update(path, doc, { ...next })]
        // A name more: two groups of one name at once meet here, as do two that are the last there may be.
        const named = next !== undefined && next.displayName !== before?.displayName
        return ok({
          value: { done, group: next },
          writes: [...ownWrite, ...(named ? [guard()] : []), ...saved.flat()],
          events: changed
            .flatMap(({ events = [] }) => events)
            .map((event) => ({ topic: 'auth-facts' as const, event })),
          audit: [...decided.value.audit, ...changed.flatMap(({ audit = [] }) => audit)],
          revocations: changed.flatMap(({ revocations = [] }) => revocations),
        })
      })
      if (!stepped.ok) return stepped
      if (stepped.value.duplicate) throw new Error('a change without a claim was seen before')
      return ok(stepped.value.value)
    },
  }
}

type Wanted = Pick<Group, 'groupId' | 'displayName' | 'externalId' | 'members'>

/** Whose membership changes in this step, and who the members are after it. */
function portionOf(before: Group | undefined, wanted: Wanted | undefined) {
  const current = new Set(before?.members ?? [])
  const target = new Set(wanted?.members ?? [])
  const removed = [...current].filter((id) => !target.has(id))
  const added = [...target].filter((id) => !current.has(id))
  const changing = [...removed, ...added]
  const affected = changing.slice(0, MOST_AT_ONCE)
  for (const id of affected) {
    if (target.has(id)) current.add(id)
    else current.delete(id)
  }
  const renamed =
    before !== undefined &&
    wanted !== undefined &&
    (before.displayName !== wanted.displayName || before.externalId !== wanted.externalId)
  // A name gives roles: everybody in the group may have others now.
  const all = renamed ? [...new Set([...affected, ...current])] : affected
  return { affected: all, members: [...current], done: affected.length === changing.length }
}

function nextOf(
  before: Group | undefined,
  wanted: Wanted | undefined,
  members: readonly UserId[],
  done: boolean,
  nowMs: number,
): Group | undefined {
  const content = wanted ?? (done ? undefined : before)
  if (content === undefined) return undefined
  return {
    groupId: content.groupId,
    displayName: content.displayName,
    externalId: content.externalId,
    members,
    revision: (before?.revision ?? 0) + 1,
    createdAt: before?.createdAt ?? nowMs,
    updatedAt: nowMs,
  }
}

async function listGroups<S>(db: ScopedDb<S>): Promise<Group[]> {
  const options = { orderBy: [['__name__', 'asc']] as const, limit: MOST_GROUPS }
  return (await db.list([GROUPS], options, parseGroup)).map((doc) => doc.value)
}

async function findGroups<S>(db: ScopedDb<S>, ids: readonly string[]): Promise<Group[]> {
  const found = await Promise.all(ids.map((id) => db.find([GROUPS, id], parseGroup)))
  return found.filter((doc) => doc !== undefined).map((doc) => doc.value)
}

async function findUsers<S>(db: ScopedDb<S>, ids: readonly UserId[]): Promise<Map<UserId, Doc<S, User>>> {
  const found = await Promise.all(ids.map((id) => db.find([USERS, id], parseUser)))
  return new Map(found.filter((doc) => doc !== undefined).map((doc) => [doc.value.userId, doc]))
}
