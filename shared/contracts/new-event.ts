import type { TenantId } from '../ids.ts'
import { formatTraceparent, type Trace } from '../trace.ts'
import { type CloudEvent, subjectOf } from './cloud-event.ts'

export type EventFields<T> = {
  /** Deterministic, from the operation or revision: publishing again publishes the same event. */
  readonly id: string
  /** `//energent.ai/{auth|billing|admin|tenant-events}`. */
  readonly source: string
  readonly type: string
  readonly tenantId: TenantId
  readonly nowMs: number
  readonly data: T
  readonly sequence?: bigint
  readonly commandSequence?: bigint
  readonly correlationId?: string
  readonly causationId?: string
  readonly trace?: Trace
}

/** An event about a tenant, in the form every listener expects. */
export function newEvent<T>(fields: EventFields<T>): CloudEvent<T> {
  return {
    specversion: '1.0',
    id: fields.id,
    source: fields.source,
    type: fields.type,
    subject: subjectOf(fields.tenantId),
    time: new Date(fields.nowMs).toISOString(),
    datacontenttype: 'application/json',
    tenantid: fields.tenantId,
    partitionkey: fields.tenantId,
    ...(fields.sequence === undefined ? {} : { sequence: fields.sequence.toString() }),
    ...(fields.commandSequence === undefined ? {} : { commandseq: fields.commandSequence.toString() }),
    ...(fields.correlationId === undefined ? {} : { correlationid: fields.correlationId }),
    ...(fields.causationId === undefined ? {} : { causationid: fields.causationId }),
    ...(fields.trace === undefined ? {} : { traceparent: formatTraceparent(fields.trace) }),
    data: fields.data,
  }
}
