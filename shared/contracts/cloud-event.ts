import { z } from 'zod'
import { parser } from '../json.ts'

/**
 * A CloudEvents 1.0 event in structured JSON, with our extensions (tenancy.md §1).
 *
 * `sequence` numbers facts per tenant and topic group, `commandseq` commands per tenant and source:
 * both decimal and compared as bigint. `tenantid`, `subject` and `data.tenantId` must agree.
 */
export type CloudEvent<T = unknown> = {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly datacontenttype?: 'application/json'
  readonly tenantid?: string
  readonly sequence?: string
  readonly commandseq?: string
  readonly correlationid?: string
  readonly causationid?: string
  readonly partitionkey?: string
  readonly traceparent?: string
  readonly data: T
}

/** No control characters: a NUL in a source could make two events' claims the same document. */
const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}]+$/u)
const decimal = z.string().regex(/^\d{1,19}$/)

const schema = z.looseObject({
  specversion: z.literal('1.0'),
  id: z.string().regex(/^[A-Za-z0-9._:~-]{1,100}$/),
  source: text(200),
  type: text(200),
  subject: text(200),
  time: z.iso.datetime({ offset: true }),
  datacontenttype: z.literal('application/json').optional(),
  tenantid: text(64).optional(),
  sequence: decimal.optional(),
  commandseq: decimal.optional(),
  correlationid: text(200).optional(),
  causationid: text(200).optional(),
  partitionkey: text(200).optional(),
  traceparent: text(64).optional(),
  data: z.looseObject({}),
})

/** Parses one structured CloudEvent; unknown extensions are kept and never used. */
export const parseCloudEvent = parser<CloudEvent<Record<string, unknown>>>(
  schema as unknown as z.ZodType<CloudEvent<Record<string, unknown>>>,
  'event.malformed',
)

export const CLOUD_EVENT_TYPE = 'application/cloudevents+json'
export const CLOUD_EVENT_BATCH_TYPE = 'application/cloudevents-batch+json'

/** The subject of every event about a tenant. */
export function subjectOf(tenantId: string): string {
  return `tenants/${tenantId}`
}
