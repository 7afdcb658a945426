import type { Failure } from './operation.ts'

/** What the API server answered instead of what was asked for (`metav1.Status`). */
export type ClusterStatus = {
  readonly code: number
  readonly reason: string
  readonly message: string
  /** `details.causes`. */
  readonly causes: readonly { readonly reason: string; readonly message: string }[]
  readonly retryAfterMs?: number
}

/** The objects carry a higher revision than the tenant: an executor is late, or somebody wrote it there. */
export const STALE_REVISION = 'cluster.stale_revision'

/** How the API server words a mistake of ours that it answers with 500. */
const OUR_MISTAKE = ['not declared in schema', 'failed to create typed patch object']

/**
 * Whether trying again may help, after what a real 1.30 API server does (tenancy.md §9).
 *
 * Permanent: what we sent is wrong or not allowed. Wait: the namespace is on its way out or full.
 * Transient: somebody else wrote, too many asked, or the server is unwell.
 */
export function classifyClusterFailure(status: ClusterStatus): Failure {
  const kind = kindOf(status)
  const code = isStale(status)
    ? STALE_REVISION
    : `cluster.${status.reason === '' ? `status_${status.code}` : snakeCase(status.reason)}`
  return {
    kind,
    code,
    text: status.message,
    ...(status.retryAfterMs === undefined ? {} : { retryAfterMs: status.retryAfterMs }),
  }
}

/** The fence around our account found a higher `energent.ai/spec-rev` on the object than the one sent. */
function isStale({ code, message }: ClusterStatus): boolean {
  return (
    code === 422 &&
    message.includes("ValidatingAdmissionPolicy 'tenant-events-fence'") &&
    message.endsWith('denied request: stale spec-rev')
  )
}

/** No answer, or none that can be read: whether it took effect is not known, so the next try looks. */
export function clusterUnreachable(text: string): Failure {
  return { kind: 'transient', code: 'cluster.unreachable', text }
}

function kindOf({ code, reason, message, causes }: ClusterStatus): Failure['kind'] {
  if (code === 403) {
    const terminating = causes.some((cause) => cause.reason === 'NamespaceTerminating')
    return terminating || message.includes('exceeded quota') ? 'wait' : 'permanent'
  }
  if (code === 409) {
    return reason === 'AlreadyExists' && message.includes('object is being deleted') ? 'wait' : 'transient'
  }
  // A list that took too long to read to its end is read anew.
  if (code === 410 && reason === 'Expired') return 'transient'
  if (code === 429 || code === 408) return 'transient'
  if (code === 500) return OUR_MISTAKE.some((words) => message.includes(words)) ? 'permanent' : 'transient'
  return code >= 500 ? 'transient' : 'permanent'
}

function snakeCase(reason: string): string {
  return reason.replace(/(?<=[a-z])[A-Z]/g, '_$&').toLowerCase()
}
