import type { Group } from '#shared/catalogue/functions.ts'
import { CHAINED_GROUPS, SYSTEM_COLLECTIONS } from '#shared/firestore/paths.ts'
import type { StoreCall } from './recording-proxy.ts'

/** On whose behalf a group is at work, and so what it may name. */
export type Acting = {
  /** Whom a message names that nobody could prove: whether they are gone for good may be asked, no more. */
  readonly named?: readonly string[]
  /** Tenants whose documents may be read and written. */
  readonly tenants: readonly string[]
  /** The tenant of the caller's token: its `auth_state/current` may be read, to verify the token. */
  readonly verifying?: string
  /** Whether an operator's list or the sweep may run over the tenants' own documents. */
  readonly listing?: boolean
}

const WRITING_RPCS = new Set([
  'Commit',
  'BatchWrite',
  'CreateDocument',
  'UpdateDocument',
  'DeleteDocument',
  'Write',
])
const SAFE_SEGMENT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/
/** Values are data and may say anything; only names lead anywhere. */
const CHAINS: readonly string[] = CHAINED_GROUPS.map((group) => `${group}_chain`)

const DATA_KEYS = new Set(['stringValue', 'bytesValue'])

/** Every document or collection that a request names, below the database's root. */
export function namesIn(call: StoreCall): string[] {
  const names: string[] = []
  const walk = (value: unknown): void => {
    if (typeof value === 'string') {
      const at = value.indexOf('/documents/')
      if (at >= 0) names.push(value.slice(at + '/documents/'.length))
    } else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
      for (const [key, member] of Object.entries(value)) if (!DATA_KEYS.has(key)) walk(member)
    }
  }
  const { parent, structuredQuery, structuredAggregationQuery, ...rest } = call.request as Query
  walk(rest)
  const query = structuredQuery ?? structuredAggregationQuery?.structuredQuery
  walk(query)
  const below = parent?.split('/documents/')[1]
  for (const { collectionId, allDescendants } of query?.from ?? []) {
    const path = below === undefined ? (collectionId ?? '') : `${below}/${collectionId}`
    // Looking below every document is a name of its own, which nothing allows.
    names.push(allDescendants === true ? `${path}/**` : path)
  }
  if (query !== undefined && (query.from ?? []).length === 0) names.push(`${below ?? ''}/**`)
  return names
}

type From = { readonly collectionId?: string; readonly allDescendants?: boolean }
type Query = {
  readonly parent?: string
  readonly structuredQuery?: { readonly from?: readonly From[] }
  readonly structuredAggregationQuery?: { readonly structuredQuery?: { readonly from?: readonly From[] } }
}

/** What in a call does not belong to whom the group is acting for; empty when all is well. */
export function trespasses(group: Group, call: StoreCall, acting: Acting): string[] {
  const writes = WRITING_RPCS.has(call.rpc)
  return [
    ...namesIn(call)
      .filter((name) => !mayName(group, name, acting, writes))
      .map((name) => `${group} ${call.rpc} ${name}`),
    ...foreignRows(call, acting).map((name) => `${group} ${call.rpc} ${name} is another tenant's`),
  ]
}

function mayName(group: Group, name: string, acting: Acting, writes: boolean): boolean {
  const segments = name.split('/')
  if (!segments.every((segment) => SAFE_SEGMENT.test(segment))) return false
  const [top = '', tenant = '', collection = '', id] = segments
  if (top === 'tenants') {
    if (acting.listing === true && group === 'lifecycle' && !writes && segments.length <= 2) return true
    if (collection === '') return group === 'lifecycle' && acting.tenants.includes(tenant)
    if (acting.verifying === tenant && !writes && collection === 'auth_state' && id === 'current') return true
    return acting.tenants.includes(tenant) && collection.startsWith(`${group}_`)
  }
  if (top === 'tenantAudit') {
    // The sweep chains what the tenants' commits have sealed.
    if (acting.listing === true && CHAINS.includes(collection)) return collection === `${group}_chain`
    return acting.tenants.includes(tenant) && [`${group}_segments`, `${group}_chain`].includes(collection)
  }
  // Who verifies a token reads what was revoked, of all tenants; auth alone writes it.
  if (top === 'authFeed') return segments[2] === 'entries' && (group === 'auth' || !writes)
  // Whether a tenant is gone for good anybody may ask, of the one they act for; lifecycle alone says so.
  if (top === 'tombstones' && group !== 'lifecycle')
    return !writes && (acting.tenants.includes(tenant) || acting.named?.includes(tenant) === true)
  return SYSTEM_COLLECTIONS[group].includes(top)
}

type WireWrite = {
  readonly update?: {
    readonly name?: string
    readonly fields?: Record<string, { readonly stringValue?: string }>
  }
}

/** Documents of the shared collections carry their tenant as a field: it must be the caller's too. */
function foreignRows(call: StoreCall, acting: Acting): string[] {
  const { writes = [] } = call.request as { writes?: readonly WireWrite[] }
  return writes.flatMap(({ update }) => {
    const tenant = update?.fields?.['tenantId']?.stringValue
    return tenant === undefined || acting.tenants.includes(tenant) ? [] : [update?.name ?? '']
  })
}
