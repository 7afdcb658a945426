import type { Failure } from './operation.ts'

/** What one of Google's services answered instead of what was asked for (`google.rpc.Status`). */
export type CloudStatus = {
  /** The canonical name, such as `ALREADY_EXISTS`; empty when the answer has none. */
  readonly status: string
  /** The HTTP status; 0 over gRPC. */
  readonly code: number
  readonly message: string
  readonly retryAfterMs?: number
}

/** By canonical name: what would be the same next time, what waits for the world, what may pass. */
const KINDS: Readonly<Record<string, Failure['kind']>> = {
  INVALID_ARGUMENT: 'permanent',
  OUT_OF_RANGE: 'permanent',
  UNIMPLEMENTED: 'permanent',
  UNAUTHENTICATED: 'permanent',
  PERMISSION_DENIED: 'permanent',
  NOT_FOUND: 'permanent',
  // Something else is under way, or a version is not in the state it has to be in: looked at again.
  FAILED_PRECONDITION: 'wait',
  // A lost answer, or somebody was faster: the next look finds it.
  ALREADY_EXISTS: 'transient',
  ABORTED: 'transient',
}

const BY_HTTP: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  412: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  501: 'UNIMPLEMENTED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

/** Names for quotas in the words of a 403: it ends when others free something or the quota grows. */
const QUOTA = /quota|rate limit/i

/** Whether trying again may help, after the canonical codes of google.rpc.Code and the guides for each. */
export function classifyCloudFailure(told: CloudStatus): Failure {
  const status = told.status === '' ? (BY_HTTP[told.code] ?? `STATUS_${told.code}`) : told.status
  const quota = status === 'PERMISSION_DENIED' && QUOTA.test(told.message)
  return {
    kind: quota ? 'wait' : (KINDS[status] ?? 'transient'),
    code: quota ? 'cloud.quota_exceeded' : `cloud.${status.toLowerCase()}`,
    text: told.message.slice(0, 300),
    ...(told.retryAfterMs === undefined ? {} : { retryAfterMs: told.retryAfterMs }),
  }
}

/** No answer, or none that can be read: whether it took effect is not known, so the next try looks. */
export function cloudUnreachable(text: string): Failure {
  return { kind: 'transient', code: 'cloud.unreachable', text: text.slice(0, 300) }
}
