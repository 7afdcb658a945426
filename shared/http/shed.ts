import type { IncomingMessage, ServerResponse } from 'node:http'
import { systemIds } from '../ids.ts'
import { refuse } from '../result.ts'
import type { Platform } from '../wiring.ts'
import { corsHeaders } from './cors.ts'
import { problemReply } from './problem.ts'
import { recordFront } from './record-front.ts'
import { declaresMore } from './request-faults.ts'
import { SECURITY_HEADERS } from './send-reply.ts'

/** So many requests turned away have a line each in a second; of the others one line says how many they were. */
const LINES_PER_SECOND = 100

const REFUSAL = refuse('overload.shed', 'no room')
/** A body up to this size runs past and its connection goes on. */
const LITTLE_BYTES = 64 * 1024

/**
 * Turns a request away: 503 with Retry-After, before anything of it is looked at.
 *
 * What this costs decides how much an overloaded instance still does: at ten times its rate nine
 * requests are turned away for each that is answered. So the answer is made beforehand but for its id,
 * and the log does not grow with the flood.
 */
export function shedder(options: {
  readonly platform?: Pick<Platform, 'log' | 'config'>
}): (request: IncomingMessage, response: ServerResponse) => void {
  const { platform } = options
  const made = answerParts()
  let lines = 0
  let unsaid = 0
  const say = (): void => {
    if (unsaid > 0) platform?.log.warn('requests shed', { count: unsaid })
    lines = 0
    unsaid = 0
  }
  return (request, response) => {
    const requestId = systemIds.bytes(16).toString('hex')
    const body = `${made.before}${requestId}${made.after}`
    const headers = [...made.headers, 'x-request-id', requestId]
    const { origin } = request.headers
    if (origin !== undefined) {
      headers.push(...Object.entries(corsHeaders(platform?.config.CORS_ORIGINS, origin)).flat())
    }
    // A body that may be long is not waited for: the sender is told, and the connection ends.
    if (declaresMore(request, LITTLE_BYTES)) headers.push('connection', 'close')
    response.writeHead(made.status, headers)
    response.end(body)
    if (platform === undefined) return
    if (lines === 0 && unsaid === 0) setTimeout(say, 1_000).unref()
    if (lines < LINES_PER_SECOND) {
      lines += 1
      const { headers: sent, method } = request
      recordFront(platform, { refusal: REFUSAL, requestId, method, status: made.status, headers: sent })
    } else unsaid += 1
  }
}

/** The answer in the parts that stay the same. */
function answerParts() {
  const marker = '0'.repeat(32)
  const reply = problemReply(REFUSAL, marker)
  const text = JSON.stringify(reply.json)
  const [before = '', after = ''] = text.split(marker)
  const headers = [
    ...Object.entries(SECURITY_HEADERS),
    ...Object.entries(reply.headers ?? {}),
    ['content-length', String(Buffer.byteLength(text))],
  ].flat()
  return { status: reply.status, before, after, headers }
}
