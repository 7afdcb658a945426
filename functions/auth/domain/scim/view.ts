import { asRecord } from '#shared/json.ts'
import { ok, type Result } from '#shared/result.ts'
import type { User } from '../user.ts'
import type { Group } from './group.ts'
import { parseAttributeList } from './patch.ts'
import { attributesAt, type Resource } from './resource.ts'
import { type Attribute, ENTERPRISE_SCHEMA, GROUP_SCHEMA, type ResourceKind, USER_SCHEMA } from './schema.ts'

/** The weak tag of a resource (RFC 7644 §3.14). */
export function versionOf(revision: number): string {
  return `W/"${revision}"`
}

/** A user as their directory sees them. `attributes` is what it sent, opened. */
export function userResource(
  base: string,
  user: User,
  attributes: Resource,
  groups: readonly Pick<Group, 'groupId' | 'displayName'>[],
): Resource {
  const schemas =
    attributes[ENTERPRISE_SCHEMA] === undefined ? [USER_SCHEMA] : [USER_SCHEMA, ENTERPRISE_SCHEMA]
  return {
    schemas,
    id: user.userId,
    ...attributes,
    active: user.status === 'active',
    ...(groups.length === 0
      ? {}
      : {
          groups: groups.map(({ displayName, groupId }) => ({
            value: groupId,
            display: displayName,
            $ref: `${base}/Groups/${groupId}`,
          })),
        }),
    meta: metaOf('User', `${base}/Users/${user.userId}`, user),
  }
}

export function groupResource(base: string, group: Group): Resource {
  return {
    schemas: [GROUP_SCHEMA],
    id: group.groupId,
    ...(group.externalId === null ? {} : { externalId: group.externalId }),
    displayName: group.displayName,
    ...(group.members.length === 0
      ? {}
      : {
          members: group.members.map((userId) => ({
            value: userId,
            $ref: `${base}/Users/${userId}`,
            type: 'User',
          })),
        }),
    meta: metaOf('Group', `${base}/Groups/${group.groupId}`, group),
  }
}

function metaOf(
  resourceType: string,
  location: string,
  { createdAt, revision, updatedAt }: Pick<Group, 'createdAt' | 'revision' | 'updatedAt'>,
) {
  return {
    resourceType,
    created: new Date(createdAt).toISOString(),
    lastModified: new Date(updatedAt).toISOString(),
    location,
    version: versionOf(revision),
  }
}

/** Which attributes of an answer a caller wants. */
export type Projection = (resource: Resource) => Resource

/**
 * Reads `attributes` and `excludedAttributes` (RFC 7644 §3.9). `id` and `schemas` always come; names that
 * no schema has mean nothing.
 */
export function parseProjection(
  kind: ResourceKind,
  attributes: string | undefined,
  excluded: string | undefined,
): Result<Projection> {
  const wanted = attributes === undefined ? undefined : chains(kind, attributes)
  const unwanted = excluded === undefined ? undefined : chains(kind, excluded)
  if (wanted?.ok === false) return wanted
  if (unwanted?.ok === false) return unwanted
  return ok((resource) => {
    if (wanted !== undefined) return only(resource, wanted.value)
    return unwanted === undefined ? resource : without(resource, unwanted.value)
  })
}

type Chain = readonly Attribute[]

function chains(kind: ResourceKind, list: string): Result<readonly Chain[]> {
  const paths = parseAttributeList(list)
  if (!paths.ok) return paths
  const found: Chain[] = []
  for (const path of paths.value) {
    if (!path.ok) return path
    const chain = attributesAt(kind, path.value)
    if (chain !== undefined) found.push(chain)
  }
  return ok(found)
}

function only(resource: Resource, wanted: readonly Chain[]): Resource {
  const kept: Record<string, unknown> = { schemas: resource['schemas'], id: resource['id'] }
  for (const [top, below] of wanted) {
    const value = top === undefined ? undefined : resource[top.name]
    if (top === undefined || value === undefined) continue
    kept[top.name] = below === undefined ? value : { ...asRecord(kept[top.name]), ...part(value, below) }
    if (below !== undefined && Array.isArray(value)) kept[top.name] = value.map((each) => part(each, below))
  }
  return kept
}

function part(value: unknown, attribute: Attribute): Record<string, unknown> {
  const member = asRecord(value)?.[attribute.name]
  return member === undefined ? {} : { [attribute.name]: member }
}

function without(resource: Resource, unwanted: readonly Chain[]): Resource {
  const left: Record<string, unknown> = { ...resource }
  for (const [top, below] of unwanted) {
    if (top === undefined || top.name === 'id') continue
    const value = left[top.name]
    if (below === undefined) delete left[top.name]
    else if (Array.isArray(value)) left[top.name] = value.map((each) => dropped(each, below))
    else if (asRecord(value) !== undefined) left[top.name] = dropped(value, below)
  }
  return left
}

function dropped(value: unknown, attribute: Attribute): Record<string, unknown> {
  const { [attribute.name]: _gone, ...rest } = asRecord(value) ?? {}
  return rest
}
