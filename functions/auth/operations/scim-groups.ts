import type { Ids } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import {
  type DirectoryGroup,
  type Group,
  isGroupId,
  MOST_GROUPS,
  MOST_MEMBERS,
  newGroupId,
  parseDirectoryGroup,
} from '../domain/scim/group.ts'
import { applyPatch, type PatchOperation } from '../domain/scim/patch.ts'
import { GROUP_KIND } from '../domain/scim/schema.ts'
import { type User, type UserId, withRolesFrom } from '../domain/user.ts'
import type { GroupStep, GroupStepCommit, GroupStore } from '../ports/people.ts'
import type { ConnectionStore } from '../ports/sign-on.ts'
import { userCommit } from './user-commit.ts'

export type ScimGroupsDeps = {
  readonly ids: Ids
  readonly groups: GroupStore
  readonly connections: Pick<ConnectionStore, 'list'>
}

export type ScimCommand = {
  readonly ctx: TenantContext
  readonly nowMs: number
  readonly trace?: Trace | undefined
  /** Whether the revision is one that `If-Match` names. */
  readonly ifMatch: (revision: number) => Result<void>
}

/** Renaming touches everybody in the group at once. */
const MOST_RENAMED = 400
const NO_GROUP = refuse('resource.not_found', 'no such group')

export async function createGroup(
  deps: ScimGroupsDeps,
  command: ScimCommand,
  wanted: DirectoryGroup,
): Promise<Result<Group>> {
  const groupId = newGroupId(deps.ids, command.nowMs)
  return steps(deps, { ...command, ifMatch: () => ok(undefined) }, groupId, (group) =>
    // After the first step it is there, and the others go on filling it.
    group === undefined || group.displayName === wanted.displayName ? ok(wanted) : NO_GROUP,
  )
}

export function replaceGroup(
  deps: ScimGroupsDeps,
  command: ScimCommand,
  groupId: string,
  wanted: DirectoryGroup,
): Promise<Result<Group>> {
  return steps(deps, command, groupId, (group) => (group === undefined ? NO_GROUP : ok(wanted)))
}

/** Applies a PATCH to the group as it is in each commit: what others change at the same time is kept. */
export function patchGroup(
  deps: ScimGroupsDeps,
  command: ScimCommand,
  groupId: string,
  operations: readonly PatchOperation[],
): Promise<Result<Group>> {
  return steps(deps, command, groupId, (group) => {
    if (group === undefined) return NO_GROUP
    const resource = {
      displayName: group.displayName,
      ...(group.externalId === null ? {} : { externalId: group.externalId }),
      ...(group.members.length === 0 ? {} : { members: group.members.map((value) => ({ value })) }),
    }
    const patched = applyPatch(GROUP_KIND, resource, operations, MOST_MEMBERS)
    return patched.ok ? parseDirectoryGroup(patched.value) : patched
  })
}

/** Takes a group from its members, and then away. */
export async function deleteGroup(
  deps: ScimGroupsDeps,
  command: ScimCommand,
  groupId: string,
): Promise<Result<void>> {
  let began = false
  const deleted = await steps(deps, command, groupId, (group) => {
    if (group === undefined && !began) return NO_GROUP
    began = true
    return ok('deleted')
  })
  return deleted.ok || (began && deleted.code === 'resource.not_found') ? ok(undefined) : deleted
}

type Plan = (group: Group | undefined) => Result<DirectoryGroup | 'deleted'>

