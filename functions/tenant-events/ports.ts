import type { Tier } from '#shared/catalogue/tiers.ts'
import type { Clock } from '#shared/clock.ts'
import type { TenantState } from '#shared/contracts/events/tenant-fact.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry, Committed } from '#shared/firestore/tenant-store.ts'
import type { Ids, TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { OutgoingEvent } from './domain/facts.ts'
import type { Operation } from './domain/operation.ts'
import type { Tenant } from './domain/tenant.ts'
import type { Standing, Timer, Work } from './domain/work.ts'
import type { CloudPorts } from './ports/cloud.ts'
import type { Cluster, ClusterPlace } from './ports/cluster.ts'
import type { Burial, PurgePorts } from './ports/purge.ts'

/** What becomes true together. Documents left out stay as they are. */
export type Change<T> = {
  readonly value: T
  readonly tenant?: Tenant
  /** New ones are created, those that were read are changed. */
  readonly operations?: readonly Operation[]
  readonly timers?: readonly Timer[]
  /** The tenant's end: its document and its operations go, and what stays of it is written. */
  readonly burial?: Burial
  readonly events?: readonly OutgoingEvent[]
  /** Facts among the events are written to the audit by themselves. */
  readonly audit?: readonly AuditEntry[]
}

/** One tenant's document and operations. Contention may run `decide` again: it computes and does nothing else. */
export type LifecycleStore = {
  findTenant(ctx: TenantContext): Promise<Tenant | undefined>
  findOperation(ctx: TenantContext, operationId: string): Promise<Operation | undefined>
  /** Creates a tenant and its first operation, if `decide` agrees once it knows whether the id is taken. */
  create<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    decide: (taken: { exists: boolean; tombstone: boolean }) => Result<NewTenant<T>>,
  ): Promise<Result<Committed<T>>>
  /** Changes a tenant's own document, if it is as `decide` saw it; a missing one is `resource.not_found`. */
  changeTenant<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    decide: (tenant: Tenant) => Result<Pick<Change<T>, 'value' | 'tenant' | 'events' | 'audit'>>,
  ): Promise<Result<Committed<T>>>
  /**
   * Changes a tenant and any of its operations that are not over, each only if it is as `decide` saw it;
   * `named` is read besides. Without a tenant `decide` is not asked: `resource.not_found`.
   */
  changeStanding<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    named: string | undefined,
    decide: (standing: Standing) => Result<Change<T>>,
  ): Promise<Result<Committed<T>>>
  /**
   * Changes a tenant and one of its operations, each only if it is as `decide` saw it. A tenant or
   * operation that does not exist is refused with `resource.not_found`.
   */
  change<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    operationId: string,
    decide: (work: Work) => Result<Change<T>>,
  ): Promise<Result<Committed<T>>>
}

export type NewTenant<T> = {
  readonly value: T
  readonly tenant: Tenant
  readonly operation: Operation
  readonly events: readonly OutgoingEvent[]
  readonly audit: readonly AuditEntry[]
}

export type TenantFilter = { readonly state?: TenantState; readonly tier?: Tier }

/** `next` is the id after which the next page starts; undefined on the last. */
export type DirectoryPage = { readonly tenants: readonly Tenant[]; readonly next: string | undefined }

/** All tenants' own documents: for operators' lists and the sweep, read only. */
export type TenantDirectory = {
  /** In order of their ids, after the id given. */
  list(filter: TenantFilter, pageSize: number, after: string | undefined): Promise<DirectoryPage>
  /** Tenants whose operation is due: parked long enough, or left by a worker. The longest due first. */
  due(nowMs: number, limit: number): Promise<readonly Tenant[]>
  /** One tenant, without the right to touch it: for the timers. */
  find(tenantId: TenantId): Promise<Tenant | undefined>
}

/** What is due in days or weeks. Timers are written with the commit that makes them needed. */
export type TimerBook = {
  /** The longest due first. */
  due(nowMs: number, limit: number): Promise<readonly Timer[]>
  /** Missing is success. */
  drop(timer: Timer): Promise<void>
}

/** What a step reaches besides Kubernetes and the tenant's own documents. */
export type World = CloudPorts & PurgePorts

/** Publishes work that no commit caused. Rejects when it may not have been published. */
export type WorkQueue = {
  enqueue(tenantId: TenantId, event: OutgoingEvent): Promise<void>
}

export type {
  AccessQuestion,
  Applied,
  Cluster,
  ClusterAnswer,
  ClusterKind,
  ClusterSelection,
  LiveObject,
} from './ports/cluster.ts'

/** What the operations of this group need. */
export type LifecycleDeps = {
  readonly store: LifecycleStore
  readonly directory: TenantDirectory
  readonly queue: WorkQueue
  readonly timers: TimerBook
  readonly world: World
  /**
   * The cluster of that name, or undefined when this function has no way to it. `place` is what was
   * ordered for a tenant that is placed there: clusters of its own are looked for by it.
   */
  readonly clusterNamed: (name: string, place?: ClusterPlace) => Cluster | undefined
  readonly clock: Clock
  readonly ids: Ids
  /** Milliseconds on a clock that only runs forward: what the platform counts an invocation's time by. */
  readonly elapsedMs: () => number
  /** How long an invocation may begin new steps. */
  readonly budgetMs: number
  /** The cluster that multi-tenant tenants are placed on. */
  readonly defaultCluster: string
}
