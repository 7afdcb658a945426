import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { asRecord } from '#shared/json.ts'

export type KubernetesRequest = {
  readonly method: 'GET' | 'PATCH' | 'POST' | 'DELETE'
  /** Path and query below the API server's address. */
  readonly path: string
  readonly token: string
  readonly body?: { readonly contentType: string; readonly value: unknown }
  readonly signal: AbortSignal
}

export type KubernetesReply = {
  readonly status: number
  readonly retryAfterMs: number | undefined
  /** The JSON object of the answer; empty when the body is none. */
  readonly body: Readonly<Record<string, unknown>>
}

/** One exchange with the API server; rejects when no whole answer came. */
export type KubernetesTransport = (request: KubernetesRequest) => Promise<KubernetesReply>

/** How long a call may take before it is given up. */
export const CALL_LIMIT_MS = 10_000
/** More than any answer about one tenant's objects; a larger one is not read on. */
const MOST_ANSWER_BYTES = 8 * 1024 * 1024

/**
 * Talks to one API server over kept-alive connections, trusting only the cluster's own authority when
 * one is given, as PEM or as a file of it: a certificate of a public authority for the same address is
 * then refused.
 *
 * Node's own client rather than `fetch`, which cannot pin an authority.
 */
export function kubernetesTransport(options: {
  readonly url: string
  readonly caFile?: string | undefined
  readonly caCertificate?: string | null | undefined
}): KubernetesTransport {
  const secure = options.url.startsWith('https:')
  const client = secure ? https : http
  const agentOptions = { keepAlive: true, maxSockets: 20 }
  const ca =
    options.caCertificate ?? (options.caFile === undefined ? undefined : readFileSync(options.caFile))
  const agent = secure
    ? new https.Agent({ ...agentOptions, ...(ca === undefined ? {} : { ca }) })
    : new http.Agent(agentOptions)
  return ({ method, path, token, body, signal }) => {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body.value))
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      ...(body === undefined || payload === undefined
        ? {}
        : // Without a length the body of a DELETE is dropped, and its precondition with it.
          { 'content-type': body.contentType, 'content-length': payload.length }),
    }
    // Real time on purpose: how long a call may take.
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CALL_LIMIT_MS)])
    return new Promise((resolve, reject) => {
      const request = client.request(
        `${options.url}${path}`,
        { method, headers, agent, signal: limit },
        (response) => {
          readAnswer(response).then(resolve, reject)
        },
      )
      request.once('error', reject)
      request.end(payload)
    })
  }
}

async function readAnswer(response: http.IncomingMessage): Promise<KubernetesReply> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > MOST_ANSWER_BYTES) throw new Error('the API server answered more than is read')
    chunks.push(bytes)
  }
  const seconds = Number(response.headers['retry-after'])
  return {
    status: response.statusCode ?? 0,
    retryAfterMs: seconds > 0 ? seconds * 1000 : undefined,
    body: parseBody(Buffer.concat(chunks).toString('utf8')),
  }
}

function parseBody(text: string): Readonly<Record<string, unknown>> {
  try {
    return asRecord(JSON.parse(text)) ?? {}
  } catch {
    return {}
  }
}
