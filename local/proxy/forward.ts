import { setTimeout as sleep } from 'node:timers/promises'
import { attempt } from './attempt.ts'
import { startDeadline } from './deadline.ts'
import type { Exchange, Failure, Outcome } from './exchange.ts'
import { announcesBody, headerList } from './header-list.ts'

// Envoy's first back-off interval. Real time: the backend recovers in real time.
const RETRY_PAUSE_MS = 25

// RFC 9110 section 9.2.2: doing it twice has the effect of doing it once.
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/**
 * Sends an exchange to its backend and streams the answer back.
 *
 * Bodies are never held: the client is read no faster than the backend takes. A failed attempt is made
 * once more where that cannot do the work twice: always when no connection came about, and after a
 * reset only for an idempotent method without a body. Envoy's `retry-on: reset` would repeat a POST
 * too; one that reached the backend may have been processed, so here it gets the 503.
 */
export async function forward(exchange: Exchange): Promise<Outcome> {
  const deadline = startDeadline(exchange.deadlineMs)
  try {
    if (exchange.response.destroyed) return { kind: 'clientGone' }
    if (!announcesBody(headerList(exchange.request.rawHeaders))) deadline.begin()
    const first = await attempt(exchange, deadline)
    if (first.kind !== 'failed' || exchange.retries === 0 || !mayRepeat(exchange, first)) return first
    await sleep(RETRY_PAUSE_MS)
    if (deadline.expired()) return { kind: 'deadline' }
    if (exchange.response.destroyed) return { kind: 'clientGone' }
    const second = await attempt(exchange, deadline)
    return second.kind === 'failed' ? { ...second, retried: true } : second
  } finally {
    deadline.clear()
  }
}

function mayRepeat(exchange: Exchange, failure: Failure): boolean {
  if (failure.bodyTaken) return false
  if (failure.reason === 'connect') return true
  return (
    failure.reason === 'reset' &&
    IDEMPOTENT.has(exchange.method) &&
    !announcesBody(headerList(exchange.request.rawHeaders))
  )
}
