import type { IncomingMessage } from 'node:http'
import {
  type HeaderList,
  headerList,
  headerValues,
  withoutHeaderPrefix,
  withoutHopByHop,
} from './header-list.ts'

/** A request that can be understood in one way only, without the fields of its connection. */
export type SoundRequest = {
  readonly method: string
  readonly path: string
  /** Begins with `?`, or is empty. */
  readonly query: string
  readonly host: string
  readonly headers: HeaderList
}

/**
 * Reads a request, or returns `undefined` for one that two programs could read differently (400).
 *
 * Fields of one connection go before anything is checked, so that `Connection: authorization` cannot
 * have one token checked and another, or none, forwarded. `x-envoy-*` are commands to the proxy itself.
 */
export function readSoundRequest(request: IncomingMessage): SoundRequest | undefined {
  const sent = headerList(request.rawHeaders)
  const target = splitTarget(request.url ?? '')
  const hosts = headerValues(sent, 'host')
  const host = target.host ?? hosts[0]
  if (hosts.length > 1 || host === undefined || !isFramedOnce(sent, request.httpVersion)) return undefined
  const headers = withoutHeaderPrefix(withoutHopByHop(sent), 'x-envoy-')
  return { method: request.method ?? 'GET', path: target.path, query: target.query, host, headers }
}

/** A request target cut at its query, and the host of an absolute one. */
type RequestTarget = {
  readonly path: string
  readonly query: string
  readonly host: string | undefined
}

/** Splits a request target. `query` begins with its `?`, or is empty. Absolute targets name a host. */
function splitTarget(target: string): RequestTarget {
  const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)(.*)$/s.exec(target)
  const rest = absolute ? (absolute[2] ?? '') : target
  const cut = rest.indexOf('?')
  const path = cut < 0 ? rest : rest.slice(0, cut)
  const query = cut < 0 ? '' : rest.slice(cut)
  return { path: path === '' && absolute ? '/' : path, query, host: absolute?.[1] }
}

// Two ways to tell where the body ends are how one request hides in another (RFC 9112 section 6.1).
function isFramedOnce(headers: HeaderList, version: string): boolean {
  const encodings = headerValues(headers, 'transfer-encoding')
  const lengths = headerValues(headers, 'content-length')
  if (encodings.length === 0) return lengths.length < 2
  // HTTP/1.0 knows no encodings: what sends one may well mean another end of the body.
  if (version === '1.0') return false
  return lengths.length === 0 && encodings.join(',').trim().toLowerCase() === 'chunked'
}
