import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import { memoryOf, type RunningFunction, startRig } from './rig.ts'

/** How a large body is sent: its length told beforehand, or in chunks without end in sight. */
export type FloodKind = 'declared' | 'chunked'

export type Flood = {
  readonly statuses: readonly (number | 'reset')[]
  /** Bytes that went out before the answers had come. */
  readonly sentBytes: number
}

/** A small part of what one such body would take, kept. */
const MOST_GROWTH = 48 * 1024 * 1024

const CHUNK = Buffer.alloc(64 * 1024, 0x61)

/** Sends a body of `bytes` on each of `connections` at once, and goes on after the answer until all is sent or cut. */
export async function flood(
  running: RunningFunction,
  headers: Record<string, string>,
  options: { readonly kind: FloodKind; readonly connections: number; readonly bytes: number },
): Promise<Flood> {
  const each = Array.from({ length: options.connections }, () => floodOne(running.port, headers, options))
  const all = await Promise.all(each)
  return {
    statuses: all.map(({ status }) => status),
    sentBytes: all.reduce((sum, { sent }) => sum + sent, 0),
  }
}

function floodOne(
  port: number,
  headers: Record<string, string>,
  { kind, bytes }: { readonly kind: FloodKind; readonly bytes: number },
): Promise<{ status: number | 'reset'; sent: number }> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const length = kind === 'declared' ? `content-length: ${bytes}` : 'transfer-encoding: chunked'
    const lines = Object.entries({ ...headers, 'content-type': 'application/json' })
    const fields = lines.map(([name, value]) => `${name}: ${value}`)
    let sent = 0
    let text = ''
    let status: number | 'reset' = 'reset'
    const push = (): void => {
      while (sent < bytes && socket.writable) {
        sent += CHUNK.length
        if (kind === 'chunked') socket.write(`${CHUNK.length.toString(16)}\r\n`)
        const more = socket.write(CHUNK)
        if (kind === 'chunked') socket.write('\r\n')
        if (!more) return
      }
      if (sent >= bytes && status !== 'reset') settle()
    }
    const settle = (): void => {
      socket.destroy()
      resolve({ status, sent })
    }
    socket.on('connect', () => {
      socket.write(['POST /v1/tenants HTTP/1.1', 'host: h', length, ...fields, '', ''].join('\r\n'))
      push()
    })
    socket.on('drain', push)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      const head = text.indexOf('\r\n\r\n')
      const wanted = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
      if (head < 0 || text.length < head + 4 + wanted) return
      status = Number(text.slice(9, 12))
      if (sent >= bytes) settle()
    })
    socket.on('error', settle)
    socket.on('close', settle)
  })
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '40' },
      megabytes: { type: 'string', default: '30' },
      rounds: { type: 'string', default: '5' },
    },
  })
  const connections = Number(values.connections)
  const bytes = Number(values.megabytes) * 1024 * 1024
  const rig = await startRig('tenants-api', [])
  const running = await rig.start()
  const headers = await rig.headersOf('platform', 'platform:tenants platform:read')
  await fetch(`${running.url}/v1/tenants`, { headers })
  // The first flood fills the pools that every process keeps; what counts is that it stays at that.
  await flood(running, headers, { kind: 'chunked', connections, bytes })
  const before = await memoryOf(running.pid)
  let flat = true
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const kind of ['declared', 'chunked'] as const) {
      const { statuses, sentBytes } = await flood(running, headers, { kind, connections, bytes })
      const { now, highest } = await memoryOf(running.pid)
      const told = statuses.filter((status) => status === 413).length
      const mega = (value: number): string => (value / 1024 / 1024).toFixed(0)
      flat &&= told === connections && highest - before.now < MOST_GROWTH
      console.log(
        `${kind}: ${told} of ${connections} told 413, ${mega(sentBytes)} MB sent; memory ${mega(now)} MB (${mega(before.now)} before), at most ${mega(highest)} MB`,
      )
    }
  }
  await rig.close()
  console.log(flat ? 'memory stayed flat' : 'memory did NOT stay flat, or somebody was not told')
  process.exitCode = flat ? 0 : 1
}
