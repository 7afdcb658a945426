/** Label values, few and bounded: never an id of a tenant, a user or a request. */
export type Labels = Readonly<Record<string, string>>

/** Counters and histograms of one process, shown at `/metrics` in Prometheus text (format 0.0.4). */
export type Metrics = {
  /** Adds one to a counter; the name ends in `_total`. */
  count(name: string, labels?: Labels): void
  /** Records a duration in seconds; the name ends in `_seconds`. */
  observe(name: string, seconds: number, labels?: Labels): void
  render(): string
}

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30]

type Histogram = { counts: number[]; sum: number; count: number }

export function createMetrics(help: Readonly<Record<string, string>> = {}): Metrics {
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
      const histogram = series.get(key) ?? { counts: BUCKETS.map(() => 0), sum: 0, count: 0 }
      series.set(key, histogram)
      BUCKETS.forEach((bound, index) => {
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
    ...BUCKETS.map(
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
