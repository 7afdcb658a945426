import { z } from 'zod'
import { type Ids, ulid } from '#shared/ids.ts'
import { asRecord, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { isUserId, type UserId } from '../user.ts'
import { conform } from './resource.ts'
import { GROUP_KIND } from './schema.ts'

/** A group of the tenant's directory, as stored in `auth_groups/{groupId}`. */
export type Group = {
  readonly groupId: string
  readonly displayName: string
  readonly externalId: string | null
  readonly members: readonly UserId[]
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
}

/** What a directory says of a group. */
export type DirectoryGroup = Pick<Group, 'displayName' | 'externalId' | 'members'>

export const MOST_MEMBERS = 5_000
export const MOST_GROUPS = 500
const GROUP_ID = /^grp_[0-9A-HJKMNP-TV-Z]{26}$/

export function newGroupId(ids: Ids, nowMs: number): string {
  return `grp_${ulid(ids, nowMs)}`
}

export function isGroupId(value: unknown): value is string {
  return typeof value === 'string' && GROUP_ID.test(value)
}

export const parseGroup = parser<Group>(
  z.object({
    groupId: z.string(),
    displayName: z.string(),
    externalId: z.string().nullable(),
    members: z.array(z.string().transform((value) => value as UserId)),
    revision: z.number().int(),
    createdAt: z.number().int(),
    updatedAt: z.number().int(),
  }),
)

/** Reads a group. Its members are users: groups in groups would make everybody's roles a search. */
export function parseDirectoryGroup(raw: unknown): Result<DirectoryGroup> {
  const conformed = conform(GROUP_KIND, raw, MOST_MEMBERS)
  if (!conformed.ok) return conformed
  const { displayName, externalId, members = [] } = conformed.value
  if (typeof displayName !== 'string' || displayName.length > 256) {
    return refuse(
      'scim.value_invalid',
      'displayName',
      'displayName: is required, with at most 256 characters',
    )
  }
  const ids = (Array.isArray(members) ? members : []).map((member) => asRecord(member)?.['value'])
  const users = ids.filter(isUserId)
  if (users.length !== ids.length) {
    return refuse('scim.value_invalid', 'members', 'members: each value is the id of a user')
  }
  return ok({
    displayName,
    externalId: typeof externalId === 'string' ? externalId : null,
    members: [...new Set(users)],
  })
}
