import { Agent, request as httpRequest, type IncomingHttpHeaders, METHODS } from 'node:http'
import { connect } from 'node:net'
import { readAnswer, type Seen } from './answer.ts'

/** Header fields as they are sent: names may repeat. */
export type Fields = readonly (readonly [name: string, value: string])[]

export type Call = {
  readonly method?: string
  /** Sent as it stands: nothing is normalised or escaped. */
  readonly path: string
  readonly headers?: Fields
  readonly body?: string | Buffer
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 })
const LIMIT_MS = 20_000

/** Everything that was sent, so that the runner can look for it in answers and logs. */
export type Wire = { send(url: string, call: Call): Promise<Seen> }

export const FORM = 'application/x-www-form-urlencoded'

/** One request below `fetch`, which would clean path and headers before anybody could attack with them. */
export function send(url: string, { method = 'GET', path, headers = [], body }: Call): Promise<Seen> {
  if (!METHODS.includes(method)) return sendRaw(url, `${method} ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  const { hostname, port } = new URL(url)
  const length = body === undefined ? [] : [['content-length', String(Buffer.byteLength(body))] as const]
  const framed = headers.some(([name]) => /^(?:transfer-encoding|content-length)$/i.test(name))
  const sent = [['host', `${hostname}:${port}`] as const, ...headers, ...(framed ? [] : length)]
  return new Promise((resolve, reject) => {
    const options = {
      ...{ agent, hostname, port, method, path, headers: sent.flat(), setHost: false },
      signal: AbortSignal.timeout(LIMIT_MS),
    }
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        resolve(readAnswer(response.statusCode ?? 0, response.headers, text))
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Bytes that no HTTP library would send, and the first answer to them. */
export function sendRaw(url: string, bytes: string): Promise<Seen> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) })
    let received = ''
    const finish = (): void => {
      socket.destroy()
      resolve(parse(received))
    }
    socket.setTimeout(LIMIT_MS, () => reject(new Error(`no answer, so far: ${received}`)))
    socket.on('connect', () => socket.write(bytes, 'latin1'))
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      const [head = '', body] = received.split('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (body !== undefined && body.length >= length) finish()
    })
    socket.on('error', finish)
    socket.on('close', finish)
  })
}

function parse(received: string): Seen {
  const [head = '', body = ''] = received.split('\r\n\r\n')
  const [line = '', ...fields] = head.split('\r\n')
  const headers: IncomingHttpHeaders = {}
  for (const field of fields) {
    const cut = field.indexOf(':')
    headers[field.slice(0, cut).toLowerCase()] = field.slice(cut + 1).trim()
  }
  return readAnswer(Number(line.split(' ')[1] ?? 0), headers, body)
}

export function bearer(token: string): Fields {
  return [['authorization', `Bearer ${token}`]]
}

export function basic(id: string, secret: string): Fields {
  return [['authorization', `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`]]
}

/** A form as its body and its type. */
export function form(
  fields: Readonly<Record<string, string>> | string,
): Pick<Call, 'method' | 'headers' | 'body'> {
  const body = typeof fields === 'string' ? fields : new URLSearchParams(fields).toString()
  return { method: 'POST', headers: [['content-type', FORM]], body }
}

export function json(value: unknown, method = 'POST'): Pick<Call, 'method' | 'headers' | 'body'> {
  return { method, headers: [['content-type', 'application/json']], body: JSON.stringify(value) }
}
