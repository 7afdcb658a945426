import type { TenantId } from '#shared/ids.ts'
import type { Failure } from '../domain/operation.ts'
import type { TenantKey } from '../domain/tenant-key.ts'

export type { KeyVersion, KeyVersionState, TenantKey } from '../domain/tenant-key.ts'

/**
 * What a call to the cloud came to. Failures are values: the saga writes them down and decides. A call
 * without an answer is a transient failure and may have taken effect, so every step looks before it acts.
 */
export type CloudAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure }

/** The tenants' keys in Cloud KMS: destroying a tenant's key shreds what it wraps. */
export type KmsPort = {
  /** The key with all its versions; undefined when there is none. */
  find(tenantId: TenantId, signal: AbortSignal): Promise<CloudAnswer<TenantKey | undefined>>
  /** Makes the key with a first version; one that is there is success (adopted) and stays as it is. */
  create(tenantId: TenantId, signal: AbortSignal): Promise<CloudAnswer<void>>
  /** Adds a version and makes it the primary one: what becomes of a key that has none to encrypt with. */
  addPrimary(tenantId: TenantId, signal: AbortSignal): Promise<CloudAnswer<void>>
  /** Takes a version out of use or puts it back; only an enabled or disabled one can be. */
  setEnabled(version: string, enabled: boolean, signal: AbortSignal): Promise<CloudAnswer<void>>
  /** Schedules destruction after the key's waiting time; a version already scheduled or destroyed is success. */
  destroy(version: string, signal: AbortSignal): Promise<CloudAnswer<void>>
  /** Takes a scheduled destruction back; the version is disabled then. */
  restore(version: string, signal: AbortSignal): Promise<CloudAnswer<void>>
  /** Takes a destroyed version out of all lists; one that is out is success. */
  deleteVersion(version: string, signal: AbortSignal): Promise<CloudAnswer<void>>
  /** Deletes a key without versions; its name can never be a key's again. One that is gone is success. */
  deleteKey(tenantId: TenantId, signal: AbortSignal): Promise<CloudAnswer<void>>
}

/** A secret of a tenant's own: a name that workloads refer to. Its values are never read here. */
export type TenantSecret = {
  /** `projects/…/secrets/…`. */
  readonly name: string
}

/** Secrets that carry a tenant's label; others are not seen and not touched. */
export type SecretsPort = {
  /** In order of their names. */
  list(tenantId: TenantId, signal: AbortSignal): Promise<CloudAnswer<readonly TenantSecret[]>>
  /**
   * Makes the secret with the tenant's label and without a value; one that is there with the label is
   * adopted, one without it is `cloud.secret_foreign`.
   */
  ensure(tenantId: TenantId, secretId: string, signal: AbortSignal): Promise<CloudAnswer<void>>
  /** Deletes the secret with all its versions; missing is success. */
  delete(name: string, signal: AbortSignal): Promise<CloudAnswer<void>>
}

/**
 * IAM policies of a tenant's own resources. A policy is read, changed and written back with its etag, so
 * that nobody's change beside us is lost: `cloud.aborted` says that somebody's came between.
 */
export type IamPort = {
  /** Whether the tenant's workload has any role on the secret; a secret that is gone gives nobody one. */
  isBound(tenantId: TenantId, secret: string, signal: AbortSignal): Promise<CloudAnswer<boolean>>
  /** Lets the tenant's workload read the secret; it stays one entry however often it is asked for. */
  bind(tenantId: TenantId, secret: string, signal: AbortSignal): Promise<CloudAnswer<void>>
  /** Takes the workload out of every role on the secret; a secret that is gone is success. */
  unbind(tenantId: TenantId, secret: string, signal: AbortSignal): Promise<CloudAnswer<void>>
}

/** `error`: it can only be deleted. */
export type ClusterState = 'provisioning' | 'running' | 'stopping' | 'error'

/** How the API server of a cluster is reached. */
export type ClusterAddress = {
  /** Without a path at its end; requests are appended. */
  readonly url: string
  /** PEM of the authority to pin; null trusts the system's roots (DNS endpoint, Connect gateway). */
  readonly caCertificate: string | null
}

/** A cluster of the Container API, or a membership of the fleet. */
export type CloudCluster = {
  readonly name: string
  readonly state: ClusterState
  /** The `tenant-id` label; null when it has none. */
  readonly tenantId: string | null
  /** Null until there is one. */
  readonly address: ClusterAddress | null
}

export type CloudOperation = {
  readonly done: boolean
  /** What the operation failed with, for operators; null while it runs and when it succeeded. */
  readonly error: string | null
}

export type ClusterOrder = {
  readonly tenantId: TenantId
  readonly name: string
  /** Region of Google Cloud. */
  readonly location: string
}

/** Clusters of one tenant each. What takes minutes answers the name of an operation that is asked for later. */
export type ClustersPort = {
  /** Undefined when there is none. */
  find(name: string, location: string, signal: AbortSignal): Promise<CloudAnswer<CloudCluster | undefined>>
  /** Begins to make it, labelled. One of the name that is there fails with `cloud.already_exists`. */
  create(order: ClusterOrder, signal: AbortSignal): Promise<CloudAnswer<{ readonly operation: string }>>
  /** Begins to delete it; null when there is none. */
  delete(
    name: string,
    location: string,
    signal: AbortSignal,
  ): Promise<CloudAnswer<{ readonly operation: string } | null>>
  /** Undefined when it is forgotten: only the cluster itself tells then. */
  operation(
    name: string,
    location: string,
    signal: AbortSignal,
  ): Promise<CloudAnswer<CloudOperation | undefined>>
}

/** Clusters that customers run themselves and have registered in our fleet. */
export type MembershipsPort = {
  find(name: string, signal: AbortSignal): Promise<CloudAnswer<CloudCluster | undefined>>
  /** Begins to take it out of the fleet; the cluster itself stays. Missing is success. */
  delete(name: string, signal: AbortSignal): Promise<CloudAnswer<void>>
}

/** What of the cloud the steps look at and change. */
export type CloudPorts = {
  readonly kms: KmsPort
  readonly iam: IamPort
  readonly secrets: SecretsPort
  readonly clusters: ClustersPort
  readonly memberships: MembershipsPort
}
