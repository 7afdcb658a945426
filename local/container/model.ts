/** A cluster as it was ordered; what it is now follows from the time. Times are of the stack's clock. */
export type ClusterRecord = {
  readonly name: string
  readonly location: string
  readonly labels: Readonly<Record<string, string>>
  /** What the order said of it beside that, as it was sent. */
  readonly ordered: Readonly<Record<string, unknown>>
  readonly uid: string
  readonly createdAtMs: number
  /** When it is ready, or when it is known that it could not be made. */
  readonly readyAtMs: number
  /** Why it cannot be made. */
  readonly broken?: string
  readonly deletion?: { readonly operation: string; readonly goneAtMs: number }
  /** Of its API server: PEM. */
  readonly certificate: string
  readonly key: string
}

export type OperationRecord = {
  readonly name: string
  readonly location: string
  readonly type: 'CREATE_CLUSTER' | 'DELETE_CLUSTER'
  readonly cluster: string
  readonly startedAtMs: number
  readonly doneAtMs: number
  readonly error?: string
}

export type ClusterStatus = 'PROVISIONING' | 'RUNNING' | 'STOPPING' | 'ERROR'

export function statusOf(cluster: ClusterRecord, nowMs: number): ClusterStatus {
  if (cluster.deletion !== undefined) return 'STOPPING'
  if (nowMs < cluster.readyAtMs) return 'PROVISIONING'
  return cluster.broken === undefined ? 'RUNNING' : 'ERROR'
}
