import type { Ids } from './ids.ts'

/** A place in a trace: 32 hex digits of trace, 16 of span (W3C Trace Context). */
export type Trace = {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const CLOUD_TRACE = /^([0-9a-f]{32})(?:\/(\d{1,20}))?(?:;o=([01]))?$/i

/** Ids that both formats call invalid. */
const ALL_ZERO = /^0+$/

/**
 * The trace a request or event belongs to: `traceparent`, else `X-Cloud-Trace-Context`, else a new one.
 */
export function readTrace(ids: Ids, traceparent?: string, cloudTraceContext?: string): Trace {
  const w3c = TRACEPARENT.exec(traceparent ?? '')
  if (w3c?.[1] && w3c[2] && !ALL_ZERO.test(w3c[1]) && !ALL_ZERO.test(w3c[2])) {
    return { traceId: w3c[1], spanId: w3c[2], sampled: (Number.parseInt(w3c[3] ?? '0', 16) & 1) === 1 }
  }
  const cloud = CLOUD_TRACE.exec(cloudTraceContext ?? '')
  if (cloud?.[1] && !ALL_ZERO.test(cloud[1])) {
    const span = BigInt.asUintN(64, BigInt(cloud[2] ?? '0'))
    return {
      traceId: cloud[1].toLowerCase(),
      spanId: span.toString(16).padStart(16, '0'),
      sampled: cloud[3] === '1',
    }
  }
  return { traceId: ids.bytes(16).toString('hex'), spanId: ids.bytes(8).toString('hex'), sampled: false }
}

/** The same trace one step further: what this process sends on. */
export function childOf(ids: Ids, trace: Trace): Trace {
  return { ...trace, spanId: ids.bytes(8).toString('hex') }
}

/** The `traceparent` header of W3C Trace Context, version 00. */
export function formatTraceparent(trace: Trace): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`
}
