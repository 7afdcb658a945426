import { parseRetryAfter } from './backoff.ts'
import type { Outcome, Rejection, Transport } from './types.ts'

/** Longer than the service itself lets an answer take. */
const TIMEOUT_MS = 20_000
/** What may go better next time; every other refusal is for good. */
const PASSING: readonly number[] = [401, 408, 425, 429]

/**
 * Sends batches to `POST /v1/usage`.
 *
 * `token` gives an access token of the tenant with the scope `usage:write`; `fresh` says that the last one
 * was not accepted.
 */
export function httpTransport(options: {
  /** Such as `https://api.energent.ai`. */
  readonly url: string
  readonly token: (tenantId: string, options: { readonly fresh: boolean }) => Promise<string>
  readonly fetch?: typeof fetch
  readonly timeoutMs?: number
  readonly now?: () => number
}): Transport {
  const { token, timeoutMs = TIMEOUT_MS, now = Date.now } = options
  const call = options.fetch ?? fetch
  const url = new URL('/v1/usage', options.url)
  const refused = new Set<string>()
  return {
    send: async ({ tenantId, body, events }, signal) => {
      const fresh = refused.delete(tenantId)
      const authorization = `Bearer ${await token(tenantId, { fresh })}`
      const answer = await call(url, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/cloudevents-batch+json' },
        body: body as NonNullable<RequestInit['body']>,
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      })
      const text = await answer.text()
      if (answer.status === 401) refused.add(tenantId)
      if (answer.status >= 500 || PASSING.includes(answer.status)) {
        const afterMs = parseRetryAfter(answer.headers.get('retry-after'), now())
        return { kind: 'later', why: `HTTP ${answer.status}`, afterMs }
      }
      return outcomeOf(answer.status, text, events)
    },
  }
}

function outcomeOf(status: number, text: string, events: number): Outcome {
  const json = objectOf(text)
  const rejected = rejectionsOf(json?.['rejected'], events)
  if (status === 202) {
    // Whatever stands in the way and says 202 is not the service.
    if (json?.['accepted'] !== events - rejected.length) return { kind: 'later', why: 'an answer of no kind' }
    return { kind: 'taken', rejected }
  }
  if (status === 400 && rejected.length === events) return { kind: 'taken', rejected }
  const code = typeof json?.['code'] === 'string' ? json['code'] : `http.${status}`
  const detail = typeof json?.['detail'] === 'string' ? json['detail'] : `HTTP ${status}`
  // A success, or a redirect, that is none of ours.
  if (status < 400) return { kind: 'later', why: detail }
  return { kind: 'refused', code, detail }
}

function rejectionsOf(raw: unknown, events: number): readonly Rejection[] {
  if (!Array.isArray(raw)) return []
  const byIndex = new Map<number, Rejection>()
  for (const { index, code, detail } of raw as readonly Partial<Rejection>[]) {
    if (!Number.isInteger(index) || Number(index) < 0 || Number(index) >= events) continue
    byIndex.set(Number(index), { index: Number(index), code: String(code), detail: String(detail) })
  }
  return [...byIndex.values()]
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
