import { z } from 'zod'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import { subjectOf } from '#shared/contracts/cloud-event.ts'
import { canonicalJson, parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { batchIdOf } from './usage-batch.ts'
import { eventKey, type Producer, sha256, VOID_TYPE } from './usage-event.ts'

export { REPLACE_TYPE, VOID_TYPE } from './usage-event.ts'

/** One event that takes back or changes another one: an event of the ledger with an id of its own. */
export type Correction = {
  readonly kind: 'void' | 'replace'
  readonly source: string
  readonly id: string
  readonly timeMs: number
  readonly key: string
  readonly digest: string
  readonly targetKey: string
  /** Of a void: only the content with this digest goes, what contradicts it under the same id stays. */
  readonly targetDigest: string | undefined
  /** Of a replacement: what changes; what is not named stays as it was, the time too. */
  readonly change: Change
  readonly raw: Readonly<Record<string, unknown>>
}

export type Change = {
  readonly value?: string | number | undefined
  readonly resource?: string | undefined
  readonly dimensions?: Readonly<Record<string, string>> | undefined
  readonly timeMs?: number | undefined
}

/** A correction as it stands in the ledger. */
export type ReceivedCorrection = Correction & { readonly receivedAtMs: number }

const target = z.looseObject({
  source: z.string().min(1).max(200),
  id: z.string().min(1).max(100),
  digest: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
})

const parseData = parser(
  z.looseObject({
    voids: target.optional(),
    replaces: target.optional(),
    value: z.union([z.string().regex(/^-?\d{1,15}(?:\.\d{1,6})?$/), z.int()]).optional(),
    resource: z
      .string()
      .min(1)
      .max(200)
      .regex(/^\P{Cc}*$/u)
      .optional(),
    dimensions: z
      .record(
        z.string().regex(/^[a-z][a-z0-9_]{0,31}$/),
        z
          .string()
          .max(64)
          .regex(/^\P{Cc}*$/u),
      )
      .optional(),
    time: z.iso.datetime({ offset: true }).optional(),
  }),
  'event.malformed',
)

const MOST_BYTES = 64 * 1024
const SOURCE = /^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]{1,200}$/

/**
 * Checks an event that corrects another (billing.md §2, §7). Only the control plane may: whoever pays for
 * usage must not take it back. Whether what it names exists is not asked: it may come later.
 */
export function checkCorrection(
  envelope: CloudEvent<Record<string, unknown>>,
  rules: { readonly tenantId: string; readonly producer: Producer },
): Result<Correction> {
  if (rules.producer !== 'collector') {
    const fault = 'type: only the platform corrects usage'
    return refuse('usage.collector_only', fault, fault)
  }
  const own = subjectOf(rules.tenantId)
  if (envelope.subject !== own || ![undefined, rules.tenantId].includes(envelope.tenantid)) {
    return malformed(`subject: must be ${own}`)
  }
  if (!SOURCE.test(envelope.source)) return malformed('source: must be a URI reference')
  if (!isStorable(envelope)) return malformed(`must be at most ${MOST_BYTES / 1024} KiB of finite JSON`)
  const data = parseData(envelope.data)
  if (!data.ok) return data
  const isVoid = envelope.type === VOID_TYPE
  const named = isVoid ? data.value.voids : data.value.replaces
  if (named === undefined) return malformed(`data.${isVoid ? 'voids' : 'replaces'}: is required`)
  if (!isVoid && Object.values(changeOf(data.value)).every((value) => value === undefined)) {
    return malformed('data: a replacement changes something')
  }
  return ok(restoreCorrection(envelope))
}

/** Corrections of one message, stored by one commit. */
export type CorrectionBatch = { readonly batchId: string; readonly corrections: readonly Correction[] }

const MOST_IN_BATCH = 500
const MOST_BATCH_BYTES = 256 * 1024

/** Batches that each fit one document, named by what is in them: the same corrections make the same ones. */
export function correctionBatches(corrections: readonly Correction[]): CorrectionBatch[] {
  const parts: Correction[][] = []
  let bytes = 0
  for (const one of corrections.toSorted((left, right) => (left.key < right.key ? -1 : 1))) {
    const size = Buffer.byteLength(JSON.stringify(one.raw))
    const last = parts.at(-1)
    if (last === undefined || last.length >= MOST_IN_BATCH || bytes + size > MOST_BATCH_BYTES) {
      parts.push([one])
      bytes = size
    } else {
      last.push(one)
      bytes += size
    }
  }
  return parts.map((part) => ({ batchId: batchIdOf(part), corrections: part }))
}

/** A correction read back from our own ledger, where it was put after it had been checked. */
export function restoreCorrection(raw: unknown): Correction {
  const event = raw as CloudEvent<{ voids?: Target; replaces?: Target } & RawChange>
  const { data } = event
  const isVoid = event.type === VOID_TYPE
  const named = isVoid ? data.voids : data.replaces
  if (named === undefined) throw new TypeError('the ledger holds a correction of nothing')
  const timeMs = Date.parse(event.time)
  const said = { type: event.type, subject: event.subject, time: timeMs, data }
  return {
    kind: isVoid ? 'void' : 'replace',
    source: event.source,
    id: event.id,
    timeMs,
    key: eventKey(event.source, event.id),
    digest: sha256(canonicalJson(said)),
    targetKey: eventKey(named.source, named.id),
    targetDigest: named.digest,
    change: isVoid ? {} : changeOf(data),
    raw: raw as Readonly<Record<string, unknown>>,
  }
}

type Target = { readonly source: string; readonly id: string; readonly digest?: string }
type RawChange = Omit<Change, 'timeMs'> & { readonly time?: string | undefined }

function changeOf({ value, resource, dimensions, time }: RawChange): Change {
  return {
    ...(value === undefined ? {} : { value }),
    ...(resource === undefined ? {} : { resource }),
    ...(dimensions === undefined ? {} : { dimensions }),
    ...(time === undefined ? {} : { timeMs: Date.parse(time) }),
  }
}

function isStorable(event: unknown): boolean {
  try {
    return Buffer.byteLength(canonicalJson(event)) <= MOST_BYTES
  } catch {
    return false
  }
}

function malformed(fault: string): Result<never> {
  return refuse('event.malformed', fault, fault)
}
