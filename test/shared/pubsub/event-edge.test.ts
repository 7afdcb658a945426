import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { subscriptionReady } from '#shared/contracts/events/subscription-ready.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { installFront } from '#shared/http/front.ts'
import { hashedId, type TenantId } from '#shared/ids.ts'
import { digestOf } from '#shared/json.ts'
import { eventEdge } from '#shared/pubsub/event-edge.ts'
import { type BatchHandler, on, type ReceivedEvent } from '#shared/pubsub/types.ts'
import { ok, refuse } from '#shared/result.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import {
  type CallerMode,
  callerToken,
  closeServer,
  GATEWAY,
  idClaims,
  listen,
  PUSHER,
  START_MS,
  startKeyServer,
  type TestPlatform,
  testConfig,
  testPlatform,
  uniqueName,
} from '../support/platform.ts'

const SUBSCRIPTION = 'billing-facts-to-tenant-events'

function anEvent(over: Record<string, unknown> = {}): Record<string, unknown> {
  const event = newEvent({
    id: 'op_1.ready',
    source: '//energent.ai/billing',
    type: subscriptionReady.type,
    tenantId: 'acme' as TenantId,
    nowMs: START_MS,
    data: subscriptionReady.example,
  })
  return { ...event, ...over }
}

type Push = {
  data?: unknown
  attributes?: Record<string, string>
  subscription?: string
  path?: string
  headers?: Record<string, string>
  body?: string
  method?: string
}

