import type { Tier } from '#shared/catalogue/tiers.ts'
import type { Clock } from '#shared/clock.ts'
import type { TenantState } from '#shared/contracts/events/tenant-fact.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { AuditEntry, Committed } from '#shared/firestore/tenant-store.ts'
import type { Ids, TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { OutgoingEvent } from './domain/facts.ts'
import type { ClusterObject } from './domain/kubernetes-objects.ts'
import type { Failure, Operation } from './domain/operation.ts'
import type { Work } from './domain/saga.ts'
import type { Tenant } from './domain/tenant.ts'

/** What becomes true together. Documents left out stay as they are. */
export type Change<T> = {
  readonly value: T
  readonly tenant?: Tenant
  readonly operation?: Operation
  readonly events?: readonly OutgoingEvent[]
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
    decide: (taken: { exists: boolean; tombstone: boolean }) => Result<Required<Change<T>>>,
  ): Promise<Result<Committed<T>>>
  /** Changes a tenant's own document, if it is as `decide` saw it; a missing one is `resource.not_found`. */
  changeTenant<T>(
    ctx: TenantContext,
    claim: Claim | undefined,
    decide: (tenant: Tenant) => Result<Omit<Change<T>, 'operation'>>,
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

export type TenantFilter = { readonly state?: TenantState; readonly tier?: Tier }

/** `next` is the id after which the next page starts; undefined on the last. */
export type DirectoryPage = { readonly tenants: readonly Tenant[]; readonly next: string | undefined }

/** All tenants' own documents: for operators' lists and the sweep, read only. */
export type TenantDirectory = {
  /** In order of their ids, after the id given. */
  list(filter: TenantFilter, pageSize: number, after: string | undefined): Promise<DirectoryPage>
  /** Tenants whose operation is due: parked long enough, or left by a worker. The longest due first. */
  due(nowMs: number, limit: number): Promise<readonly Tenant[]>
}

/** Publishes work that no commit caused. Rejects when it may not have been published. */
export type WorkQueue = {
  enqueue(tenantId: TenantId, event: OutgoingEvent): Promise<void>
}

export type ClusterAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure }

/** A live object, as far as we look into it. */
export type LiveObject = {
  readonly name: string
  readonly uid: string
  readonly labels: Readonly<Record<string, string>>
  readonly terminating: boolean
  /** The whole object, to compare with what was applied. */
  readonly body: Readonly<Record<string, unknown>>
}

export type Applied = {
  readonly object: LiveObject
  /** Managers whose fields were taken back: somebody changed the object beside us. */
  readonly takenFrom: readonly string[]
}

/** Which kind of objects, and where. */
export type ClusterKind = {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string
}

/**
 * A tenant cluster's API server. Failures are values: the saga writes them down and decides.
 * `signal` ends a call early; then it is not known whether it took effect.
 */
export type Cluster = {
  /** Server-side apply of the fields we own; fields others took are taken back and their owners named. */
  apply(object: ClusterObject, signal: AbortSignal): Promise<ClusterAnswer<Applied>>
  find(kind: ClusterKind, name: string, signal: AbortSignal): Promise<ClusterAnswer<LiveObject | undefined>>
  list(kind: ClusterKind, signal: AbortSignal): Promise<ClusterAnswer<readonly LiveObject[]>>
  /** Deletes this very object: one of the same name and another uid stays. Missing is success. */
  delete(kind: ClusterKind, name: string, uid: string, signal: AbortSignal): Promise<ClusterAnswer<void>>
  /** Whether the API server is ready; rejects when it is not. */
  ping(): Promise<void>
}

/** What the operations of this group need. */
export type LifecycleDeps = {
  readonly store: LifecycleStore
  readonly directory: TenantDirectory
  readonly queue: WorkQueue
  /** The cluster of that name, or undefined when this function has no way to it. */
  readonly clusterNamed: (name: string) => Cluster | undefined
  readonly clock: Clock
  readonly ids: Ids
  /** Milliseconds on a clock that only runs forward: what the platform counts an invocation's time by. */
  readonly elapsedMs: () => number
  /** How long an invocation may begin new steps. */
  readonly budgetMs: number
  /** The cluster that multi-tenant tenants are placed on. */
  readonly defaultCluster: string
}
