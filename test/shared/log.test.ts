import { describe, expect, test } from 'vitest'
import { manualClock } from '#shared/clock.ts'
import { createLogger, errorFields, type LogFields, silentLogger } from '#shared/log.ts'

function logged(fields: LogFields, bound: LogFields = {}): Record<string, unknown> & { raw: string } {
  const lines: string[] = []
  const log = createLogger({
    clock: manualClock(0),
    project: 'p',
    service: 's',
    write: (line) => void lines.push(line),
  })
  log.with(bound).info('message', fields)
  expect(lines).toHaveLength(1)
  return { ...JSON.parse(lines[0] ?? ''), raw: lines[0] }
}

describe('a log line', () => {
  test('has what Cloud Logging reads, on one line', () => {
    const lines: string[] = []
    const log = createLogger({
      clock: manualClock(1),
      project: 'p',
      service: 's',
      write: (line) => void lines.push(line),
    })
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true }
    log.with({ tenantId: 'acme' }, trace).warn('push refused', { text: 'two\nlines' })

    expect(lines[0]).not.toContain('\n')
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      severity: 'WARNING',
      message: 'push refused',
      time: '1970-01-01T00:00:00.001Z',
      service: 's',
      'logging.googleapis.com/trace': `projects/p/traces/${'a'.repeat(32)}`,
      'logging.googleapis.com/spanId': 'b'.repeat(16),
      'logging.googleapis.com/trace_sampled': true,
      tenantId: 'acme',
      text: 'two\nlines',
    })
  })

  test.each([
    ['debug', 'DEBUG'],
    ['info', 'INFO'],
    ['warn', 'WARNING'],
    ['error', 'ERROR'],
  ] as const)('of %s has the severity %s', (method, severity) => {
    const lines: string[] = []
    createLogger({
      clock: manualClock(0),
      project: 'p',
      service: 's',
      write: (line) => void lines.push(line),
    })[method]('step')
    expect(JSON.parse(lines[0] ?? '')['severity']).toBe(severity)
  })

  test('keeps its bound fields and trace through further bindings', () => {
    const lines: string[] = []
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: false }
    createLogger({
      clock: manualClock(0),
      project: 'p',
      service: 's',
      write: (line) => void lines.push(line),
    })
      .with({ a: 1 }, trace)
      .with({ b: 2 })
      .info('step')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      a: 1,
      b: 2,
      'logging.googleapis.com/spanId': 'b'.repeat(16),
    })
  })

  test('no field passes for its severity, message, time or service', () => {
    const forged = { severity: 'DEBUG', message: 'forged', time: 'x', service: 'y' }
    expect(logged(forged, forged)).toMatchObject({
      severity: 'INFO',
      message: 'message',
      service: 's',
      time: '1970-01-01T00:00:00.000Z',
    })
  })

  test.each([
    ['a token', `Authorization: Bearer ${'eyJhbGciOiJFUzI1NiJ9'}.eyJzdWIiOiIxIn0.c2ln`],
    ['a token without a signature', 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.'],
    ['half a token', 'cut off: eyJhbGciOiJFUzI1NiJ9'],
    ['a client secret', 'dcs_0123456789abcdef'],
    ['an API key', 'key=dak_0123456789abcdef;'],
    ['a refresh token', 'drt_0123456789abcdef'],
    ['an authorization code', 'dco_0123456789abcdef'],
    ['a Stripe key', 'sk_live_0123456789 sk_test_0123456789 rk_live_0123456789'],
    ['a webhook secret', 'whsec_0123456789'],
    ['Basic credentials', 'Basic Y2xpZW50OnNlY3JldA=='],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END'],
    ['an e-mail address', 'ada.lovelace+x@example.co.uk'],
  ])('never shows %s', (_name, text) => {
    const { raw } = logged({ nested: { deep: [text] }, [`x`]: text }, { bound: text })
    expect(raw).toContain('[redacted]')
    expect(raw).not.toMatch(/0123456789|lovelace|MIGH|Y2xp|hbGci|c2ln/)
  })

  test('shows numbers of any size, and never the bytes of a buffer', () => {
    expect(logged({ n: 2n ** 64n, bytes: Buffer.from('secret'), view: new Uint8Array(3) })).toMatchObject({
      n: '18446744073709551616',
      bytes: '(6 bytes)',
      view: '(3 bytes)',
    })
  })

  test('shows an error within a field, scrubbed', () => {
    expect(logged({ cause: new TypeError('of ada@example.com') })).toMatchObject({
      cause: { error: 'of [redacted]', errorName: 'TypeError' },
    })
  })

  test.each([
    [
      'a circle',
      (() => {
        const a: Record<string, unknown> = {}
        a['a'] = a
        return a
      })(),
    ],
    [
      'a getter that throws',
      {
        get x() {
          throw new Error('x')
        },
      },
    ],
  ])('that cannot be written (%s) is replaced and not thrown', (_name, value) => {
    expect(logged({ value })).toMatchObject({ severity: 'INFO', message: 'message', unwritable: true })
  })

  // A hostile text once made the scrubbing expressions take time that grew with its square.
  test.each([
    'a'.repeat(1_000_000),
    'eyJ'.repeat(300_000),
    'a.'.repeat(500_000),
    '@'.repeat(1_000_000),
    'a@'.repeat(500_000),
    '-----BEGIN '.repeat(90_000),
    'Bearer '.repeat(140_000),
  ])('of a long hostile text is short and quick (%#)', (text) => {
    const startedMs = performance.now()
    expect(logged({ text }).raw.length).toBeLessThan(20_000)
    expect(performance.now() - startedMs).toBeLessThan(500)
  })
})

test('what is said of an error is its class, message, code and stack', () => {
  const error = Object.assign(new RangeError('m'), { code: 14 })
  expect(errorFields(error)).toEqual({
    error: 'm',
    errorName: 'RangeError',
    errorCode: 14,
    stack_trace: error.stack,
  })
  expect(errorFields('text')).toEqual({ error: 'text' })
  expect(errorFields(undefined)).toEqual({ error: 'undefined' })
})

// An engine quotes what it cannot parse, and that is somebody's data.
test.each(['dcs', 'Ada Lovelace', '{"name": Ada', 'A"d\'a\nb'])(
  'of %j that is no JSON, no part is said',
  (text) => {
    let fields: LogFields = {}
    try {
      JSON.parse(text)
    } catch (error) {
      fields = errorFields(error)
    }
    expect(fields).toMatchObject({ errorName: 'SyntaxError', error: expect.stringContaining('JSON') })
    expect(fields['stack_trace']).toContain('log.test.ts')
    for (const part of [text, 'Ada', 'dcs']) {
      expect(`${fields['error']}`).not.toContain(part)
      expect(`${fields['stack_trace']}`.split('\n    at ')[0]).not.toContain(part)
    }
  },
)

test('the silent logger says nothing and stays silent', () => {
  expect(silentLogger.with({})).toBe(silentLogger)
  for (const method of ['debug', 'info', 'warn', 'error'] as const)
    expect(silentLogger[method]('step')).toBeUndefined()
})
