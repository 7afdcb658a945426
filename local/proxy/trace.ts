import { randomBytes } from 'node:crypto'
import { findHeader, type HeaderList, headerValues, withHeader } from './header-list.ts'

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const CLOUD_TRACE = /^([0-9a-fA-F]{32})(?:\/(\d+))?(?:;o=([0-3]))?$/

/**
 * Makes sure that a request carries a trace, in both of Google's headers.
 *
 * A valid `traceparent` (W3C Trace Context) or `X-Cloud-Trace-Context` passes through byte for byte;
 * the other header is written from it; both are new when neither is usable. Returns the headers and
 * the 32 hex digits of the trace.
 */
export function withTrace(headers: HeaderList): { headers: HeaderList; traceId: string } {
  const parents = headerValues(headers, 'traceparent')
  const parent = parents.length === 1 ? TRACEPARENT.exec(parents[0] ?? '') : null
  const cloud = CLOUD_TRACE.exec(findHeader(headers, 'x-cloud-trace-context') ?? '')
  if (parent) {
    const [, traceId = '', spanId = '0', flags = '00'] = parent
    if (cloud) return { headers, traceId }
    const value = `${traceId}/${BigInt(`0x${spanId}`)};o=${Number.parseInt(flags, 16) & 1}`
    return { headers: withHeader(headers, 'X-Cloud-Trace-Context', value), traceId }
  }
  if (cloud) {
    const traceId = (cloud[1] ?? '').toLowerCase()
    const value = `00-${traceId}-${spanIdOf(cloud[2])}-0${Number(cloud[3] ?? 0) & 1}`
    return { headers: withHeader(headers, 'traceparent', value), traceId }
  }
  return freshTrace(headers)
}

function freshTrace(headers: HeaderList): { headers: HeaderList; traceId: string } {
  const traceId = randomBytes(16).toString('hex')
  const spanId = randomBytes(8).toString('hex')
  const traced = withHeader(headers, 'traceparent', `00-${traceId}-${spanId}-01`)
  return {
    headers: withHeader(traced, 'X-Cloud-Trace-Context', `${traceId}/${BigInt(`0x${spanId}`)};o=1`),
    traceId,
  }
}

// The header holds the span as a decimal number; zero or too large is no span, so a new one begins.
function spanIdOf(decimal: string | undefined): string {
  const number = decimal === undefined ? 0n : BigInt(decimal)
  const usable = number > 0n && number < 2n ** 64n
  return usable ? number.toString(16).padStart(16, '0') : randomBytes(8).toString('hex')
}
