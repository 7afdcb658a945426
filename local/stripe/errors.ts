import { randomBytes } from 'node:crypto'
import { type Answer, json } from '../loopback.ts'

export type StripeErrorBody = {
  readonly type: 'invalid_request_error' | 'card_error' | 'idempotency_error' | 'api_error'
  readonly message: string
  readonly code?: string
  readonly param?: string
  readonly decline_code?: string
}

/** What a refused request throws. `started` is false if the parameters were refused before any work. */
type StripeError = Error & {
  readonly status: number
  readonly body: StripeErrorBody
  readonly started: boolean
}

/** A failure as Stripe words it; `started` tells whether work had begun, so that its key remembers it. */
export function stripeError(status: number, body: StripeErrorBody, started = true): StripeError {
  return Object.assign(new Error(body.message), { status, body, started })
}

/** Whether an error was meant for the caller. */
export function isStripeError(error: unknown): error is StripeError {
  return error instanceof Error && 'body' in error && 'started' in error
}

export const missingResource = (noun: string, id: string, param = 'id'): StripeError =>
  stripeError(404, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message: `No such ${noun}: '${id}'`,
    param,
  })

export const badState = (message: string, code?: string): StripeError =>
  stripeError(400, { type: 'invalid_request_error', message, ...(code === undefined ? {} : { code }) })

export const badParameter = (message: string, param: string, code = 'parameter_invalid'): StripeError =>
  stripeError(400, { type: 'invalid_request_error', code, message, param }, false)

/** An id as Stripe makes them: a prefix that tells the kind and 24 letters and digits. */
export function newId(prefix: string): string {
  const text = randomBytes(36).toString('base64').replace(/[+/=]/g, '')
  return `${prefix}_${text.slice(0, 24)}`
}

/** The answer a caller gets for a failure; at 429 it may come again after a second. */
export function errorAnswer(
  status: number,
  body: StripeErrorBody,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const retry: Record<string, string> = status === 429 ? { 'retry-after': '1' } : {}
  return json(
    status,
    {
      error: {
        ...body,
        ...(body.code === undefined
          ? {}
          : { doc_url: `https://stripe.com/docs/error-codes/${body.code.replaceAll('_', '-')}` }),
      },
    },
    { ...retry, ...headers },
  )
}
