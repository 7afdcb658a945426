/**
 * Header fields in the order they came, repeated names kept.
 *
 * A proxy must see what was sent: Node's `request.headers` drops or joins repeated fields, and a
 * check that reads another value than the backend does is a hole.
 */
export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>

/** The list form of Node's flat `rawHeaders`. */
export function headerList(rawHeaders: readonly string[]): HeaderList {
  const list: Array<readonly [string, string]> = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    list.push([rawHeaders[index] ?? '', rawHeaders[index + 1] ?? ''])
  }
  return list
}

/** The flat form that `http.request` and `writeHead` take. */
export function flatHeaders(list: HeaderList): string[] {
  return list.flat()
}

/** Every value of a field, in order; names compare without case. */
export function headerValues(list: HeaderList, name: string): string[] {
  const wanted = name.toLowerCase()
  return list.filter(([field]) => field.toLowerCase() === wanted).map(([, value]) => value)
}

/** The first value of a field. */
export function findHeader(list: HeaderList, name: string): string | undefined {
  return headerValues(list, name)[0]
}

/** The list without every header of these names. */
export function withoutHeaders(list: HeaderList, names: Iterable<string>): HeaderList {
  const dropped = new Set([...names].map((name) => name.toLowerCase()))
  return list.filter(([name]) => !dropped.has(name.toLowerCase()))
}

/** Replaces every copy of the field by one value. */
export function withHeader(list: HeaderList, name: string, value: string): HeaderList {
  return [...withoutHeaders(list, [name]), [name, value]]
}

// RFC 9110 section 7.6.1, with the names that older software sends. `Expect` is answered by us.
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
]

/** The list without the fields that concern one connection only, those named in `Connection` included. */
export function withoutHopByHop(list: HeaderList): HeaderList {
  const named = headerValues(list, 'connection').flatMap((value) => value.split(','))
  // A body's framing stays ours to decide: a client cannot have Content-Length or Host removed.
  const allowed = named
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== 'content-length' && name !== 'host')
  return withoutHeaders(list, [...HOP_BY_HOP, ...allowed])
}

/** The list without every field whose name starts with `prefix`. */
export function withoutHeaderPrefix(list: HeaderList, prefix: string): HeaderList {
  const wanted = prefix.toLowerCase()
  return list.filter(([name]) => !name.toLowerCase().startsWith(wanted))
}

/** Whether the request announces a body (RFC 9112 section 6.3). */
export function announcesBody(list: HeaderList): boolean {
  if (headerValues(list, 'transfer-encoding').length > 0) return true
  const length = findHeader(list, 'content-length')
  return length !== undefined && Number(length) > 0
}
