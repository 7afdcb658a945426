import { BUCKET_SECONDS, type LineField, METRICS, type MetricSpec, PRESENT } from './metrics-table.ts'

/** A log-based metric in the words of Terraform's `google_logging_metric`. */
export type CloudMetric = {
  readonly name: string
  readonly description: string
  /** In the Logging query language; Terraform adds which services it is about. */
  readonly filter: string
  readonly metric_descriptor: {
    readonly metric_kind: 'DELTA'
    readonly value_type: 'INT64' | 'DISTRIBUTION'
    readonly unit: '1' | 'ms'
    readonly labels: readonly { readonly key: string; readonly value_type: 'STRING' }[]
  }
  readonly label_extractors: Readonly<Record<string, string>>
  readonly value_extractor?: string
  readonly bucket_options?: { readonly explicit_buckets: { readonly bounds: readonly number[] } }
}

/** The table's rows as log-based metrics. */
export function cloudMetrics(): readonly CloudMetric[] {
  return Object.entries<MetricSpec>(METRICS).map(([name, spec]) => {
    const labels = Object.entries(spec.labels)
    const common = {
      name: spec.kind === 'counter' ? name : name.replace(/_seconds$/, '_ms'),
      description: spec.help,
      filter: filterOf(spec),
      label_extractors: Object.fromEntries(
        labels.map(([label, { field }]) => [label, `EXTRACT(${entryField(field)})`]),
      ),
    }
    const described = {
      metric_kind: 'DELTA',
      labels: labels.map(([key]) => ({ key, value_type: 'STRING' }) as const),
    } as const
    if (spec.valueMs === undefined) {
      return { ...common, metric_descriptor: { ...described, value_type: 'INT64', unit: '1' } }
    }
    return {
      ...common,
      metric_descriptor: { ...described, value_type: 'DISTRIBUTION', unit: 'ms' },
      value_extractor: `EXTRACT(${entryField(spec.valueMs)})`,
      bucket_options: { explicit_buckets: { bounds: BUCKET_SECONDS.map((seconds) => seconds * 1000) } },
    }
  })
}

function filterOf({ message, where = {} }: MetricSpec): string {
  const conditions = Object.entries(where).map(([field, wanted]) =>
    wanted === PRESENT ? `${entryField(field)}:*` : `${entryField(field)}=${JSON.stringify(wanted)}`,
  )
  return [`jsonPayload.message=${JSON.stringify(message)}`, ...conditions].join(' AND ')
}

/** Where Cloud Logging puts a field of a line: it lifts `httpRequest` out of the payload. */
function entryField(field: LineField): string {
  return field.startsWith('httpRequest.') ? field : `jsonPayload.${field}`
}
