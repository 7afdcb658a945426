import { Agent, request } from 'node:http'
import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROUTES } from '#shared/catalogue/routes.ts'
import { httpEdge } from '#shared/http/edge.ts'
import { installFront } from '#shared/http/front.ts'
import { metricsHandler } from '#shared/http/standard.ts'
import { type LogFields, silentLogger } from '#shared/log.ts'
import { createRegistry } from '#shared/metrics.ts'
import { cloudMetrics } from '#shared/observability/cloud-metrics.ts'
import { measuredLog } from '#shared/observability/measured-log.ts'
import { LOG_FIELDS, LOG_MESSAGES, type LogMessage } from '#shared/observability/messages.ts'
import { METRICS, type MetricSpec, mostSeries } from '#shared/observability/metrics-table.ts'
import { ok, refuse } from '#shared/result.ts'
import { GRANTS } from '../../functions/auth/domain/client.ts'
import { closeServer, listen, START_MS, testConfig, testPlatform } from '../shared/support/platform.ts'
import { parsePrometheus, type Sample, seriesOf } from '../support/prometheus.ts'

/** `npm run test:long` sends as many as a scanner does; series that grow with requests show long before. */
const REQUESTS = process.env['LONG'] === undefined ? 2_000 : 10_000

const TABLE = Object.entries<MetricSpec>(METRICS)

/** No more series than the table allows, of no metric that it does not have. */
function expectBounded(samples: readonly Sample[]): void {
  for (const [name, spec] of TABLE) {
    const own = samples.filter((sample) => sample.name === name || sample.name.startsWith(`${name}_`))
    expect(new Set(own.map(seriesOf)).size, name).toBeLessThanOrEqual(mostSeries(spec))
  }
  const known = (name: string): boolean => TABLE.some(([metric]) => name.startsWith(metric))
  expect(samples.filter(({ name }) => !known(name))).toEqual([])
}

describe('the table of metrics', () => {
  test.each(TABLE)('%s counts lines of a message that exists, by fields that it has', (name, spec) => {
    const message = LOG_MESSAGES[spec.message]
    const fields: readonly string[] = [...message.fields, ...message.optional]
    const used = [
      ...Object.values(spec.labels).map(({ field }) => field),
      ...Object.keys(spec.where ?? {}),
      ...(spec.valueMs === undefined ? [] : [spec.valueMs]),
    ]

    expect(name).toMatch(
      spec.kind === 'counter' ? /^energent_[a-z]+(_[a-z]+)*_total$/ : /^energent_[a-z_]+_seconds$/,
    )
    expect(spec.help).toMatch(/^[A-Z].{8,}\.$/)
    for (const field of used) expect(fields).toContain(field.split('.')[0])
    for (const label of Object.keys(spec.labels)) expect(label).toMatch(/^[a-z]+$/)
  })

  // The shared library may not import the functions, so their words stand in the table a second time.
  test('knows the grants of auth', () => {
    expect(METRICS.energent_tokens_issued_total.labels.grant.values).toEqual(GRANTS)
  })

  test('has labels of few values, and none that names a tenant, a request or a person', () => {
    for (const [, { labels }] of TABLE) {
      for (const { field, values } of Object.values(labels)) {
        expect(values.length).toBeGreaterThan(0)
        expect(values.length).toBeLessThanOrEqual(200)
        expect(['tenantId', 'requestId', 'eventId', 'messageId', 'operationId']).not.toContain(field)
      }
    }
    const all = TABLE.reduce((sum, [, spec]) => sum + mostSeries(spec), 0)
    // It grows with the routes and with nothing else; an instance shows only the series that happened.
    expect(all).toBeLessThan(10_000)
  })
})

/** The values a hostile caller, or a bug, might bring into a line. */
const aValue = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.constantFrom('createToken', 'none', 'done', 'failed', 'rate.limited', 'billing-events-to-billing'),
  fc.constantFrom('__proto__', 'constructor', 'a"b\\c\nd', '', undefined, null),
  fc.record({ status: fc.constantFrom(200, 404, 418, 503, '200', undefined) }),
)
const aLine = fc.tuple(
  fc.constantFrom(...(Object.keys(LOG_MESSAGES) as LogMessage[])),
  fc.dictionary(fc.constantFrom(...Object.keys(LOG_FIELDS)), aValue) as fc.Arbitrary<LogFields>,
)

