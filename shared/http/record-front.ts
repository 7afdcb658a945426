import type { IncomingMessage } from 'node:http'
import { systemIds } from '../ids.ts'
import { recordRequest } from '../observability/records.ts'
import type { Refusal } from '../result.ts'
import { readTrace } from '../trace.ts'
import type { Platform } from '../wiring.ts'

/** What the front knows of a request that it answered itself. */
export type FrontAnswer = {
  readonly refusal: Refusal
  readonly requestId: string
  readonly method: string | undefined
  readonly status: number
  readonly headers: IncomingMessage['headers']
}

/** Writes the log line of a request that never reached the edge. */
export function recordFront(platform: Pick<Platform, 'log'> | undefined, answer: FrontAnswer): void {
  if (platform === undefined) return
  const { traceparent, 'x-cloud-trace-context': cloud } = answer.headers
  const trace = readTrace(
    systemIds,
    typeof traceparent === 'string' ? traceparent : undefined,
    typeof cloud === 'string' ? cloud : undefined,
  )
  recordRequest(platform.log.with({}, trace), { ...answer, operationId: undefined, durationMs: 0 })
}
