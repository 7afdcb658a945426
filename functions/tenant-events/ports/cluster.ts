import type { DeploymentModel } from '#shared/catalogue/tiers.ts'
import type { AccessQuestion } from '../domain/access.ts'
import type { ClusterObject } from '../domain/kubernetes-objects.ts'
import type { Failure } from '../domain/operation.ts'

export type { AccessQuestion }

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

/** The objects of a kind, or those of them that carry all the labels. */
export type ClusterSelection = ClusterKind & { readonly labels?: Readonly<Record<string, string>> }

/** What leads to the cluster of a tenant that has one of its own, or brings its own. */
export type ClusterPlace = { readonly deploymentModel: DeploymentModel; readonly region: string }

/**
 * A tenant cluster's API server. Failures are values: the saga writes them down and decides.
 * `signal` ends a call early; then it is not known whether it took effect.
 */
export type Cluster = {
  /** Server-side apply of the fields we own; fields others took are taken back and their owners named. */
  apply(object: ClusterObject, signal: AbortSignal): Promise<ClusterAnswer<Applied>>
  /** What `apply` would make of the object and take from whom, changing nothing (`dryRun=All`). */
  preview(object: ClusterObject, signal: AbortSignal): Promise<ClusterAnswer<Applied>>
  find(kind: ClusterKind, name: string, signal: AbortSignal): Promise<ClusterAnswer<LiveObject | undefined>>
  /** All of them, however many pages that takes. Items do not repeat their kind. */
  list(selection: ClusterSelection, signal: AbortSignal): Promise<ClusterAnswer<readonly LiveObject[]>>
  /**
   * Deletes this very object: one of the same name and another uid stays. Missing is success.
   * `graceSeconds` is how long a pod may take to end; its own setting unless given. With `version` the object
   * stays if it is not as it was when it was read.
   */
  delete(
    kind: ClusterKind,
    name: string,
    uid: string,
    signal: AbortSignal,
    graceSeconds?: number,
    version?: string,
  ): Promise<ClusterAnswer<void>>
  /** What the server's roles answer each question (SubjectAccessReview), in their order. */
  review(
    questions: readonly AccessQuestion[],
    signal: AbortSignal,
  ): Promise<ClusterAnswer<readonly boolean[]>>
  /** Whether the API server is ready; rejects when it is not. */
  ping(): Promise<void>
}
