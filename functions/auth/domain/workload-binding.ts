import type { TenantScope } from '#shared/catalogue/scopes.ts'
import type { TenantFact } from '#shared/contracts/events/tenant-fact.ts'
import { hashedId } from '#shared/ids.ts'

/** Which Kubernetes service account may have a tenant's tokens, and with which scopes. */
export type WorkloadBinding = {
  readonly id: string
  readonly cluster: string
  readonly ns: string
  readonly sa: string
  readonly scopes: readonly TenantScope[]
  readonly createdAt: number
}

/** The service account that provisioning makes in every tenant's namespace. */
export const DEFAULT_SERVICE_ACCOUNT = 'tenant-workload'

/** What a workload needs: to run workflows, to report their usage, to learn of revocations. */
const DEFAULT_SCOPES: readonly TenantScope[] = ['workflows:use', 'usage:write', 'revocations:read']

/** The binding that a tenant starts with. Its id follows from what it binds, so it is made once. */
export function defaultBinding(fact: TenantFact, nowMs: number): WorkloadBinding {
  return {
    id: hashedId(fact.cluster, fact.namespace, DEFAULT_SERVICE_ACCOUNT),
    cluster: fact.cluster,
    ns: fact.namespace,
    sa: DEFAULT_SERVICE_ACCOUNT,
    scopes: DEFAULT_SCOPES,
    createdAt: nowMs,
  }
}
