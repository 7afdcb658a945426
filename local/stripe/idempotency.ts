import { createHash } from 'node:crypto'
import type { Journal } from '../journal.ts'
import type { Answer, Call } from '../loopback.ts'
import { errorAnswer, isStripeError, stripeError } from './errors.ts'

const IDEMPOTENCY_SECONDS = 86_400

type Remembered = {
  readonly hash: string
  readonly path: string
  readonly at: number
  readonly requestId: string
  readonly answer: Answer
}

/**
 * Runs a POST once per key: the first answer is kept 24 hours and given again to the same request.
 *
 * An error found while reading the parameters is not kept, as nothing had begun.
 */
export function answerOnce(
  kept: { readonly journal: Journal; readonly nowSeconds: number },
  call: Call,
  key: string,
  requestId: string,
  run: () => Answer,
): Answer {
  if (key.length > 255)
    throw stripeError(
      400,
      { type: 'idempotency_error', message: 'Idempotency keys can be at most 255 characters' },
      false,
    )
  const { journal, nowSeconds } = kept
  const path = call.url.pathname
  const hash = createHash('sha256')
    .update(`${path}?${sorted(call.body.toString())}`)
    .digest('base64url')
  const before = journal.get(`idempotency/${key}`) as Remembered | undefined
  if (before !== undefined && nowSeconds - before.at < IDEMPOTENCY_SECONDS) {
    if (before.hash === hash) {
      const headers = {
        ...before.answer.headers,
        'idempotent-replayed': 'true',
        'original-request': before.requestId,
      }
      return { ...before.answer, headers }
    }
    const message =
      before.path === path
        ? `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`
        : `Keys for idempotent requests can only be used for the same endpoint they were first used for ('${before.path}' vs '${path}'). Try using a key other than '${key}' if you meant to execute a different request.`
    throw stripeError(400, { type: 'idempotency_error', message }, false)
  }
  const remember = (answer: Answer): Answer => {
    journal.set(`idempotency/${key}`, { hash, path, at: nowSeconds, requestId, answer })
    return answer
  }
  try {
    return remember(run())
  } catch (error) {
    if (isStripeError(error) && error.started) return remember(errorAnswer(error.status, error.body))
    throw error
  }
}

/** The order of parameters does not matter. */
const sorted = (form: string): string =>
  [...new URLSearchParams(form)]
    .map((pair) => pair.join('='))
    .sort()
    .join('&')
