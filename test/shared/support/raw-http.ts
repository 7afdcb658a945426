import { connect } from 'node:net'

export type RawReply = { status: number; headers: Record<string, string>; body: string; text: string }

/** Sends bytes as they are and reads one answer: for requests that no HTTP client would write. */
export function rawRequest(url: string, request: string | readonly (string | Buffer)[]): Promise<RawReply> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    const chunks: Buffer[] = []
    const parts = typeof request === 'string' ? [request] : request
    socket.on('connect', () => {
      for (const part of parts) socket.write(part)
    })
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const reply = parseReply(Buffer.concat(chunks).toString('latin1'))
      if (reply === undefined) return
      socket.destroy()
      resolve(reply)
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed after ${Buffer.concat(chunks).toString('latin1')}`)))
  })
}

function parseReply(text: string): RawReply | undefined {
  const cut = text.indexOf('\r\n\r\n')
  if (cut < 0) return undefined
  const [first = '', ...lines] = text.slice(0, cut).split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  )
  const body = text.slice(cut + 4)
  if (
    headers['transfer-encoding'] === 'chunked'
      ? !body.endsWith('0\r\n\r\n')
      : body.length < Number(headers['content-length'] ?? 0)
  ) {
    return undefined
  }
  return { status: Number(first.split(' ')[1]), headers, body, text }
}
