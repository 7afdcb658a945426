import { cloudMetrics } from '#shared/observability/cloud-metrics.ts'
import { type FieldName, LOG_FIELDS, LOG_MESSAGES, type MessageSpec } from '#shared/observability/messages.ts'
import { METRICS, type MetricSpec, mostSeries, PRESENT } from '#shared/observability/metrics-table.ts'
import { code, MADE, page, table } from './page.ts'

/** `docs/observability.md`: every message, field and metric. */
export function renderObservability(): string {
  return page(['# Logs, metrics and health', MADE, '', ...logs(), ...metrics(), ...health()])
}

function logs(): string[] {
  const messages = Object.entries<MessageSpec>(LOG_MESSAGES).map(([message, spec]) => [
    code(message),
    spec.severities.join(', '),
    spec.meaning,
    names(spec.fields),
  ])
  const fields = Object.entries(LOG_FIELDS).map(([name, { meaning }]) => [code(name), meaning])
  return [
    '## Logs',
    '',
    'One JSON line on standard output for each request or message, in the format that Cloud Logging takes',
    'apart: `severity`, `message`, `time`, `httpRequest` and the trace. The trace is the caller’s',
    '(`traceparent`, else `X-Cloud-Trace-Context`) and goes on with every event, so that one search shows a',
    'request and all that followed from it. Messages are constant: lines can be counted. No line holds a',
    'credential, an e-mail address, a display name or a body. `docs/log-line.schema.json` is the schema.',
    '',
    ...table(['Message', 'Severity', 'Written when', 'Always with'], messages),
    ...table(['Field', 'What it is'], fields),
    'Where to begin:',
    '',
    '```text',
    'jsonPayload.requestId="…"                                   one request, by the id the caller has',
    'jsonPayload.tenantId="acme" AND severity>=WARNING           what went wrong for a tenant',
    'jsonPayload.message="event quarantined"                     what waits for an operator',
    'trace="projects/PROJECT/traces/…"                           everything that followed from a request',
    '```',
    '',
  ]
}

function metrics(): string[] {
  const rows = Object.entries<MetricSpec>(METRICS).map(([name, spec]) => [
    code(name),
    spec.kind,
    spec.help,
    names(Object.keys(spec.labels)),
    conditionsOf(spec),
    String(mostSeries(spec)),
  ])
  return [
    '## Metrics',
    '',
    'Metrics are counted from the lines above and nothing else. `GET /metrics`, `/metrics/billing` and',
    '`/metrics/tenants` show those of one instance in Prometheus text, for operators; log-based metrics of',
    'the same rows (`docs/log-metrics.json`) count all instances, and those of the event functions, which',
    'nobody can ask. A label takes only the values of its table',
    'in the code, and `other`: nobody can make series by sending nonsense. Durations are in seconds here and',
    'in milliseconds in Cloud Monitoring.',
    '',
    ...table(['Metric', 'Kind', 'Counts', 'Labels', 'Lines', 'Series at most'], rows),
  ]
}

function health(): string[] {
  return [
    '## Health',
    '',
    '`GET /health`, `/health/billing` and `/health/tenants` ask every dependency at once, each for at most two',
    'seconds, and answer 200, or 503 when one fails. They say of each how long it took and when this instance',
    'last found it working, and never why it failed: that is for the log (`dependency failed`). An answer is',
    'kept for a second. Pub/Sub is asked with a message that it must refuse, so that what is tried is',
    'publishing itself.',
  ]
}

/** The log-based metrics, for Terraform. */
export function renderLogMetrics(): string {
  return `${JSON.stringify(cloudMetrics(), undefined, 2)}\n`
}

function conditionsOf({ message, where = {} }: MetricSpec): string {
  const conditions = Object.entries(where).map(([field, wanted]) =>
    wanted === PRESENT ? `with ${code(field)}` : `${code(field)} = ${wanted}`,
  )
  return [code(message), ...conditions].join(', ')
}

function names(all: readonly (FieldName | string)[]): string {
  return all.map(code).join(', ')
}
