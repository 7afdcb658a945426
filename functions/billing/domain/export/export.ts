import { createHash } from 'node:crypto'
import { z } from 'zod'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { formatInstant, type Period } from '../calendar.ts'
import { parseInstant } from '../usage-query.ts'
import { type Cell, csvLine } from './csv.ts'

export const EXPORT_KINDS = ['usage', 'invoices'] as const
export const EXPORT_FORMATS = ['ndjson', 'csv'] as const

/** What was asked for. */
export type WantedExport = {
  readonly kind: (typeof EXPORT_KINDS)[number]
  readonly format: (typeof EXPORT_FORMATS)[number]
  readonly period: Period
}

/** One object of an export. Its name holds its content's hash: written again it is the same object. */
export type ExportPart = {
  readonly object: string
  readonly sha256: string
  readonly bytes: number
  readonly rows: number
}

/** A job that writes an export, part by part. */
export type Export = WantedExport & {
  readonly exportId: string
  readonly status: 'pending' | 'running' | 'done'
  readonly requestedAtMs: number
  readonly parts: readonly ExportPart[]
  /** Where to go on; undefined at the beginning. */
  readonly cursor: string | undefined
  /** Sums over all rows, by what they are of: whole minor units, or decimals of a meter. */
  readonly totals: Readonly<Record<string, string>>
  readonly manifest: string | undefined
}

const DAY_MS = 24 * 3_600_000
const LONGEST_MS = 400 * DAY_MS

const parseBody = parser(
  z.strictObject({
    kind: z.enum(EXPORT_KINDS),
    from: z.string(),
    to: z.string(),
    format: z.enum(EXPORT_FORMATS).default('ndjson'),
  }),
)

/** Reads what an export is asked for. The range is half-open; it ends with the present at the latest. */
export function parseWantedExport(raw: unknown, nowMs: number): Result<WantedExport> {
  const body = parseBody(raw)
  if (!body.ok) return body
  const { kind, format } = body.value
  const [fromMs, toMs] = [parseInstant(body.value.from), parseInstant(body.value.to)]
  if (fromMs === undefined || toMs === undefined) {
    return refuse('request.malformed', 'range', 'from and to: must be RFC 3339 instants')
  }
  if (fromMs >= toMs) return invalid('from must lie before to')
  if (toMs > nowMs + DAY_MS) return invalid('to lies in the future')
  if (toMs - fromMs > LONGEST_MS) return invalid('the range may span 400 days at most')
  return ok({ kind, format, period: { fromMs, toMs: Math.min(toMs, nowMs) } })
}

/** A part's bytes in its format. The columns of CSV are those of the rows, in their order. */
export function encodeRows(
  format: WantedExport['format'],
  columns: readonly string[],
  rows: readonly Readonly<Record<string, Cell>>[],
  withHeader: boolean,
): Buffer {
  const lines =
    format === 'ndjson'
      ? rows.map((row) => `${JSON.stringify(row)}\n`)
      : [
          ...(withHeader ? [csvLine(columns)] : []),
          ...rows.map((row) => csvLine(columns.map((name) => row[name] ?? null))),
        ]
  return Buffer.from(lines.join(''), 'utf8')
}

/** The part that some bytes are, by their number among all. */
export function partOf(
  of: { readonly tenantId: string; readonly exportId: string; readonly format: WantedExport['format'] },
  number: number,
  bytes: Buffer,
  rows: number,
): ExportPart {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const name = `part-${String(number).padStart(5, '0')}-${sha256.slice(0, 16)}.${of.format}`
  return { object: `exports/${of.tenantId}/${of.exportId}/${name}`, sha256, bytes: bytes.length, rows }
}

/** What is in an export and how to check it; the last object that is written. */
export function manifestOf(tenantId: string, done: Export): Record<string, unknown> {
  return {
    exportId: done.exportId,
    tenantId,
    kind: done.kind,
    format: done.format,
    from: formatInstant(done.period.fromMs),
    to: formatInstant(done.period.toMs),
    requestedAt: formatInstant(done.requestedAtMs),
    parts: done.parts,
    rows: done.parts.reduce((sum, { rows }) => sum + rows, 0),
    bytes: done.parts.reduce((sum, { bytes }) => sum + bytes, 0),
    totals: done.totals,
  }
}

/** A job as it is answered. */
export function exportJson(bucket: string, tenantId: string, job: Export): Record<string, unknown> {
  const { exportId, status, manifest } = job
  return {
    ...manifestOf(tenantId, job),
    exportId,
    status,
    bucket,
    manifest: manifest ?? null,
  }
}

function invalid(hint: string): Result<never> {
  return refuse('export.invalid', hint, hint)
}