describe('metrics of lines', () => {
  test('stay within the table, whatever 10,000 lines hold', () => {
    const registry = createRegistry({})
    const log = measuredLog(silentLogger, registry)
    for (const [message, fields] of fc.sample(aLine, { numRuns: 10_000, seed: 7 })) {
      log.info(message, { durationMs: 1, ...fields })
    }

    const { samples } = parsePrometheus(registry.render())
    expect(samples.length).toBeGreaterThan(50)
    expectBounded(samples)
  })

  test('see the fields that were bound before', () => {
    const registry = createRegistry({})
    measuredLog(silentLogger, registry)
      .with({ subscription: 'billing-events-to-billing' })
      .with({ messageId: '1' })
      .warn('event quarantined', { code: 'event.malformed', detail: 'x' })

    expect(parsePrometheus(registry.render()).samples).toEqual([
      {
        name: 'energent_events_quarantined_total',
        labels: { code: 'event.malformed', subscription: 'billing-events-to-billing' },
        value: 1,
      },
    ])
  })

  // The same rows twice: what Cloud Monitoring counts must be what /metrics shows.
  test('are what the log-based metrics of the project count', () => {
    fc.assert(
      fc.property(fc.array(aLine, { maxLength: 40 }), (lines) => {
        const registry = createRegistry({})
        const log = measuredLog(silentLogger, registry)
        for (const [message, fields] of lines) log.info(message, { durationMs: 1, ...fields })
        const { samples } = parsePrometheus(registry.render())

        for (const metric of cloudMetrics()) {
          if (metric.value_extractor !== undefined) continue
          const counted = lines.filter(([message, fields]) =>
            passes(metric.filter, { ...fields, message, durationMs: fields['durationMs'] ?? 1 }),
          )
          const shown = samples.filter(({ name }) => name === metric.name)
          expect(
            shown.reduce((sum, { value }) => sum + value, 0),
            metric.name,
          ).toBe(counted.length)
        }
      }),
      { numRuns: 200 },
    )
  })
})

/** As much of the Logging query language as our filters use. */
function passes(filter: string, line: LogFields): boolean {
  return filter.split(' AND ').every((condition) => {
    const [, path = '', wanted] = /^([\w.]+)(?:=(.+)|:\*)$/.exec(condition) ?? []
    const field = path.replace(/^jsonPayload\./, '')
    const value = field
      .split('.')
      .reduce<unknown>(
        (at, name) => (typeof at === 'object' && at !== null ? (at as LogFields)[name] : undefined),
        line,
      )
    return wanted === undefined ? value !== undefined : value === JSON.parse(wanted)
  })
}

describe('metrics of a function', () => {
  installFront()
  const platform = testPlatform(testConfig('direct'), 'lifecycle')
  const answers = [
    ok({ status: 200, json: {} }),
    refuse('resource.not_found', 'x'),
    refuse('rate.limited', 'x'),
  ]
  let turn = 0
  const handler = async () => {
    turn += 1
    if (turn % 7 === 0) throw new Error('boom')
    return answers[turn % answers.length] ?? ok({ status: 204 })
  }
  const operations = Object.entries(ROUTES).filter(([, route]) => route.function === 'tenants-api')
  const handlers = Object.fromEntries(operations.map(([id]) => [id, handler]))
  let url = ''
  const server = (() => {
    http('observed', httpEdge(platform, 'tenants-api', handlers as never))
    return getTestServer('observed')
  })()
  beforeAll(async () => {
    url = await listen(server)
  })
  afterAll(() => closeServer(server))

  // Paths, methods and headers are a stranger's to choose; the series are not.
  test(`do not grow with ${REQUESTS} random requests`, { timeout: 60_000 }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 40 })
    const segment = fc.stringMatching(/^[A-Za-z0-9._~-]{1,12}$/)
    const path = fc.oneof(
      fc.constantFrom('/health/tenants', '/v1/tenants', '/v1/tenants/acme', '/internal/sweep/run'),
      fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join('/')}`),
      fc.array(segment, { maxLength: 3 }).map((parts) => `/v1/tenants/${parts.join('/operations/')}`),
    )
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND')
    const wanted = fc.sample(fc.tuple(method, path), { numRuns: REQUESTS, seed: 11 })
    const statuses = new Set<number>()
    const work = async (): Promise<void> => {
      for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
        statuses.add(await send(agent, url, next[0], next[1]))
      }
    }
    await Promise.all(Array.from({ length: 40 }, work))
    agent.destroy()
    const shown = await metricsHandler(platform.metrics)({ nowMs: START_MS } as never)
    const { samples } = parsePrometheus(shown.ok ? (shown.value.text ?? '') : '')
    const counted = samples.filter(({ name }) => name === 'energent_http_requests_total')

    expect(statuses.size).toBeGreaterThan(4)
    expect(counted.reduce((sum, { value }) => sum + value, 0)).toBe(REQUESTS)
    expectBounded(samples)
  })
})

function send(agent: Agent, url: string, method: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method, agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject).end()
  })
}
