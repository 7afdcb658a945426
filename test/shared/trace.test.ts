import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemIds } from '#shared/ids.ts'
import { childOf, formatTraceparent, readTrace } from '#shared/trace.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

describe('a trace', () => {
  test('is read from traceparent, before any other header', () => {
    const trace = readTrace(systemIds, `00-${TRACE}-00f067aa0ba902b7-01`, `${'1'.repeat(32)}/1;o=0`)
    expect(trace).toEqual({ traceId: TRACE, spanId: '00f067aa0ba902b7', sampled: true })
    expect(formatTraceparent(trace)).toBe(`00-${TRACE}-00f067aa0ba902b7-01`)
  })

  test.each([
    ['', false],
    [';o=0', false],
    [';o=1', true],
  ])('is read from X-Cloud-Trace-Context with its decimal span (%s)', (option, sampled) => {
    expect(readTrace(systemIds, undefined, `${TRACE.toUpperCase()}/255${option}`)).toEqual({
      traceId: TRACE,
      spanId: '00000000000000ff',
      sampled,
    })
  })

  test('keeps the largest span of 64 bits', () => {
    expect(readTrace(systemIds, undefined, `${TRACE}/18446744073709551615`).spanId).toBe('f'.repeat(16))
  })

  test.each([
    undefined,
    '',
    'x',
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`,
    `ff-${TRACE}-00f067aa0ba902b7-01`,
    `00-${TRACE}-00f067aa0ba902b7-01-x`,
    `00-${TRACE}-00f067aa0ba902b7-01\n`,
    `00-${TRACE}-00f067aa0ba902b7`,
    `x00-${TRACE}-00f067aa0ba902b7-01`,
  ])('%j starts a new one', (header) => {
    const trace = readTrace(systemIds, header)
    expect(trace.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(trace.traceId).not.toBe(TRACE)
    expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/)
  })

  test('of zeros in X-Cloud-Trace-Context starts a new one', () => {
    expect(readTrace(systemIds, undefined, `${'0'.repeat(32)}/1`).traceId).not.toBe('0'.repeat(32))
  })

  test('goes on in a child with another span', () => {
    const trace = readTrace(systemIds)
    const child = childOf(systemIds, trace)
    expect(child).toEqual({ ...trace, spanId: expect.not.stringMatching(trace.spanId) })
  })

  test('whatever the headers say, is one that can be sent on', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        expect(formatTraceparent(readTrace(systemIds, one, other))).toMatch(
          /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/,
        )
      }),
    )
  })
})
