import { StackError } from './options.ts'

/** An answer of the gateway. */
export type Answer<T = Record<string, unknown>> = {
  readonly status: number
  readonly headers: Headers
  readonly body: T
}

export type Credentials = { readonly clientId: string; readonly clientSecret: string }

/** Calls the API as a user would: over HTTP, through the gateway. */
export type ApiClient = {
  /** An access token by client credentials. */
  token(credentials: Credentials): Promise<string>
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
}

type CallOptions = {
  readonly token?: string
  readonly json?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const CALL_LIMIT_MS = 20_000

export function apiClient(gatewayUrl: string): ApiClient {
  const call = async (method: string, path: string, options: CallOptions = {}): Promise<Answer> => {
    const answer = await fetch(`${gatewayUrl}${path}`, {
      method,
      headers: {
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...(options.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
    })
    return { status: answer.status, headers: answer.headers, body: parse(await answer.text()) }
  }
  return {
    call,
    token: async ({ clientId, clientSecret }) => {
      const answer = await fetch(`${gatewayUrl}/oauth2/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
        signal: AbortSignal.timeout(CALL_LIMIT_MS),
      })
      const body = parse(await answer.text())
      const token = body['access_token']
      if (answer.status !== 200 || typeof token !== 'string') {
        throw new StackError(`No token for ${clientId}: ${answer.status} ${JSON.stringify(body)}`)
      }
      return token
    },
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : { value }
  } catch {
    return { text }
  }
}
