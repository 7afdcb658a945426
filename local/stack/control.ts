import { createServer, type IncomingMessage } from 'node:http'
import { StackError } from './options.ts'

/** What a control route gets: parameters of the path, of the query, and the JSON body. */
export type ControlCall = {
  readonly params: readonly string[]
  readonly query: URLSearchParams
  readonly body: Readonly<Record<string, unknown>>
}

export type ControlRoute = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Each group is one parameter. */
  readonly pattern: RegExp
  readonly handle: (call: ControlCall) => Promise<unknown>
}

/** The stack's own test door (contracts §8). Loopback only; an answer means the effect is complete. */
export type ControlDoor = { readonly url: string; close(): Promise<void> }

const MOST_BYTES = 1024 * 1024

export async function openControlDoor(port: number, routes: readonly ControlRoute[]): Promise<ControlDoor> {
  const server = createServer((request, response) => {
    answer(routes, request).then(
      ({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
        response.end(`${JSON.stringify(body ?? {})}\n`)
      },
      (error: unknown) => {
        response.writeHead(500, { 'content-type': 'application/json' })
        response.end(`${JSON.stringify({ error: error instanceof Error ? error.message : String(error) })}\n`)
      },
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://127.0.0.1:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(
  routes: readonly ControlRoute[],
  request: IncomingMessage,
): Promise<{ status: number; body: unknown }> {
  // A page in a browser must not be able to use this door: it would send an Origin or a foreign Host.
  const host = request.headers.host ?? ''
  if (request.headers.origin !== undefined || !/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host)) {
    return { status: 403, body: { error: 'The control door takes no requests from pages.' } }
  }
  const url = new URL(request.url ?? '/', 'http://control')
  const onPath = routes.filter((route) => route.pattern.test(url.pathname))
  const route = onPath.find((candidate) => candidate.method === request.method)
  if (route === undefined) {
    const known = routes.map((each) => `${each.method} ${each.pattern.source.replace(/[\\^$]/g, '')}`)
    return onPath.length > 0
      ? { status: 405, body: { error: `Use ${onPath.map((each) => each.method).join(' or ')}.` } }
      : { status: 404, body: { error: 'There is no such control route.', known } }
  }
  try {
    const body = await readBody(request)
    const params = route.pattern.exec(url.pathname)?.slice(1).map(decodeURIComponent) ?? []
    return { status: 200, body: await route.handle({ params, query: url.searchParams, body }) }
  } catch (error) {
    if (error instanceof StackError) return { status: 400, body: { error: error.message } }
    throw error
  }
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > MOST_BYTES) throw new StackError('The body is larger than 1 MiB.')
    chunks.push(chunk as Buffer)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  if (text === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Answered below, in the same words as JSON of the wrong kind.
  }
  throw new StackError('The body must be a JSON object.')
}