async function steps(
  deps: ScimGroupsDeps,
  command: ScimCommand,
  groupId: string,
  plan: Plan,
): Promise<Result<Group>> {
  if (!isGroupId(groupId)) return NO_GROUP
  const rolesOf = await groupRoles(deps, command.ctx)
  let matched = false
  for (let step = 0; step <= (2 * MOST_MEMBERS) / 100 + 1; step += 1) {
    const stepped = await deps.groups.step(
      command.ctx,
      groupId,
      command.nowMs,
      ({ group, others }) => {
        // Later steps meet the revisions of earlier ones.
        const current = group === undefined || matched ? ok(undefined) : command.ifMatch(group.revision)
        if (!current.ok) return current
        const planned = plan(group)
        if (!planned.ok) return planned
        if (planned.value === 'deleted') return ok('deleted' as const)
        const fault = faultOf(group, planned.value, others)
        return fault ?? ok({ groupId, ...planned.value })
      },
      (each) => decideStep(each, rolesOf, command),
    )
    if (!stepped.ok) return stepped
    matched = true
    const { done, group } = stepped.value
    if (done) return group === undefined ? NO_GROUP : ok(group)
  }
  throw new Error('the members of a group kept changing')
}

function faultOf(group: Group | undefined, wanted: DirectoryGroup, others: readonly Group[]) {
  const name = wanted.displayName.toLowerCase()
  if (others.some((other) => other.displayName.toLowerCase() === name)) {
    return refuse('scim.not_unique', 'displayName', 'displayName: another group has it')
  }
  if (group === undefined && others.length >= MOST_GROUPS - 1) {
    return refuse('scim.too_many', 'groups', `A tenant has fewer than ${MOST_GROUPS} groups.`)
  }
  const renamed = group !== undefined && group.displayName !== wanted.displayName
  if (renamed && group.members.length > MOST_RENAMED) {
    return refuse('scim.too_many', 'rename', `A group of more than ${MOST_RENAMED} members keeps its name.`)
  }
  return undefined
}

/** The roles a group gives: those of every connection that names it, by its name or by its id elsewhere. */
async function groupRoles(deps: ScimGroupsDeps, ctx: TenantContext): Promise<(group: Group) => string[]> {
  const mapped = (await deps.connections.list(ctx)).flatMap((connection) => connection.groupRoles)
  return (group) =>
    mapped
      .filter(({ group: name }) => name === group.displayName || name === group.externalId)
      .map(({ role }) => role)
}

function decideStep(
  { group, groups, next, users }: GroupStep,
  rolesOf: (group: Group) => string[],
  command: ScimCommand,
): Result<GroupStepCommit> {
  const missing = next?.members.find((id) => !group?.members.includes(id) && users.get(id)?.scim == null)
  if (missing !== undefined) {
    return refuse('scim.value_invalid', 'unknown member', 'members: a value is the id of no user')
  }
  const groupId = next?.groupId ?? group?.groupId ?? ''
  const commits = [...users.values()].map((user) => {
    const others = (user.scim?.groups ?? []).filter((id) => id !== groupId)
    const isMember = next?.members.includes(user.userId) === true
    const mine = [...others.map((id) => groups.get(id)), isMember ? next : undefined]
    const known = mine.filter((each) => each !== undefined)
    return userCommit(user, withGroups(user, known, rolesOf), command)
  })
  const action = group === undefined ? 'created' : next === undefined ? 'deleted' : 'changed'
  return ok({ users: commits, audit: [{ action: `auth.group.${action}`, target: groupId }] })
}

/** A user in exactly these groups, with the roles they give. */
export function withGroups(user: User, groups: readonly Group[], rolesOf: (group: Group) => string[]): User {
  if (user.scim === null) return user
  const scim = { ...user.scim, groups: groups.map(({ groupId }) => groupId) }
  return withRolesFrom({ ...user, scim }, 'directory', groups.flatMap(rolesOf))
}

/** Takes somebody who is gone from the groups they were in. */
export async function forgetMember(
  deps: ScimGroupsDeps,
  command: Omit<ScimCommand, 'ifMatch'>,
  userId: UserId,
  groupIds: readonly string[],
): Promise<void> {
  for (const groupId of groupIds) {
    const left = await steps(deps, { ...command, ifMatch: () => ok(undefined) }, groupId, (group) =>
      group === undefined
        ? NO_GROUP
        : ok({
            displayName: group.displayName,
            externalId: group.externalId,
            members: group.members.filter((id) => id !== userId),
          }),
    )
    if (!left.ok && left.code !== 'resource.not_found')
      throw new Error(`a group was not left: ${left.detail}`)
  }
}
