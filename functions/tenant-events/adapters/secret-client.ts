import { CALL_DEADLINE_MS, withDeadline } from '#shared/deadline.ts'
import { type SecretManager, secretManager } from '#shared/secrets.ts'
import { classifyCloudFailure, cloudUnreachable } from '../domain/cloud-failure.ts'
import type { CloudAnswer } from '../ports/cloud.ts'

/** Runs one call of the official client; what it rejects with is a failure, not an exception. */
export type SecretCall = <T>(
  what: string,
  signal: AbortSignal,
  work: (client: SecretManager) => Promise<T>,
) => Promise<CloudAnswer<T>>

/** Canonical names by gRPC code. */
const CODES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]

/** The official client of Secret Manager, loaded with the first call. */
export function secretCalls(emulatorHost: string | undefined): SecretCall {
  const open = secretManager(emulatorHost)
  return async (what, signal, work) => {
    try {
      signal.throwIfAborted()
      return { ok: true, value: await withDeadline(what, CALL_DEADLINE_MS, work(await open())) }
    } catch (error) {
      return { ok: false, failure: failureOf(error) }
    }
  }
}

function failureOf(error: unknown) {
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const status = typeof code === 'number' ? CODES[code] : undefined
  if (status === undefined) return cloudUnreachable(message)
  return classifyCloudFailure({ status, code: 0, message })
}
