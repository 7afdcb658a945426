import { Agent, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Loopback } from '#local/bind-loopback.ts'
import { discardRest } from '#local/proxy/discard-rest.ts'
import { forward } from '#local/proxy/forward.ts'
import { withForwarded } from '#local/proxy/forwarded.ts'
import { findHeader, headerList, withHeader } from '#local/proxy/header-list.ts'
import { listen } from '#local/proxy/listen.ts'
import { readSoundRequest } from '#local/proxy/sound-request.ts'
import { withTrace } from '#local/proxy/trace.ts'
import { type Admission, createAdmission } from './admission.ts'
import { admitCaller, type CallerRules } from './admit-caller.ts'
import { createKeySource, type KeyOptions } from './key-source.ts'
import { type FrontReply, failurePage, ingressPage, plainReply, sendFrontReply } from './pages.ts'

export type CloudRunFrontOptions = KeyOptions & {
  /** 0, the default, takes any free port. */
  readonly port?: number
  /** The origin of the function behind, `http://127.0.0.1:9001`. */
  readonly target: string
  /** The service's URIs: an ID token must be made out to one of them. */
  readonly audience: string | readonly string[]
  /** E-mails of the accounts with `roles/run.invoker`. */
  readonly invokers: readonly string[]
  /** Who signs ID tokens. */
  readonly issuer?: string
  /** Milliseconds since the epoch, for token times and the age of the key set. */
  readonly now: () => number
  /**
   * `internal-only` answers 404 on `url` and serves on `internalUrl` alone, a second port that only the
   * pusher and the scheduler are told: in the cloud their calls come over Google's network.
   */
  readonly ingress: 'all' | 'internal-only'
  /** Where to listen for internal calls; 0, the default, takes any free port. */
  readonly internalPort?: number
  /** Requests served at once; further ones wait, and after `queueMs` are answered 429. */
  readonly concurrency?: number
  readonly queueMs?: number
  /** The service's request timeout; 300 s as with Cloud Run. */
  readonly timeoutMs?: number
}

type CloudRunFront = {
  readonly url: string
  /** Where internal calls go; with ingress `all` the same as `url`. */
  readonly internalUrl: string
  close(): Promise<void>
}

const MAX_HEADER_BYTES = 64 * 1024
const MAX_REQUEST_BYTES = 32 * 1024 * 1024
const DEFAULT_TIMEOUT_MS = 300_000
const DEFAULT_QUEUE_MS = 10_000
const IDLE_MS = 4_000

/**
 * Stands before a function as Cloud Run does: ingress, the caller's ID token and `run.invoker`, then the
 * request goes on with the token's signature removed. What the function sees is what it would see there.
 */
export async function startCloudRunFront(options: CloudRunFrontOptions): Promise<CloudRunFront> {
  const agent = new Agent({ keepAlive: true, timeout: IDLE_MS })
  const serving: Serving = {
    options,
    agent,
    admission: createAdmission(
      options.concurrency ?? Number.POSITIVE_INFINITY,
      options.queueMs ?? DEFAULT_QUEUE_MS,
    ),
    rules: {
      audiences: typeof options.audience === 'string' ? [options.audience] : options.audience,
      invokers: new Set(options.invokers),
      issuer: options.issuer ?? 'https://accounts.google.com',
      now: options.now,
      keys: createKeySource(options, options.now),
    },
  }
  const open = (port: number, admitted: boolean): Promise<Loopback> =>
    listen({
      port,
      maxHeaderBytes: MAX_HEADER_BYTES,
      refuse: (status) => ({
        contentType: 'text/plain',
        body: status === 431 ? 'Headers too large' : 'Bad Request',
      }),
      handler: (request, response, expected) => handle(serving, request, response, expected, admitted),
    })
  const outer = await open(options.port ?? 0, options.ingress === 'all')
  try {
    const inner = options.ingress === 'all' ? outer : await open(options.internalPort ?? 0, true)
    const close = async () => {
      await Promise.all([...new Set([outer, inner])].map((listener) => listener.close()))
      agent.destroy()
    }
    return { url: outer.url, internalUrl: inner.url, close }
  } catch (error) {
    await outer.close()
    throw error
  }
}

type Serving = {
  readonly options: CloudRunFrontOptions
  readonly agent: Agent
  readonly admission: Admission
  readonly rules: CallerRules
}

async function handle(
  serving: Serving,
  request: IncomingMessage,
  response: ServerResponse,
  expected: boolean,
  admitted: boolean,
): Promise<void> {
  const reply = await answer(serving, request, response, expected, admitted).catch(() => failurePage())
  // After a refused "100 Continue" nobody can tell whether the body follows.
  if (reply)
    sendFrontReply(
      response,
      expected ? { ...reply, headers: { ...reply.headers, Connection: 'close' } } : reply,
    )
  discardRest(request)
}

/** Serves the request, or says what to answer in its place. */
async function answer(
  serving: Serving,
  request: IncomingMessage,
  response: ServerResponse,
  continueExpected: boolean,
  admitted: boolean,
): Promise<FrontReply | undefined> {
  const { options } = serving
  if (!admitted) return ingressPage()
  const sound = readSoundRequest(request)
  if (!sound) return plainReply(400, 'Bad Request')
  const caller = await admitCaller(serving.rules, sound.headers, sound.path)
  if ('reply' in caller) return caller.reply
  const length = Number(findHeader(headerList(request.rawHeaders), 'content-length') ?? 0)
  if (length > MAX_REQUEST_BYTES) return plainReply(413, 'Request Entity Too Large')
  const place = await serving.admission.enter()
  if (!place) return plainReply(429, 'Rate exceeded.')
  try {
    const peer = (request.socket.remoteAddress ?? '127.0.0.1').replace(/^::ffff:/, '')
    const target = new URL(options.target)
    const outcome = await forward({
      request,
      response,
      target: { protocol: 'http:', hostname: target.hostname, port: Number(target.port || 80) },
      agent: serving.agent,
      method: sound.method,
      path: `${sound.path}${sound.query}`,
      headers: withHeader(withTrace(withForwarded(caller.headers, peer, 'http')).headers, 'Host', sound.host),
      deadlineMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxRequestBytes: MAX_REQUEST_BYTES,
      maxResponseBytes: Number.MAX_SAFE_INTEGER,
      continueExpected,
      // Cloud Run hands a request to one instance once; repeating is the caller's business.
      retries: 0,
    })
    if (outcome.kind === 'relayed' || outcome.kind === 'clientGone') return undefined
    if (outcome.kind === 'deadline') return plainReply(504, 'upstream request timeout')
    if (outcome.kind === 'requestTooLarge') return plainReply(413, 'Request Entity Too Large')
    return outcome.kind === 'unsendable' ? plainReply(400, 'Bad Request') : failurePage()
  } finally {
    place.leave()
  }
}
