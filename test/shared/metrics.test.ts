import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRegistry } from '#shared/metrics.ts'

type Sample = { name: string; labels: Record<string, string>; value: number }

/** Reads Prometheus text (format 0.0.4) and throws at anything the format does not allow. */
function parsePrometheus(text: string): { types: Record<string, string>; samples: Sample[] } {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end')
  const types: Record<string, string> = {}
  const samples: Sample[] = []
  for (const line of text.split('\n').slice(0, -1)) {
    if (line === '') continue
    const meta = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line)
    if (meta?.[1] === 'TYPE' && meta[2] !== undefined && meta[3] !== undefined) {
      if (types[meta[2]] !== undefined) throw new Error(`two types of ${meta[2]}`)
      if (!['counter', 'histogram', 'gauge'].includes(meta[3])) throw new Error(line)
      types[meta[2]] = meta[3]
    } else if (meta?.[1] === 'HELP') {
      if (/\\[^\\n]/.test(meta[3]?.replaceAll('\\\\', '') ?? '')) throw new Error(line)
    } else samples.push(parseSample(line))
  }
  return { types, samples }
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

describe('metrics in Prometheus text', () => {
  test('count by label, whatever order the labels came in', () => {
    const metrics = createRegistry()
    metrics.count('a_total', { x: '1', y: '2' })
    metrics.count('a_total', { y: '2', x: '1' })
    metrics.count('a_total')

    const { types, samples } = parsePrometheus(metrics.render())
    expect(types).toEqual({ a_total: 'counter' })
    expect(samples).toEqual([
      { name: 'a_total', labels: { x: '1', y: '2' }, value: 2 },
      { name: 'a_total', labels: {}, value: 1 },
    ])
  })

  test('a histogram is cumulative and ends with all of them', () => {
    const metrics = createRegistry()
    for (const seconds of [0, 0.005, 0.3, 31, 1e9]) metrics.observe('b_seconds', seconds, { x: '1' })

    const { types, samples } = parsePrometheus(metrics.render())
    const buckets = samples.filter(({ name }) => name === 'b_seconds_bucket')
    expect(types).toEqual({ b_seconds: 'histogram' })
    expect(buckets.map(({ value }) => value)).toEqual(
      [...buckets.map(({ value }) => value)].sort((a, b) => a - b),
    )
    expect(buckets.at(0)).toEqual({ name: 'b_seconds_bucket', labels: { x: '1', le: '0.005' }, value: 2 })
    expect(buckets.at(-1)).toEqual({ name: 'b_seconds_bucket', labels: { x: '1', le: '+Inf' }, value: 5 })
    expect(samples.find(({ name }) => name === 'b_seconds_count')?.value).toBe(5)
    expect(samples.find(({ name }) => name === 'b_seconds_sum')?.value).toBeCloseTo(1e9 + 31.305, 3)
  })

  test('any label value comes back as it was', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\\"\n,={}]*$/)), (value) => {
        const metrics = createRegistry({ a_total: `help \\ with\nlines` })
        metrics.count('a_total', { x: value })
        expect(parsePrometheus(metrics.render()).samples[0]?.labels).toEqual({ x: value })
      }),
    )
  })

  test('of nothing is empty', () => {
    expect(parsePrometheus(createRegistry().render()).samples).toEqual([])
  })

  test('this parser does find faults', () => {
    for (const text of ['a', 'a{x="1} 1\n', 'a{x=1} 1\n', 'a 1 \n', '1a 1\n', 'a{x="a\\q"} 1\n', 'a x\n']) {
      expect(() => parsePrometheus(text), text).toThrow()
    }
  })
})
