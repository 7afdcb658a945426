import { connect, type Socket } from 'node:net'

/** What a phase of load asks for. Rates are requests a second; durations are in milliseconds. */
export type LoadPhase = {
  readonly port: number
  /** Whole requests as bytes, taken in turn. */
  readonly requests: readonly string[]
  readonly durationMs: number
} & ({ readonly kind: 'open'; readonly rate: number } | { readonly kind: 'closed'; readonly callers: number })

export type LoadResult = {
  readonly sent: number
  /** Arrivals that found no connection left: the generator's own bound. */
  readonly unsent: number
  readonly byStatus: Readonly<Record<string, number>>
  readonly broken: number
  readonly okMs: Percentiles
  readonly shedMs: Percentiles
}

export type Percentiles = { readonly p50: number; readonly p95: number; readonly p99: number }

/** Three times what the platform ever has open on one instance (`concurrency` 80). */
const MOST_CONNECTIONS = 256
const SETTLE_MS = 3_000

/**
 * Sends requests over kept-alive connections and reads only what counts: status and latency.
 *
 * An HTTP client costs more than the server it measures, so this one speaks bare TCP. In an open loop
 * arrivals come at their time whatever the answers do; latency counts from when a request was due.
 */
export async function runPhase(phase: LoadPhase): Promise<LoadResult> {
  const state = { sent: 0, unsent: 0, broken: 0, next: 0 }
  const byStatus: Record<string, number> = {}
  const okMs: number[] = []
  const shedMs: number[] = []
  const idle: Connection[] = []
  const all = new Set<Connection>()
  let endsAtMs = Number.POSITIVE_INFINITY
  const onAnswer = (connection: Connection, status: number, ms: number, keep: boolean): void => {
    byStatus[status] = (byStatus[status] ?? 0) + 1
    if (status < 300) okMs.push(ms)
    else if (status === 503) shedMs.push(ms)
    if (!keep) connection.close()
    else if (phase.kind === 'closed' && performance.now() < endsAtMs) send(connection, performance.now())
    else idle.push(connection)
  }
  const onGone = (connection: Connection, midway: boolean): void => {
    all.delete(connection)
    const at = idle.indexOf(connection)
    if (at >= 0) idle.splice(at, 1)
    if (midway) state.broken += 1
    if (phase.kind === 'closed' && performance.now() < endsAtMs) arrive(performance.now())
  }
  const send = (connection: Connection, dueMs: number): void => {
    state.sent += 1
    state.next = (state.next + 1) % phase.requests.length
    connection.send(phase.requests[state.next] ?? '', dueMs)
  }
  const arrive = (dueMs: number): void => {
    const free = idle.pop()
    if (free !== undefined) {
      send(free, dueMs)
      return
    }
    if (all.size >= MOST_CONNECTIONS) {
      state.unsent += 1
      return
    }
    const fresh = openConnection(phase.port, onAnswer, onGone)
    all.add(fresh)
    send(fresh, dueMs)
  }
  // All are open beforehand: how fast a flood of new connections is accepted is another question.
  while (phase.kind === 'open' && all.size < MOST_CONNECTIONS) {
    const fresh = openConnection(phase.port, onAnswer, onGone)
    all.add(fresh)
    await fresh.connected
    idle.push(fresh)
  }
  endsAtMs = performance.now() + phase.durationMs
  if (phase.kind === 'closed') for (let n = 0; n < phase.callers; n += 1) arrive(performance.now())
  await pace(phase, endsAtMs, arrive)
  const settledAtMs = performance.now() + SETTLE_MS
  while (idle.length < all.size && performance.now() < settledAtMs) await turn(5)
  for (const connection of all) connection.close()
  const { sent, unsent, broken } = state
  return { sent, unsent, broken, byStatus, okMs: percentiles(okMs), shedMs: percentiles(shedMs) }
}

/** Lets arrivals happen when they are due, several in one turn if the clock has run ahead. */
async function pace(phase: LoadPhase, endsAtMs: number, arrive: (dueMs: number) => void): Promise<void> {
  const everyMs = phase.kind === 'open' ? 1000 / phase.rate : Number.POSITIVE_INFINITY
  let dueMs = performance.now() + everyMs
  while (performance.now() < endsAtMs) {
    for (const nowMs = performance.now(); dueMs <= nowMs; dueMs += everyMs) arrive(dueMs)
    await turn(1)
  }
}

type Connection = {
  readonly connected: Promise<void>
  send(bytes: string, dueMs: number): void
  close(): void
}

function openConnection(
  port: number,
  onAnswer: (connection: Connection, status: number, ms: number, keep: boolean) => void,
  onGone: (connection: Connection, midway: boolean) => void,
): Connection {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let dueMs: number | undefined
  let text = ''
  const self: Connection = {
    connected: new Promise((resolve) => socket.once('connect', resolve).once('error', () => resolve())),
    send: (bytes, due) => {
      dueMs = due
      socket.write(bytes)
    },
    close: () => socket.destroy(),
  }
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    const head = text.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, head + 2))?.[1] ?? 0)
    if (text.length < head + 4 + length || dueMs === undefined) return
    const sinceMs = performance.now() - dueMs
    const status = Number(text.slice(9, 12))
    const keep = !/\r\nconnection: close/i.test(text.slice(0, head + 2))
    text = ''
    dueMs = undefined
    onAnswer(self, status, sinceMs, keep)
  })
  socket.on('error', () => undefined)
  socket.on('close', () => onGone(self, dueMs !== undefined))
  return self
}

function percentiles(values: number[]): Percentiles {
  const sorted = values.sort((left, right) => left - right)
  const at = (share: number): number =>
    Math.round((sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 10) / 10
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

function turn(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

// As a process of its own it takes phases from its parent and answers with results.
if (import.meta.main) {
  process.on('message', (phase: LoadPhase) => {
    void runPhase(phase).then((result) => process.send?.(result))
  })
}
