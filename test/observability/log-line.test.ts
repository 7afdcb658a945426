import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { manualClock } from '#shared/clock.ts'
import { createLogger, errorFields, type LogFields, type Logger, type Severity } from '#shared/log.ts'
import { logLineFaults } from '#shared/observability/log-line.ts'
import {
  type FieldName,
  LOG_FIELDS,
  LOG_MESSAGES,
  type LogMessage,
  type MessageSpec,
} from '#shared/observability/messages.ts'
import { recordDelivery, recordRequest } from '#shared/observability/records.ts'
import { refuse } from '#shared/result.ts'

const TRACE = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true }
const WRITE: Readonly<Record<Severity, keyof Omit<Logger, 'with'>>> = {
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
}

/** The one line that `act` writes. */
function lineOf(act: (log: Logger) => void): string {
  const lines: string[] = []
  const log = createLogger({
    clock: manualClock(1_795_424_400_000),
    project: 'demo-test',
    service: 'test',
    write: (line) => void lines.push(line),
  })
  act(log.with({}, TRACE))
  expect(lines).toHaveLength(1)
  return lines[0] ?? ''
}

const answered = {
  method: 'GET',
  operationId: 'getTenant',
  requestId: 'r',
  status: 200,
  durationMs: 12.345,
} as const

describe('a line that the edges write is as the schema says', () => {
  test.each([
    ['an answer', answered],
    ['an answer to nobody knows what', { ...answered, operationId: undefined, method: undefined }],
    ['a refusal', { ...answered, status: 404, refusal: refuse('resource.not_found', 'x'.repeat(999)) }],
    [
      'a token',
      { ...answered, operationId: 'createToken' as const, besides: { grant: 'client_credentials' } },
    ],
    ['a failure', { ...answered, status: 500, error: Object.assign(new Error('boom'), { code: 14 }) }],
    ['a failure that is no error', { ...answered, status: 500, error: 'boom' }],
  ])('%s', (_name, request) => {
    expect(logLineFaults(lineOf((log) => recordRequest(log, request)))).toEqual([])
  })

  // Whoever is turned away is told so; nobody is woken for it, and a fault is not hidden by it.
  test.each([
    ['overload.shed', 503, 'WARNING'],
    ['rate.limited', 429, 'WARNING'],
    ['service.unavailable', 503, 'ERROR'],
    ['internal.error', 500, 'ERROR'],
    ['resource.not_found', 404, 'INFO'],
  ] as const)('%s with %i is logged as %s', (code, status, severity) => {
    const line = lineOf((log) => recordRequest(log, { ...answered, status, refusal: refuse(code, 'why') }))
    expect(JSON.parse(line)).toMatchObject({ severity, code, detail: 'why' })
    expect(logLineFaults(line)).toEqual([])
  })

  const ended = { subscription: 'tenant-facts-to-billing', outcome: 'done', durationMs: 3 } as const
  test.each([
    ['a delivery', { ...ended, deliveryAttempt: 2, type: 'x', tenantId: 'acme' }],
    ['a delivery that failed', { ...ended, outcome: 'failed' as const, error: new TypeError('boom') }],
  ])('%s', (_name, delivery) => {
    expect(logLineFaults(lineOf((log) => recordDelivery(log, delivery)))).toEqual([])
  })

  test('a type that is none of ours is not repeated', () => {
    const line = lineOf((log) => recordDelivery(log, { ...ended, type: 'of somebody’s own' }))
    expect(JSON.parse(line)).toMatchObject({ type: '(unknown)' })
  })
})

describe('every message', () => {
  test.each(Object.entries<MessageSpec>(LOG_MESSAGES))('%s names fields that exist', (_message, spec) => {
    const fields = [...spec.fields, ...spec.optional]
    expect(fields.filter((name) => !(name in LOG_FIELDS))).toEqual([])
    expect(new Set(fields).size).toBe(fields.length)
    expect(spec.meaning).toMatch(/^[A-Z].{10,}\.$/)
  })

  test.each(Object.entries<MessageSpec>(LOG_MESSAGES))('%s passes with its fields', (message, spec) => {
    const fields = Object.fromEntries(
      [...spec.fields, ...spec.optional].map((name) => [name, sampleOf(name)]),
    )
    for (const severity of spec.severities) {
      const line = lineOf((log) => log[WRITE[severity]](message as LogMessage, fields))
      expect(logLineFaults(line)).toEqual([])
    }
  })

  test('has no field that nobody uses', () => {
    const used = Object.values<MessageSpec>(LOG_MESSAGES).flatMap((spec) => [
      ...spec.fields,
      ...spec.optional,
    ])
    expect(Object.keys(LOG_FIELDS).filter((name) => !used.includes(name as FieldName))).toEqual([])
  })
})

function sampleOf(name: FieldName): unknown {
  const { kind } = LOG_FIELDS[name]
  if (kind === 'number') return 1.5
  if (kind === 'flag') return true
  if (kind === 'texts') return ['1']
  if (kind === 'code') return 14
  if (kind !== 'httpRequest') return 'text'
  return { requestMethod: 'GET', requestUrl: '/x', status: 200, latency: '0.000001s' }
}

describe('the schema finds', () => {
  const good = JSON.parse(lineOf((log) => recordRequest(log, answered))) as LogFields
  test.each<[string, object]>([
    ['a message of nobody', { message: 'hello' }],
    ['a message with something in it', { message: 'request of acme' }],
    ['a severity that it never has', { severity: 'DEBUG' }],
    ['a field that it does not have', { email: 'x' }],
    ['a body', { body: '{}' }],
    ['a field that is missing', { requestId: undefined }],
    ['a time of another kind', { time: '2026-11-23 09:00' }],
    ['a trace without its project', { 'logging.googleapis.com/trace': 'a'.repeat(32) }],
    ['a span that is none', { 'logging.googleapis.com/spanId': 'x' }],
    ['a number as text', { durationMs: '12' }],
    ['a header in the request', { httpRequest: { ...(good['httpRequest'] as object), userAgent: 'x' } }],
    ['a text beyond its bounds', { detail: 'x'.repeat(9_000) }],
  ])('%s', (_name, over) => {
    expect(logLineFaults(JSON.stringify(good))).toEqual([])
    expect(logLineFaults(JSON.stringify({ ...good, ...over }))).not.toEqual([])
  })

  test('what is no JSON', () => {
    expect(logLineFaults('Serving function...')).toEqual(['not JSON'])
  })
})

// Whatever is thrown, its line can be read and says nothing that looks like a credential.
test('an error of any kind makes a good line', () => {
  const thrown = fc.oneof(
    fc.string().map((text) => new Error(text)),
    fc.string().map((text) => Object.assign(new TypeError(text), { code: text.slice(0, 90) })),
    fc.constant(Object.assign(new Error('of dcs_0123456789abcdef for ada@example.com'), { code: 7 })),
    fc.anything().filter((value) => value !== undefined && typeof value !== 'object'),
  )
  fc.assert(
    fc.property(thrown, (error) => {
      const line = lineOf((log) => log.error('step threw', { step: 'activate', ...errorFields(error) }))
      expect(logLineFaults(line)).toEqual([])
      expect(line).not.toMatch(/dcs_0123|ada@/)
    }),
  )
})
