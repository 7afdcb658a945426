import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { systemIds } from '../ids.ts'
import { SHED_REASONS } from '../observability/shed-reasons.ts'
import { type Refusal, refuse } from '../result.ts'
import type { Platform } from '../wiring.ts'
import { corsHeaders } from './cors.ts'
import { declaresMore, endUnread } from './linger.ts'
import type { Full } from './load-gate.ts'
import { problemReply } from './problem.ts'
import { recordFront } from './record-front.ts'
import { LITTLE_BYTES, SECURITY_HEADERS } from './send-reply.ts'

/** So many requests turned away have a line each in a second; of the others one line says how many they were. */
const LINES_PER_SECOND = 100

/** In a flood a connection that was turned away is not read again for so long. */
const REST_MS = 150

/** Why a request was turned away, in its line; the caller hears the same whichever it was. */
const REFUSALS = {
  places: refuse('overload.shed', SHED_REASONS.places),
  loop: refuse('overload.shed', SHED_REASONS.loop),
} as const satisfies Record<Full, Refusal>

/**
 * Turns a request away: 503 with Retry-After, before anything of it is looked at.
 *
 * What this costs decides how much an overloaded instance still does: at ten times its rate nine
 * requests are turned away for each that is answered. So the answer is made beforehand but for its id,
 * and the log does not grow with the flood.
 */
export function shedder(options: {
  readonly platform?: Pick<Platform, 'log' | 'config'>
}): (request: IncomingMessage, response: ServerResponse, full: Full) => void {
  const { platform } = options
  const made = answerParts()
  // Counted within the instance: chance for each would be a tenth of the whole cost.
  const instance = systemIds.bytes(8).toString('hex')
  let count = 0
  let lines = 0
  let unsaid = 0
  const say = (): void => {
    if (unsaid > 0) platform?.log.warn('requests shed', { count: unsaid })
    lines = 0
    unsaid = 0
  }
  return (request, response, full) => {
    count += 1
    const requestId = `${instance}${count.toString(16).padStart(16, '0')}`
    const body = `${made.before}${requestId}${made.after}`
    const headers = [...made.headers, 'x-request-id', requestId]
    const { origin } = request.headers
    if (origin !== undefined) {
      headers.push(...Object.entries(corsHeaders(platform?.config.CORS_ORIGINS, origin)).flat())
    }
    const { headers: sent, method } = request
    const long = declares(sent) && declaresMore(request, LITTLE_BYTES)
    if (long) headers.push('connection', 'close')
    response.writeHead(made.status, headers)
    if (long) endUnread(request, response, body)
    else response.end(body)
    if (unsaid > 0 && !long) rest(request.socket)
    if (platform === undefined) return
    if (lines === 0 && unsaid === 0) setTimeout(say, 1_000).unref()
    if (lines < LINES_PER_SECOND) {
      lines += 1
      const refusal = REFUSALS[full]
      recordFront(platform, { refusal, requestId, method, status: made.status, headers: sent })
    } else unsaid += 1
  }
}

/** Does not read a connection for a moment: what is not read costs nothing, and its sender was asked to wait. */
function rest(socket: Socket): void {
  socket.pause()
  setTimeout(() => socket.resume(), REST_MS).unref()
}

/** Whether there is a body at all: far cheaper to see than how it is declared. */
function declares(headers: IncomingMessage['headers']): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
}

/** The answer in the parts that stay the same. */
function answerParts() {
  const marker = '0'.repeat(32)
  const reply = problemReply(REFUSALS.places, marker)
  const text = JSON.stringify(reply.json)
  const [before = '', after = ''] = text.split(marker)
  const headers = [
    ...Object.entries(SECURITY_HEADERS),
    ...Object.entries(reply.headers ?? {}),
    ['content-length', String(Buffer.byteLength(text))],
  ].flat()
  return { status: reply.status, before, after, headers }
}
