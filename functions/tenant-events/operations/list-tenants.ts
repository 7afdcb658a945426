import { type TenantView, tenantView } from '../domain/views.ts'
import type { LifecycleDeps, TenantFilter } from '../ports.ts'

export type ListTenants = {
  readonly filter: TenantFilter
  readonly pageSize: number
  /** The position that the page before ended at. */
  readonly after: string | undefined
}

export type TenantPage = { readonly items: readonly TenantView[]; readonly next: string | undefined }

/** One page of all tenants, in order of their ids: a tenant created meanwhile neither repeats nor hides another. */
export async function listTenants(
  deps: Pick<LifecycleDeps, 'directory'>,
  { filter, pageSize, after }: ListTenants,
): Promise<TenantPage> {
  const page = await deps.directory.list(filter, pageSize, after)
  return { items: page.tenants.map(tenantView), next: page.next }
}
