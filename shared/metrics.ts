import { BUCKET_SECONDS } from './observability/metrics-table.ts'

/** Label values, few and bounded: never an id of a tenant, a user or a request. */
export type Labels = Readonly<Record<string, string>>

/** What `/metrics` shows: Prometheus text, format 0.0.4. */
export type Metrics = {
  render(): string
}

/** The counters and histograms of one process. Only `measuredLog` counts: metrics follow from the log. */
export type Registry = Metrics & {
  /** Adds one to a counter; the name ends in `_total`. */
  count(name: string, labels?: Labels): void
  /** Records a duration in seconds; the name ends in `_seconds`. */
  observe(name: string, seconds: number, labels?: Labels): void
}

type Histogram = { counts: number[]; sum: number; count: number }

export function createRegistry(help: Readonly<Record<string, string>> = {}): Registry {
  const counters = new Map<string, Map<string, number>>()
  const histograms = new Map<string, Map<string, Histogram>>()
  return {
    count: (name, labels = {}) => {
      const series = seriesOf(counters, name)
      const key = labelText(labels)
      series.set(key, (series.get(key) ?? 0) + 1)
    },
    observe: (name, seconds, labels = {}) => {
      const series = seriesOf(histograms, name)
      const key = labelText(labels)
      const histogram = series.get(key) ?? { counts: BUCKET_SECONDS.map(() => 0), sum: 0, count: 0 }
      series.set(key, histogram)
      BUCKET_SECONDS.forEach((bound, index) => {
        if (seconds <= bound) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1
      })
      histogram.sum += seconds
      histogram.count += 1
    },
    render: () =>
      [
        ...[...counters].flatMap(([name, series]) => [
          ...header(name, 'counter', help),
          ...[...series].map(([labels, value]) => `${name}${braced(labels)} ${value}`),
        ]),
        ...[...histograms].flatMap(([name, series]) => [
          ...header(name, 'histogram', help),
          ...[...series].flatMap(([labels, histogram]) => histogramLines(name, labels, histogram)),
        ]),
        '',
      ].join('\n'),
  }
}

function seriesOf<T>(all: Map<string, Map<string, T>>, name: string): Map<string, T> {
  const existing = all.get(name)
  if (existing !== undefined) return existing
  const created = new Map<string, T>()
  all.set(name, created)
  return created
}

function header(name: string, type: string, help: Readonly<Record<string, string>>): string[] {
  const text = help[name] ?? `${name.replaceAll('_', ' ')}.`
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return [`# HELP ${name} ${escaped}`, `# TYPE ${name} ${type}`]
}

function histogramLines(name: string, labels: string, histogram: Histogram): string[] {
  const withBound = (bound: string): string =>
    braced(labels === '' ? `le="${bound}"` : `${labels},le="${bound}"`)
  return [
    ...BUCKET_SECONDS.map(
      (bound, index) => `${name}_bucket${withBound(String(bound))} ${histogram.counts[index] ?? 0}`,
    ),
    `${name}_bucket${withBound('+Inf')} ${histogram.count}`,
    `${name}_sum${braced(labels)} ${histogram.sum}`,
    `${name}_count${braced(labels)} ${histogram.count}`,
  ]
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(
      ([key, value]) =>
        `${key}="${value.replace(/[\\"\n]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`))}"`,
    )
    .join(',')
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`
}