describe.each(['jwks', 'platform', 'direct'] as const)('the event edge, callers checked by %s', (mode) => {
  let keys: Awaited<ReturnType<typeof startKeyServer>>
  let platform: TestPlatform
  const servers: ReturnType<typeof getTestServer>[] = []
  const urls = { 'tenant-events': '', impatient: '', billing: '' }
  let pusher: string
  const received: ReceivedEvent<unknown>[] = []
  const batches: { tenantId: string; ids: string[] }[][] = []
  const behaviour: { current: () => unknown } = { current: () => ok(undefined) }

  beforeAll(async () => {
    installFront()
    keys = await startKeyServer()
    platform = testPlatform(testConfig(mode, keys.url), 'lifecycle')
    const handler = on(subscriptionReady, async (event) => {
      received.push(event)
      return (await behaviour.current()) as never
    })
    const names = [uniqueName('events'), uniqueName('impatient'), uniqueName('usage')] as const
    http(names[0], eventEdge(platform, 'tenant-events', { events: [handler] }))
    // For what is held up on purpose alone: a busy machine may need longer for an honest message.
    http(names[1], eventEdge(platform, 'tenant-events', { events: [handler] }, { deadlineMs: 300 }))
    const handleBatch = async ({ parts }: Parameters<HandleBatch>[0]) => {
      batches.push(
        parts.map(({ ctx, events }) => ({ tenantId: ctx.tenantId, ids: events.map(({ id }) => id) })),
      )
      return (await behaviour.current()) as never
    }
    http(
      names[2],
      eventEdge(platform, 'billing', { events: [], batches: { 'billing-events': { handleBatch } } }),
    )
    servers.push(...names.map((name) => getTestServer(name)))
    urls['tenant-events'] = await listen(servers[0] as never)
    urls.impatient = await listen(servers[1] as never)
    urls.billing = await listen(servers[2] as never)
    pusher = mode === 'direct' ? 'none' : await callerToken(mode, idClaims(PUSHER))
  })

  afterAll(async () => {
    await Promise.all(servers.map(closeServer))
    await keys.close()
  })

  beforeEach(() => {
    received.length = 0
    batches.length = 0
    platform.quarantined.length = 0
    platform.purged.clear()
    platform.lines.length = 0
    behaviour.current = () => ok(undefined)
  })

  async function push(options: Push = {}, target: keyof typeof urls = 'tenant-events') {
    const { data = anEvent(), attributes, subscription = SUBSCRIPTION } = options
    const text = typeof data === 'string' ? data : JSON.stringify(data)
    const attributed = attributes ?? attributesOf(data)
    const message = { data: Buffer.from(text).toString('base64'), attributes: attributed, messageId: '7' }
    const body = JSON.stringify({
      message,
      subscription: `projects/demo-test/subscriptions/${subscription}`,
      deliveryAttempt: 1,
    })
    const response = await fetch(`${urls[target]}${options.path ?? `/events/${subscription}`}`, {
      method: options.method ?? 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${pusher}`, ...options.headers },
      ...(options.method === 'GET' ? {} : { body: options.body ?? body }),
    })
    return { status: response.status, text: await response.text(), headers: response.headers }
  }

  const codes = () => platform.quarantined.map(({ code }) => code)

  test('a good event reaches its handler with a context, a claim and the publisher’s trace', async () => {
    const traceparent = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`
    const event = anEvent({ traceparent })

    expect((await push({ data: event, attributes: { ...attributesOf(event), traceparent } })).status).toBe(
      204,
    )
    expect(received).toHaveLength(1)
    const [first] = received
    expect(TenantContext.is(first?.ctx)).toBe(true)
    expect(first?.ctx.tenantId).toBe('acme')
    expect(first?.claim).toEqual({
      id: hashedId('//energent.ai/billing', 'op_1.ready'),
      kind: 'event',
      digest: digestOf(event),
      keepMs: 30 * 24 * 3_600_000,
    })
    expect(first?.trace.traceId).toBe('c'.repeat(32))
    expect(platform.quarantined).toEqual([])
  })

  test('a redelivery carries the same claim, whatever the transport says', async () => {
    await push()
    await push({ attributes: {} })

    expect(received).toHaveLength(2)
    expect(received[0]?.claim).toEqual(received[1]?.claim)
  })

  // What Eventarc and the framework's own emulation send: the same body beside ce- headers.
  test('the binary mode of CloudEvents is read the same way', async () => {
    const reply = await push({
      headers: {
        'ce-id': '7',
        'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
        'ce-source': '//pubsub.googleapis.com/projects/demo-test/topics/billing-facts',
        'ce-specversion': '1.0',
      },
    })

    expect(reply.status).toBe(204)
    expect(received).toHaveLength(1)
  })

  describe.skipIf(mode === 'direct')('pushes of others', () => {
    const signed = mode as CallerMode
    test.each([
      ['the gateway', () => callerToken(signed, idClaims(GATEWAY))],
      ['another audience', () => callerToken(signed, idClaims(PUSHER, { aud: 'https://other.test' }))],
      ['an expired token', () => callerToken(signed, idClaims(PUSHER, { exp: 1_700_000_000 }))],
      ['nonsense', async () => 'x.y.z'],
    ])('%s is refused and nothing is kept', async (_name, token) => {
      const reply = await push({ headers: { authorization: `Bearer ${await token()}` } })

      expect(reply.status).toBe(401)
      expect(received).toEqual([])
      expect(platform.quarantined).toEqual([])
    })

    test('X-Serverless-Authorization is refused', async () => {
      expect((await push({ headers: { 'x-serverless-authorization': 'Bearer x' } })).status).toBe(401)
      expect(received).toEqual([])
    })

    test('a path that names another subscription is refused', async () => {
      expect((await push({ path: '/events/tenant-work-to-tenant-events' })).status).toBe(404)
      expect((await push({ path: '/' })).status).toBe(404)
      expect(received).toEqual([])
    })
  })

  test.each(['tenant-facts-to-billing', 'nobody-knows', 'billing-facts-to-tenant-events/../x'])(
    'the subscription %s is not this function’s',
    async (subscription) => {
      const reply = await push({ subscription, path: `/events/${SUBSCRIPTION}` })

      expect([400, 401]).toContain(reply.status)
      expect(received).toEqual([])
    },
  )

  test('anything but POST is 405', async () => {
    const reply = await push({ method: 'GET' })

    expect([reply.status, reply.headers.get('allow')]).toEqual([405, 'POST'])
  })

  test.each([
    '',
    '{',
    '[]',
    'null',
    '{"message":{}}',
    '{"message":{"data":"***"},"subscription":"projects/p/subscriptions/s"}',
    '{"message":{"data":1},"subscription":"projects/p/subscriptions/s"}',
    '{"message":{"__proto__":{}},"subscription":"s"}',
  ])('the envelope %j is 400', async (body) => {
    const reply = await push({ body })

    expect(reply.status).toBe(400)
    expect(reply.text).not.toMatch(/\.ts|at /)
  })

  // Pub/Sub keeps a message for days: one may come after everything of its tenant was erased.
  describe('of a purged tenant', () => {
    test('nothing late is handled, and nothing is kept of it', async () => {
      platform.purged.add('acme')
      behaviour.current = () => refuse('tenant.state_conflict', 'why')

      expect((await push()).status).toBe(204)
      expect((await push({ data: 'not json', attributes: { tenantid: 'acme' } })).status).toBe(204)

      expect(received).toEqual([])
      expect(platform.quarantined).toEqual([])
    })

    test('only another tenant is handled as ever', async () => {
      platform.purged.add('globex')

      expect((await push()).status).toBe(204)

      expect(received).toHaveLength(1)
    })
  })

  describe('what can never be right is kept in quarantine and acknowledged', () => {
    test.each([
      ['no JSON', 'nonsense', 'event.malformed'],
      ['no data', '', 'event.malformed'],
      ['bytes that are no UTF-8', '\ufffd', 'event.malformed'],
      ['half a surrogate', '{"a":"\\ud800"}', 'event.malformed'],
      ['an array', [anEvent()], 'event.malformed'],
      ['another version', anEvent({ specversion: '0.3' }), 'event.malformed'],
      ['no id', anEvent({ id: undefined }), 'event.malformed'],
      ['an id with a slash', anEvent({ id: 'a/b' }), 'event.malformed'],
      ['a NUL in the source', anEvent({ source: 'a\0b' }), 'event.malformed'],
      ['a time that is none', anEvent({ time: 'yesterday' }), 'event.malformed'],
      ['data that is a string', anEvent({ data: 'x' }), 'event.malformed'],
      ['data against the contract', anEvent({ data: { tenantId: 'acme' } }), 'event.malformed'],
      ['a prototype', '{"__proto__":{"a":1}}', 'event.malformed'],
      ['a subject of another form', anEvent({ subject: 'acme' }), 'event.malformed'],
      ['a subject that is a path', anEvent({ subject: 'tenants/acme/x' }), 'event.malformed'],
      ['a type of another topic', anEvent({ type: 'ai.energent.tenant.activated.v1' }), 'event.unknown_type'],
      ['a type nobody knows', anEvent({ type: 'x' }), 'event.unknown_type'],
      ['another tenant in the extension', anEvent({ tenantid: 'globex' }), 'event.tenant_mismatch'],
      ['another tenant in the subject', anEvent({ subject: 'tenants/globex' }), 'event.tenant_mismatch'],
      [
        'another tenant in the data',
        anEvent({ data: { ...subscriptionReady.example, tenantId: 'globex' } }),
        'event.tenant_mismatch',
      ],
      [
        'a number for a tenant in the data',
        anEvent({ data: { ...subscriptionReady.example, tenantId: 1 } }),
        'event.tenant_mismatch',
      ],
    ])('%s', async (_name, data, code) => {
      const reply = await push({ data, attributes: {} })

      expect(reply.status).toBe(204)
      expect(received).toEqual([])
      expect(codes()).toEqual([code])
    })

    test.each([
      ['another tenant', { tenantid: 'globex' }, 'event.tenant_mismatch'],
      ['another type', { type: 'ai.energent.tenant.activated.v1' }, 'event.malformed'],
      ['another content type', { 'content-type': 'text/html' }, 'event.malformed'],
    ])('an attribute that says %s', async (_name, over, code) => {
      expect((await push({ attributes: { ...attributesOf(anEvent()), ...over } })).status).toBe(204)
      expect(codes()).toEqual([code])
      expect(received).toEqual([])
    })

    test('a message of attributes alone', async () => {
      const body = JSON.stringify({
        message: { attributes: { tenantid: 'acme' }, messageId: '1' },
        subscription: `projects/demo-test/subscriptions/${SUBSCRIPTION}`,
      })

      expect((await push({ body })).status).toBe(204)
      expect(codes()).toEqual(['event.malformed'])
    })

    test('what a handler refuses, with the bytes and the tenant', async () => {
      behaviour.current = () => refuse('tenant.state_conflict', 'why')
      await push()

      expect(platform.quarantined).toMatchObject([
        {
          code: 'tenant.state_conflict',
          detail: 'why',
          tenantId: 'acme',
          type: subscriptionReady.type,
          subscription: SUBSCRIPTION,
          messageId: '7',
        },
      ])
      expect(JSON.parse(Buffer.from(platform.quarantined[0]?.payload ?? []).toString())).toEqual(anEvent())
    })

    test('the same poison under the same name', async () => {
      await push({ data: 'poison', attributes: {} })
      await push({ data: 'poison', attributes: {} })

      expect(platform.quarantined[0]?.id).toBe(platform.quarantined[1]?.id)
    })
  })

  test('a type of the topic that this function does not handle is let pass', async () => {
    const type = 'ai.energent.billing.charge-refused.v1'
    const reply = await push({
      data: anEvent({ type, data: { tenantId: 'acme', operationId: 'o', reason: 'r' } }),
    })

    expect(reply.status).toBe(204)
    expect(received).toEqual([])
    expect(platform.quarantined).toEqual([])
  })

  describe('what may be right later comes again', () => {
    test.each([
      [
        'an exception',
        () => {
          throw new Error('secret')
        },
      ],
      ['a rejected promise', () => Promise.reject(new Error('secret'))],
      ['a handler that hangs', () => new Promise(() => {})],
      ['a handler that returns nothing', () => undefined],
      ['a refusal that means later', () => refuse('service.unavailable', 'x')],
      ['overload', () => refuse('rate.limited', 'x')],
    ])('%s is 500, and nothing is in quarantine', async (name, act) => {
      behaviour.current = act
      const reply = await push({}, name === 'a handler that hangs' ? 'impatient' : 'tenant-events')

      expect(reply.status).toBe(500)
      expect(reply.text).not.toContain('secret')
      expect(platform.quarantined).toEqual([])
      expect(platform.lines.filter(({ severity }) => severity === 'ERROR')).toMatchObject([
        { subscription: SUBSCRIPTION, messageId: '7' },
      ])
    })

    test('whoever still works on a message that was answered as failed hears that it is over', async () => {
      behaviour.current = () => new Promise(() => {})
      expect((await push({}, 'impatient')).status).toBe(500)
      expect(received.map(({ signal }) => signal.aborted)).toEqual([true])

      behaviour.current = () => ok(undefined)
      expect((await push()).status).toBe(204)
      expect(received.map(({ signal }) => signal.aborted)).toEqual([true, false])
    })

    test('as does a message whose quarantine could not be written', async () => {
      const broken = { ...platform, quarantine: { put: () => Promise.reject(new Error('down')) } }
      const name = uniqueName('broken')
      http(name, eventEdge(broken, 'tenant-events', { events: [] }))
      const server = getTestServer(name)
      const target = await listen(server)
      const body = JSON.stringify({
        message: { data: 'eA==' },
        subscription: `projects/demo-test/subscriptions/${SUBSCRIPTION}`,
      })
      const reply = await fetch(`${target}/events/${SUBSCRIPTION}`, {
        method: 'POST',
        body,
        headers: { authorization: `Bearer ${pusher}` },
      })
      await closeServer(server)

      expect(reply.status).toBe(500)
    })
  })

  test('a message of 10 MB is read, and one beyond what Pub/Sub sends is not', async () => {
    const padding = 'x'.repeat(10_000_000 - 2000)
    const reply = await push({ data: anEvent({ data: { ...subscriptionReady.example, padding } }) })
    expect(reply.status).toBe(204)
    expect(received).toHaveLength(1)

    expect(
      (await push({ body: `"${'x'.repeat(15 * 1024 * 1024)}"` }).catch(() => ({ status: 413 }))).status,
    ).toBe(413)
  })

  describe('a batch', () => {
    const usage = (tenantId: string, id: string, over = {}) => ({
      ...anEvent({
        id,
        source: 'collector',
        type: 'ai.energent.usage.workflow_runs.v1',
        subject: `tenants/${tenantId}`,
        tenantid: tenantId,
        data: { value: '1' },
      }),
      ...over,
    })
    const pushBatch = (data: unknown) =>
      push({ data, attributes: {}, subscription: 'billing-events-to-billing' }, 'billing')

    test('is split by tenant, and a single event is a batch of one', async () => {
      await pushBatch([usage('acme', 'a1'), usage('globex', 'g1'), usage('acme', 'a2')])
      await pushBatch(usage('acme', 'a3'))

      expect(batches).toEqual([
        [
          { tenantId: 'acme', ids: ['a1', 'a2'] },
          { tenantId: 'globex', ids: ['g1'] },
        ],
        [{ tenantId: 'acme', ids: ['a3'] }],
      ])
    })

    test('keeps the neighbours of a bad element', async () => {
      const bad = [
        usage('acme', 'b1', { tenantid: 'globex' }),
        usage('acme', 'b2', { type: 'x' }),
        null,
        7,
        [usage('acme', 'b3')],
      ]

      expect((await pushBatch([usage('acme', 'a1'), ...bad, usage('acme', 'a2')])).status).toBe(204)
      expect(batches).toEqual([[{ tenantId: 'acme', ids: ['a1', 'a2'] }]])
      expect(codes()).toEqual([
        'event.tenant_mismatch',
        'event.unknown_type',
        'event.malformed',
        'event.malformed',
        'event.malformed',
      ])
      expect(new Set(platform.quarantined.map(({ id }) => id)).size).toBe(5)
    })

    // Each of these makes JSON that no digest or store takes.
    test.each([
      '{"a":1e400}',
      '{"a":"\\ud800"}',
      '{"__proto__":{}}',
      '['.repeat(20) + ']'.repeat(20),
      '['.repeat(100_000) + ']'.repeat(100_000),
    ])('keeps the neighbour of %.30s', async (bad) => {
      const reply = await pushBatch(`[${bad},${JSON.stringify(usage('acme', 'a1'))}]`)

      expect(reply.status).toBe(204)
      expect(batches).toEqual([[{ tenantId: 'acme', ids: ['a1'] }]])
      expect(codes()).toEqual(['event.malformed'])
    })

    test('of nothing but bad elements calls nobody', async () => {
      expect((await pushBatch([null])).status).toBe(204)
      expect(batches).toEqual([])
    })

    test('of more events than any producer sends is set aside as a whole', async () => {
      expect(
        (await pushBatch(Array.from({ length: 1_001 }, (_, at) => usage('acme', `e${at}`)))).status,
      ).toBe(204)
      expect(batches).toEqual([])
      expect(codes()).toEqual(['event.malformed'])
    })

    test('that is refused is set aside as a whole, one that fails comes again', async () => {
      behaviour.current = () => refuse('usage.conflict', 'x')
      expect((await pushBatch([usage('acme', 'a1')])).status).toBe(204)
      expect(codes()).toEqual(['usage.conflict'])
      behaviour.current = () => {
        throw new Error('x')
      }
      expect((await pushBatch([usage('acme', 'a1')])).status).toBe(500)
    })
  })
})

type HandleBatch = BatchHandler['handleBatch']

function attributesOf(data: unknown): Record<string, string> {
  const { type, tenantid } = (data ?? {}) as Record<string, string | undefined>
  return {
    'content-type': 'application/cloudevents+json',
    ...(type === undefined ? {} : { type }),
    ...(tenantid === undefined ? {} : { tenantid }),
  }
}
