import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Operation } from '../domain/operation.ts'
import type { AuditedEntry } from '../domain/timeline.ts'

/** `next` is the position after which the next page starts; undefined on the last. */
export type HistoryPage<T> = { readonly items: readonly T[]; readonly next: string | undefined }

/** What has happened to a tenant, the newest first. Nothing that comes meanwhile moves a page. */
export type TenantHistory = {
  operations(ctx: TenantContext, pageSize: number, after: string | undefined): Promise<HistoryPage<Operation>>
  /** From the sealed segments of lifecycle's audit: they are there after a purge, too. */
  entries(ctx: TenantContext, pageSize: number, after: string | undefined): Promise<HistoryPage<AuditedEntry>>
}
