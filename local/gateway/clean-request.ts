import type { IncomingMessage } from 'node:http'
import {
  findHeader,
  type HeaderList,
  headerList,
  headerValues,
  withHeader,
  withoutHeaderPrefix,
  withoutHeaders,
  withoutHopByHop,
} from '#local/proxy/header-list.ts'
import type { GatewayRequest } from './decide.ts'
import { normalizePath, splitTarget } from './request-path.ts'

const OVERRIDE = 'x-http-method-override'

/**
 * What every later step works with, or `undefined` for a request that is malformed (400).
 *
 * Fields of one connection go before anything is checked, so that `Connection: authorization` cannot
 * have one token checked and another, or none, forwarded.
 */
export function cleanRequest(request: IncomingMessage): GatewayRequest | undefined {
  const sent = headerList(request.rawHeaders)
  // Some servers read a_b and a-b as one name; Envoy refuses the request (HEADERS_WITH_UNDERSCORES).
  if (sent.some(([name]) => name.includes('_'))) return undefined
  if (!isFramedOnce(sent)) return undefined
  const target = splitTarget(request.url ?? '')
  const hosts = headerValues(sent, 'host')
  const host = target.host ?? hosts[0]
  if (hosts.length > 1 || host === undefined) return undefined
  const path = normalizePath(target.path)
  if (path === undefined) return undefined
  const headers = joinAuthorization(withoutHeaderPrefix(withoutHopByHop(sent), 'x-envoy-'))
  return {
    method: findHeader(headers, OVERRIDE) ?? request.method ?? 'GET',
    path,
    query: target.query,
    host,
    headers: withoutHeaders(headers, [OVERRIDE]),
  }
}

// ESPv2 registers Authorization as an inline field, of which Envoy joins copies by a comma: two tokens
// become one that is none.
function joinAuthorization(headers: HeaderList): HeaderList {
  const values = headerValues(headers, 'authorization')
  return values.length < 2 ? headers : withHeader(headers, 'Authorization', values.join(','))
}

// Two ways to tell where the body ends are how one request hides in another (RFC 9112 section 6.1).
function isFramedOnce(headers: HeaderList): boolean {
  const encodings = headerValues(headers, 'transfer-encoding')
  const lengths = headerValues(headers, 'content-length')
  if (encodings.length === 0) return lengths.length < 2
  return lengths.length === 0 && encodings.join(',').trim().toLowerCase() === 'chunked'
}
