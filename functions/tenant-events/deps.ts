import type { DeadLetterDeps } from './operations/dead-letters.ts'
import type { RunSweepDeps } from './operations/run-sweep.ts'
import type { TenantHistory } from './ports/history.ts'
import type { LifecycleDeps } from './ports.ts'

/** What the API needs beyond what operations on tenants need. */
export type ApiDeps = LifecycleDeps & DeadLetterDeps & RunSweepDeps & { readonly history: TenantHistory }
