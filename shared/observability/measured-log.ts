import type { LogFields, Logger } from '../log.ts'
import type { Labels, Registry } from '../metrics.ts'
import type { LogMessage } from './messages.ts'
import { type LabelSpec, type LineField, METRICS, type MetricSpec, OTHER, PRESENT } from './metrics-table.ts'

type Named = readonly [name: string, spec: MetricSpec]

const BY_MESSAGE = Map.groupBy<LogMessage, Named>(Object.entries(METRICS), ([, spec]) => spec.message)

/**
 * The same logger, whose lines also count: what `/metrics` shows follows from what was logged, by the
 * table alone, as the log-based metrics of the project do.
 */
export function measuredLog(log: Logger, registry: Registry): Logger {
  return measuredWith(log, registry, {})
}

function measuredWith(log: Logger, registry: Registry, bound: LogFields): Logger {
  const counted =
    (write: Logger['info']): Logger['info'] =>
    (message, fields) => {
      measure(registry, message, { ...bound, ...fields })
      write(message, fields)
    }
  return {
    debug: counted(log.debug),
    info: counted(log.info),
    warn: counted(log.warn),
    error: counted(log.error),
    with: (fields, trace) => measuredWith(log.with(fields, trace), registry, { ...bound, ...fields }),
  }
}

/** Takes one line into account. */
export function measure(registry: Registry, message: LogMessage, line: LogFields): void {
  for (const [name, spec] of BY_MESSAGE.get(message) ?? []) {
    if (!holds(spec, line)) continue
    const labels = labelsOf(spec, line)
    if (spec.kind === 'counter') registry.count(name, labels)
    else {
      const durationMs = spec.valueMs === undefined ? undefined : valueAt(line, spec.valueMs)
      if (typeof durationMs === 'number' && durationMs >= 0) registry.observe(name, durationMs / 1000, labels)
    }
  }
}

function holds(spec: MetricSpec, line: LogFields): boolean {
  return Object.entries(spec.where ?? {}).every(([field, wanted]) => {
    const value = valueAt(line, field)
    return wanted === PRESENT ? value !== undefined : value === wanted
  })
}

function labelsOf(spec: MetricSpec, line: LogFields): Labels {
  return Object.fromEntries(
    Object.entries(spec.labels).map(([label, known]) => [label, labelOf(known, line)]),
  )
}

function labelOf({ field, values }: LabelSpec, line: LogFields): string {
  const value = valueAt(line, field)
  // Anything else has no text to compare, and some of it not even a way to get one.
  const text = typeof value === 'number' ? String(value) : value
  return typeof text === 'string' && values.includes(text) ? text : OTHER
}

function valueAt(line: LogFields, field: LineField): unknown {
  return field
    .split('.')
    .reduce<unknown>(
      (value, name) => (typeof value === 'object' && value !== null ? (value as LogFields)[name] : undefined),
      line,
    )
}
