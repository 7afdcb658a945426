import type { RefusalCode } from './refusals.ts'

/**
 * What would be the same next time: a caller's mistake, a rule that says no.
 *
 * `code` is public and answers to `REFUSALS`; `detail` is for the log alone; `hint` is public text
 * that tells the caller what to do and never holds anything of another tenant.
 */
export type Refusal = {
  readonly ok: false
  readonly code: RefusalCode
  readonly detail: string
  readonly hint?: string
  /** With a code that asks for a more recent sign-in: how recent. */
  readonly maxAgeSeconds?: number
  /** With a code that says to come back: when, if that is known. */
  readonly retryAfterSeconds?: number
}

export type Ok<T> = { readonly ok: true; readonly value: T }

/** A value or a refusal. What may go better next time is thrown instead. */
export type Result<T> = Ok<T> | Refusal

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value }
}

export function refuse(code: RefusalCode, detail: string, hint?: string): Refusal {
  return hint === undefined ? { ok: false, code, detail } : { ok: false, code, detail, hint }
}

/** A refusal that says when to come back. */
export function retryLater(refusal: Refusal, seconds: number): Refusal {
  return { ...refusal, retryAfterSeconds: Math.max(1, Math.ceil(seconds)) }
}
