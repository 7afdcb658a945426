import { isRpcError } from '#local/engine/rpc-error.ts'
import { type Answer, type Call, json, serveLoopback } from '#local/loopback.ts'
import { asRecord } from '#shared/json.ts'
import { StackError } from './options.ts'

/** What a control route gets: parameters of the path, of the query, and the JSON body. */
type ControlCall = {
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

const MAX_BODY_BYTES = 1024 * 1024

export function openControlDoor(port: number, routes: readonly ControlRoute[]): Promise<ControlDoor> {
  return serveLoopback(port, async (call) => {
    try {
      return await answer(routes, call)
    } catch (error) {
      const status = error instanceof StackError || isRpcError(error) ? 400 : 500
      return told(status, { error: error instanceof Error ? error.message : String(error) })
    }
  })
}

async function answer(routes: readonly ControlRoute[], call: Call): Promise<Answer> {
  // A page in a browser must not be able to use this door: it would send an Origin or a foreign Host.
  const host = call.headers.host ?? ''
  if (call.headers.origin !== undefined || !/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host)) {
    return told(403, { error: 'The control door takes no requests from pages.' })
  }
  const path = call.url.pathname
  const onPath = routes.filter((route) => route.pattern.test(path))
  const route = onPath.find((candidate) => candidate.method === call.method)
  if (route === undefined) {
    const known = routes.map((each) => `${each.method} ${each.pattern.source.replace(/[\\^$]/g, '')}`)
    return onPath.length > 0
      ? told(405, { error: `Use ${onPath.map((each) => each.method).join(' or ')}.` })
      : told(404, { error: 'There is no such control route.', known })
  }
  const params = route.pattern.exec(path)?.slice(1).map(decoded) ?? []
  const body = fieldsOf(call.body)
  return told(200, (await route.handle({ params, query: call.url.searchParams, body })) ?? {})
}

function told(status: number, body: unknown): Answer {
  const answered = json(status, body, { 'cache-control': 'no-store' })
  return { ...answered, body: `${answered.body}\n` }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new StackError(`${part} is not encoded as a part of a path.`)
  }
}

function fieldsOf(body: Buffer): Record<string, unknown> {
  if (body.length > MAX_BODY_BYTES) throw new StackError('The body is larger than 1 MiB.')
  if (body.length === 0) return {}
  const fields = asRecord(parseText(body.toString('utf8')))
  if (fields === undefined) throw new StackError('The body must be a JSON object.')
  return fields
}

/** What is no JSON is refused in the same words as JSON of the wrong kind. */
function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
