import type { Group } from '../catalogue/functions.ts'
import type { Parse } from '../json.ts'
import { ok, type Result } from '../result.ts'
import type { Database } from './database.ts'
import { type Filter, type ListOptions, listDocuments } from './scoped.ts'
import type { SystemScope } from './system.ts'

export type TenantIndexQuery = {
  /** On fields of the tenants' own documents. Equality needs no index of its own. */
  readonly where?: readonly Filter[]
  /** A field to sort by, ascending; the tenant id unless given. */
  readonly orderBy?: string
  readonly limit: number
  /** The tenant id after which to start; only when sorted by it. */
  readonly after?: string
}

/**
 * The tenants' own documents across tenants: the one look from above, for operators' lists and the
 * sweep. It reads what the lifecycle itself wrote about each tenant and nothing below it, it cannot
 * write, and what it returns cannot be used in a tenant's commit.
 */
export type TenantIndex = {
  /** A document that does not parse is returned as its refusal: one bad tenant must not hide the others. */
  list<T>(
    query: TenantIndexQuery,
    parse: Parse<T>,
  ): Promise<readonly { readonly id: string; readonly parsed: Result<T> }[]>
}

/** Throws for every group but the one that owns the documents. */
export function tenantIndex(database: Database, group: Group): TenantIndex {
  if (group !== 'lifecycle') throw new TypeError(`${group} may not list tenants`)
  return {
    list: async <T>(query: TenantIndexQuery, parse: Parse<T>) => {
      if (query.orderBy !== undefined && query.after !== undefined) {
        throw new TypeError('a start after a tenant id needs the order of tenant ids')
      }
      const options: ListOptions = {
        where: query.where ?? [],
        orderBy: [[query.orderBy ?? '__name__', 'asc']],
        limit: query.limit,
        ...(query.after === undefined ? {} : { startAfter: [query.after] }),
      }
      const found = await listDocuments<SystemScope, Result<T>>(database, 'tenants', options, (raw) =>
        ok(parse(raw)),
      )
      return found.map(({ id, value }) => ({ id, parsed: value }))
    },
  }
}
