import { connect, type Socket } from 'node:net'
import { endsStream, type Frame, frameReader, isAnswer } from './frames.ts'

/** What becomes of one request; nothing lets it through. */
type Decision = 'cutAnswer' | 'cutRequest' | { readonly delayMs: number } | undefined

export type Connection = {
  /** Whether it will be cut as soon as the answer it waits for is there. */
  doomed(): boolean
  cut(): void
}

type ConnectionHooks = {
  readonly decide: () => Decision
  /** Hears of a cut that met `unanswered` requests. */
  readonly onCut: (unanswered: number) => void
  readonly onClosed: () => void
}

/** Of a connection that is not HTTP/2: its one exchange at a time stands for a stream. */
const ONLY_STREAM = 0
/** How long the server's side stays open after a cut. */
const LINGER_MS = 2_000

/** Passes bytes both ways until the seed says cut. */
export function openConnection(
  client: Socket,
  target: { readonly host: string; readonly port: number },
  hooks: ConnectionHooks,
): Connection {
  // Without it every small frame waits some 40 ms for its neighbour's acknowledgement.
  client.setNoDelay(true)
  const server = connect({ ...target, noDelay: true })
  const readUp = frameReader('up')
  const readDown = frameReader('down')
  let isHttp2 = true
  const waiting = new Set<number>()
  let victim: number | undefined
  let swallowing = false
  let over = false
  const close = (): void => {
    if (over) return
    over = true
    hooks.onClosed()
  }
  const cut = (): void => {
    if (over) return
    if (waiting.size > 0) hooks.onCut(waiting.size)
    // What went up stays up: the server reads it all before it sees the end. A reset could take it back.
    server.end()
    server.resume()
    server.setTimeout(LINGER_MS, () => server.destroy())
    client.resetAndDestroy()
    close()
  }
  client.on('data', (chunk) => {
    if (over) return
    let last: Decision
    const frames = isHttp2 ? readUp.read(chunk) : undefined
    isHttp2 = frames !== undefined
    for (const stream of streamsOf(frames, endsStream)) {
      waiting.add(stream)
      const decision = hooks.decide()
      if (decision === 'cutAnswer') victim ??= stream
      else last = decision ?? last
    }
    const flowing = server.write(chunk, () => {
      if (last === 'cutRequest') cut()
    })
    if (!flowing) client.pause()
    if (typeof last === 'object') hold(server, last.delayMs)
  })
  server.on('data', (chunk) => {
    if (over) return
    const frames = isHttp2 ? readDown.read(chunk) : undefined
    const answered = streamsOf(frames, endsStream)
    if (victim !== undefined && streamsOf(frames, isAnswer).includes(victim)) swallowing = true
    // Once the answer is complete its effect is certain; nobody hears of it.
    if (victim !== undefined && answered.includes(victim)) return cut()
    if (swallowing) return
    for (const stream of answered) waiting.delete(stream)
    if (!client.write(chunk)) server.pause()
  })
  server.on('drain', () => client.resume())
  client.on('drain', () => server.resume())
  client.on('end', () => server.end())
  server.on('end', () => (over ? undefined : client.end()))
  for (const [socket, other] of [
    [client, server],
    [server, client],
  ] as const) {
    socket.on('error', () => other.destroy())
    socket.on('close', close)
  }
  return { doomed: () => victim !== undefined, cut }
}

/** Real time on purpose: it stands for a slow network. */
function hold(server: Socket, delayMs: number): void {
  server.pause()
  setTimeout(() => server.resume(), delayMs)
}

/** The streams of the frames that `wanted` picks; without HTTP/2 each chunk is the only stream's. */
function streamsOf(frames: readonly Frame[] | undefined, wanted: (frame: Frame) => boolean): number[] {
  return frames === undefined ? [ONLY_STREAM] : frames.filter(wanted).map(({ streamId }) => streamId)
}
