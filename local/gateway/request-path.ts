// What URL canonicalisation decodes in a path (RFC 3986 section 2.3) …
const UNRESERVED = /[A-Za-z0-9\-._~]/
// … and the printable characters it escapes. Everything outside printable ASCII is escaped too. A `#`
// stays as it is: the request is refused for it, with its own text.
const ESCAPED = /["<>?^`{|}\s]|[^\x20-\x7e]/

/**
 * The path the gateway matches and the backend gets: unreserved characters decoded, dot segments
 * resolved, slashes in a row merged; `%2F` stays what it is. `undefined` for what cannot be a path.
 *
 * Source: Envoy's `normalize_path` and `merge_slashes`, which ESPv2 switches on. Matching and
 * forwarding one and the same path is what keeps a request from passing the check of another route.
 */
export function normalizePath(path: string): string | undefined {
  if (!path.startsWith('/')) return undefined
  const once = normalizeOnce(path)
  // `/%2%65%2%65/x` turns into `/%2e%2e/x`: a backend that normalises again would leave the route that
  // was checked. Envoy lets it pass; nobody needs it.
  return once !== undefined && normalizeOnce(once) === once ? once : undefined
}

function normalizeOnce(path: string): string | undefined {
  const decoded = decodeUnreserved(path.replaceAll('\\', '/'))
  if (decoded === undefined) return undefined
  return removeDotSegments(decoded).replace(/\/{2,}/g, '/')
}

function decodeUnreserved(path: string): string | undefined {
  let failed = false
  const decoded = path.replace(/%([0-9A-Fa-f]{2})|./gs, (match, hex: string | undefined) => {
    if (hex === undefined) return ESCAPED.test(match) ? escapeByte(match) : match
    if (hex === '00') failed = true
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return UNRESERVED.test(character) ? character : match
  })
  return failed ? undefined : decoded
}

// Node hands over the target's bytes as Latin-1 characters.
function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

// RFC 3986 section 5.2.4. Empty segments count, so that `/a//../b` is `/a/b` as in Envoy.
function removeDotSegments(path: string): string {
  const output: string[] = []
  const segments = path.split('/').slice(1)
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1
    if (segment === '..') output.pop()
    if (segment === '.' || segment === '..') {
      if (last) output.push('')
    } else output.push(segment)
  })
  return `/${output.join('/')}`
}

/** The first value of a query parameter, as it stands in the query. */
export function findQueryParameter(query: string, name: string): string | undefined {
  for (const pair of query.slice(1).split('&')) {
    const cut = pair.indexOf('=')
    if ((cut < 0 ? pair : pair.slice(0, cut)) === name) return cut < 0 ? '' : pair.slice(cut + 1)
  }
  return undefined
}
