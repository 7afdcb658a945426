import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRegistry } from '#shared/metrics.ts'
import { parsePrometheus } from '../support/prometheus.ts'

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

  const family = '# HELP a_total A.\n# TYPE a_total counter\n'
  const histogram = '# HELP b_seconds B.\n# TYPE b_seconds histogram\n'
  test.each([
    'a',
    'a{x="1} 1\n',
    'a{x=1} 1\n',
    'a 1 \n',
    '1a 1\n',
    'a{x="a\\q"} 1\n',
    'a x\n',
    'a_total 1\n',
    '# TYPE a_total counter\na_total 1\n',
    '# HELP a A.\n# TYPE a counter\na 1\n',
    `${family}a_total 1\na_total 1\n`,
    `${family}a_total{x="1",x="2"} 1\n`,
    `${family}a_total -1\n`,
    `${family}${family}a_total 1\n`,
    `${family}b_total 1\n`,
    `${histogram}b_seconds_bucket{le="1"} 1\nb_seconds_sum 1\nb_seconds_count 1\n`,
    `${histogram}b_seconds_bucket{le="1"} 2\nb_seconds_bucket{le="+Inf"} 1\nb_seconds_sum 1\nb_seconds_count 1\n`,
    `${histogram}b_seconds_bucket{le="+Inf"} 1\nb_seconds_sum 1\nb_seconds_count 2\n`,
    `${histogram}b_seconds_bucket{le="+Inf"} 1\nb_seconds_count 1\n`,
  ])('this parser does find the fault in %j', (text) => {
    expect(() => parsePrometheus(text)).toThrow()
  })
})
