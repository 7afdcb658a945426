export type Sample = { name: string; labels: Record<string, string>; value: number }

export type Exposition = {
  readonly types: Readonly<Record<string, string>>
  readonly samples: readonly Sample[]
}

/**
 * Reads Prometheus text (format 0.0.4) and throws at anything the format does not allow, or that
 * `promtool check metrics` warns of: families without help, counters not ending in `_total`.
 */
export function parsePrometheus(text: string): Exposition {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end')
  const types: Record<string, string> = {}
  const helped = new Set<string>()
  const samples: Sample[] = []
  let family = ''
  for (const line of text.split('\n').slice(0, -1)) {
    if (line === '') continue
    const meta = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line)
    if (meta === null) {
      samples.push(sampleOf(line, family, types[family]))
      continue
    }
    const [, kind, name = '', rest = ''] = meta
    if (kind === 'HELP') {
      if (helped.has(name)) throw new Error(`two helps of ${name}`)
      if (rest === '' || /\\[^\\n]/.test(rest.replaceAll('\\\\', ''))) throw new Error(line)
      helped.add(name)
    } else {
      if (types[name] !== undefined) throw new Error(`two types of ${name}`)
      if (!helped.has(name)) throw new Error(`${name} has no help`)
      if (rest !== 'counter' && rest !== 'histogram') throw new Error(line)
      if ((rest === 'counter') !== name.endsWith('_total')) throw new Error(`${name} is no name of a ${rest}`)
      types[name] = rest
      family = name
    }
  }
  checkSeries(samples)
  checkHistograms(types, samples)
  return { types, samples }
}

function sampleOf(line: string, family: string, type: string | undefined): Sample {
  const sample = parseSample(line)
  const names = type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => family + end) : [family]
  if (type === undefined || !names.includes(sample.name)) throw new Error(`${sample.name} stands elsewhere`)
  if (sample.value < 0) throw new Error(`${line} is negative`)
  return sample
}

function parseSample(line: string): Sample {
  const found =
    /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"(?:,(?=[a-z])|(?=\})))*)\})? (\S+)$/i.exec(
      line,
    )
  if (found?.[1] === undefined) throw new Error(`not a sample: ${line}`)
  const labels: Record<string, string> = {}
  for (const [, name = '', value = ''] of (found[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    if (name in labels) throw new Error(`two labels ${name}`)
    labels[name] = value.replace(/\\(.)/g, (_all, escaped) => (escaped === 'n' ? '\n' : escaped))
  }
  const value = found[3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(found[3])
  if (Number.isNaN(value)) throw new Error(`no number: ${line}`)
  return { name: found[1], labels, value }
}

/** What makes a series: its name and labels, in any order. */
export function seriesOf({ name, labels }: Sample): string {
  return JSON.stringify([name, Object.entries(labels).sort()])
}

function checkSeries(samples: readonly Sample[]): void {
  const seen = new Set<string>()
  for (const sample of samples) {
    const series = seriesOf(sample)
    if (seen.has(series)) throw new Error(`twice: ${series}`)
    seen.add(series)
  }
}

function checkHistograms(types: Readonly<Record<string, string>>, samples: readonly Sample[]): void {
  for (const family of Object.keys(types).filter((name) => types[name] === 'histogram')) {
    const own = samples.filter(({ name }) => name.startsWith(`${family}_`))
    for (const [labels, series] of Map.groupBy(own, (sample) => labelsWithoutBound(sample))) {
      const buckets = series.filter(({ name }) => name === `${family}_bucket`)
      const bounds = buckets.map(({ labels: { le = '' } }) => (le === '+Inf' ? Infinity : Number(le)))
      const counts = buckets.map(({ value }) => value)
      const total = series.find(({ name }) => name === `${family}_count`)?.value
      const summed = series.some(({ name }) => name === `${family}_sum`)
      const rising = (all: readonly number[]): boolean =>
        all.every((value, at) => at === 0 || value >= (all[at - 1] ?? 0))
      if (
        bounds.at(-1) !== Infinity ||
        counts.at(-1) !== total ||
        !summed ||
        !rising(bounds) ||
        !rising(counts)
      )
        throw new Error(`${family}${labels} is no histogram`)
    }
  }
}

function labelsWithoutBound({ labels }: Sample): string {
  const { le: _bound, ...rest } = labels
  return JSON.stringify(Object.entries(rest).sort())
}
