import { type OperationId, ROUTES } from '../catalogue/routes.ts'
import { TOPICS } from '../contracts/topics.ts'
import { errorFields, type LogFields, type Logger } from '../log.ts'
import type { Refusal } from '../result.ts'

/** A request that has been answered, as its line tells it. */
export type AnsweredRequest = {
  readonly method: string | undefined
  /** The operation it was for; undefined where no route matched. */
  readonly operationId: OperationId | undefined
  readonly requestId: string
  readonly status: number
  readonly durationMs: number
  readonly tenantId?: string | undefined
  readonly refusal?: Refusal | undefined
  /** What was thrown, if the request failed. */
  readonly error?: unknown
  /** What the handler has to say besides, in fields of the table. */
  readonly besides?: LogFields | undefined
}

/** A delivery that has ended, as its line tells it. */
export type EndedDelivery = {
  readonly subscription: string
  readonly outcome: 'done' | 'ignored' | 'quarantined' | 'failed'
  readonly durationMs: number
  readonly deliveryAttempt?: number | undefined
  readonly type?: string | undefined
  readonly tenantId?: string | undefined
  readonly error?: unknown
}

const MOST_DETAIL = 300

const TYPES: ReadonlySet<string> = new Set(Object.values(TOPICS).flatMap(({ types }) => [...types]))

/** Writes the one line of a request: what a caller sent stands in none of its fields. */
export function recordRequest(log: Logger, answered: AnsweredRequest): void {
  const { operationId, status, durationMs, refusal, error } = answered
  const fields = {
    operation: operationId ?? 'none',
    requestId: answered.requestId,
    ...(answered.tenantId === undefined ? {} : { tenantId: answered.tenantId }),
    ...(refusal === undefined ? {} : { code: refusal.code, detail: refusal.detail.slice(0, MOST_DETAIL) }),
    durationMs: rounded(durationMs),
    httpRequest: {
      requestMethod: answered.method ?? 'GET',
      requestUrl: operationId === undefined ? '(unrouted)' : ROUTES[operationId].path,
      status,
      latency: `${(durationMs / 1000).toFixed(6)}s`,
    },
    ...answered.besides,
    ...(error === undefined ? {} : errorFields(error)),
  }
  if (isTurnedAway(refusal)) log.warn('request', fields)
  else if (status >= 500) log.error('request', fields)
  else log.info('request', fields)
}

/** Too much was asked of us, and we are well: worth seeing, but nobody should be woken for a fault. */
function isTurnedAway(refusal: Refusal | undefined): boolean {
  return refusal?.code === 'overload.shed' || refusal?.code === 'rate.limited'
}

/** Writes the one line of a delivery. */
export function recordDelivery(log: Logger, ended: EndedDelivery): void {
  const { subscription, outcome, durationMs, deliveryAttempt, tenantId, error } = ended
  const type = knownType(ended.type)
  const fields = {
    subscription,
    outcome,
    durationMs: rounded(durationMs),
    ...(deliveryAttempt === undefined ? {} : { deliveryAttempt }),
    ...(type === undefined ? {} : { type }),
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(error === undefined ? {} : errorFields(error)),
  }
  if (outcome === 'failed') log.error('message', fields)
  else log.info('message', fields)
}

/** A type of ours, or that it is none: whoever may publish could write anything there. */
export function knownType(type: string | undefined): string | undefined {
  return type === undefined || TYPES.has(type) ? type : '(unknown)'
}

/** To a tenth of a millisecond: enough for the smallest bucket. */
function rounded(durationMs: number): number {
  return Math.round(durationMs * 10) / 10
}
