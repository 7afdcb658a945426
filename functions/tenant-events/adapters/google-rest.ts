import { CALL_DEADLINE_MS, signalAfter } from '#shared/deadline.ts'
import { asRecord } from '#shared/json.ts'
import type { AccessTokenSource } from '#shared/metadata-token.ts'
import { classifyCloudFailure, cloudUnreachable } from '../domain/cloud-failure.ts'
import type { CloudAnswer } from '../ports/cloud.ts'

export type RestRequest = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Path and query below the service's address. */
  readonly path: string
  readonly body?: object
  readonly signal: AbortSignal
}

export type RestBody = Readonly<Record<string, unknown>>

/** One call to a service of Google's; the JSON object of its answer, or why there is none. */
export type GoogleRest = (request: RestRequest) => Promise<CloudAnswer<RestBody>>

type Reply = { readonly status: number; readonly retryAfterMs: number | undefined; readonly body: RestBody }

/**
 * A service's REST API with the function's own account, within the deadline of a call.
 *
 * Nothing is repeated but a call that was refused for its token, once, with a new one. Redirects are
 * errors: the token would go along.
 */
export function googleRest(apiUrl: string, tokens: AccessTokenSource): GoogleRest {
  const attempt = async ({ body, method, path, signal }: RestRequest): Promise<Reply> => {
    const limit = AbortSignal.any([signal, signalAfter(CALL_DEADLINE_MS)])
    const response = await fetch(`${apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await tokens.token(limit)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: limit,
    })
    const seconds = Number(response.headers.get('retry-after'))
    const text = await response.text()
    return {
      status: response.status,
      retryAfterMs: seconds > 0 ? seconds * 1000 : undefined,
      body: parseBody(text, response.ok),
    }
  }
  return async (request) => {
    try {
      let reply = await attempt(request)
      if (reply.status === 401) {
        tokens.forget()
        reply = await attempt(request)
      }
      return answerOf(reply)
    } catch (error) {
      return { ok: false, failure: cloudUnreachable(messageOf(error)) }
    }
  }
}

/** Undefined in place of what is not there. */
export function unlessMissing<T>(answer: CloudAnswer<T>): CloudAnswer<T | undefined> {
  return !answer.ok && answer.failure.code === 'cloud.not_found' ? { ok: true, value: undefined } : answer
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function answerOf({ body, retryAfterMs, status: code }: Reply): CloudAnswer<RestBody> {
  if (code >= 200 && code < 300) return { ok: true, value: body }
  const error = asRecord(body['error'])
  const status = textOf(error?.['status'])
  const message = textOf(error?.['message']) || `answered ${code}`
  const told = { status, code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  return { ok: false, failure: classifyCloudFailure(told) }
}

/** A success that cannot be read is none; a refusal may come from a proxy that speaks no JSON. */
function parseBody(text: string, success: boolean): RestBody {
  try {
    const body = asRecord(JSON.parse(text === '' ? '{}' : text))
    if (body !== undefined) return body
  } catch (error) {
    if (success) throw error
  }
  if (success) throw new Error('the answer is not a JSON object')
  return {}
}

/** `fetch` hides the reason, such as ECONNREFUSED, in the cause. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
