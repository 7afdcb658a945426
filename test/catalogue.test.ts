import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FUNCTION_IDS, FUNCTIONS, type FunctionSpec, GROUPS } from '#shared/catalogue/functions.ts'
import { JOBS, type Job } from '#shared/catalogue/jobs.ts'
import { METERS, type Meter } from '#shared/catalogue/meters.ts'
import { ROUTES, type Route } from '#shared/catalogue/routes.ts'
import { isPlatformScope, PLATFORM_ROLES, PLATFORM_SCOPES, TENANT_SCOPES } from '#shared/catalogue/scopes.ts'
import { TIER_LIMITS, TIERS } from '#shared/catalogue/tiers.ts'
import { EVENT_CONTRACTS } from '#shared/contracts/all-events.ts'
import { EXPORT_REQUESTED, EXPORTED } from '#shared/contracts/events/export-requested.ts'
import { INVOICE_FACT_KINDS } from '#shared/contracts/events/invoice-fact.ts'
import { KEY_FACT_KINDS } from '#shared/contracts/events/key-fact.ts'
import { TENANT_FACT_KINDS } from '#shared/contracts/events/tenant-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { SUBSCRIPTIONS, TOPIC_NAMES, TOPICS, type Topic } from '#shared/contracts/topics.ts'
import { isDocumentId, RESERVED_TENANT_IDS, type TenantId } from '#shared/ids.ts'
import { verifyEvent } from '#shared/pubsub/verify-event.ts'

const ROOT = join(import.meta.dirname, '..')

describe('tiers', () => {
  test.each([
    ['basic', 1, 2, 10, 1],
    ['standard', 2, 4, 25, 2],
    ['premium', 4, 8, 50, 4],
    ['enterprise', 8, 16, 100, 8],
  ] as const)(
    '%s has the limits of the deployment guide',
    (tier, vcpu, memoryGib, storageGib, concurrentWorkflows) => {
      expect(TIER_LIMITS[tier]).toMatchObject({ vcpu, memoryGib, storageGib, concurrentWorkflows })
    },
  )

  test('are four, each larger in everything than the one before', () => {
    expect(Object.keys(TIER_LIMITS)).toEqual([...TIERS])
    TIERS.slice(1).forEach((tier, index) => {
      const smaller = TIER_LIMITS[TIERS[index] ?? 'basic']
      for (const [name, value] of Object.entries(TIER_LIMITS[tier])) {
        expect(value, name).toBeGreaterThan(smaller[name as keyof typeof smaller])
      }
    })
  })
})

describe('functions', () => {
  test.each(Object.entries(FUNCTIONS as Record<string, FunctionSpec>))(
    '%s is a function that its folder registers',
    (_id, spec) => {
      const source = readFileSync(join(ROOT, 'functions', spec.folder, 'index.ts'), 'utf8')
      expect(source).toContain(`'${spec.entryPoint}'`)
      expect(GROUPS).toContain(spec.group)
      expect(spec.name).toMatch(/^energent-[a-z-]+$/)
      expect(spec.ingress).toBe(spec.trigger === 'http' ? 'all' : 'internal-only')
      expect(spec.concurrency).toBeGreaterThan(1)
      expect(spec.maxInstances).toBeGreaterThan(spec.minInstances)
    },
  )

  test('have names and entry points of their own', () => {
    const specs = Object.values(FUNCTIONS)
    expect(new Set(specs.map(({ name }) => name)).size).toBe(specs.length)
    expect(new Set(specs.map(({ entryPoint }) => entryPoint)).size).toBe(specs.length)
  })
})

describe('routes', () => {
  const routes = Object.entries(ROUTES as Record<string, Route>)

  // An invitation is accepted by somebody signed in who has no role yet, and so no scope.
  test.each(routes)('%s has a scope if and only if it takes a token', (id, route) => {
    const scopes: readonly string[] = [...TENANT_SCOPES, ...PLATFORM_SCOPES]
    expect(route.scope !== undefined).toBe(route.security === 'token' && id !== 'acceptInvitation')
    if (route.scope !== undefined) expect(scopes).toContain(route.scope)
    if (route.operatorScope !== undefined) expect(PLATFORM_SCOPES).toContain(route.operatorScope)
  })

  test.each(routes)(
    '%s belongs to an HTTP function and takes a body only where it says of what kind',
    (_id, route) => {
      expect(FUNCTIONS[route.function].trigger).toBe('http')
      if (route.accepts !== undefined) expect(route.maxBodyBytes).toBeGreaterThan(0)
      if (route.method === 'GET') expect(route.maxBodyBytes).toBe(0)
      expect(route.maxBodyBytes).toBeLessThanOrEqual(256 * 1024)
      if (route.maxBodyBytes > 0 && route.security !== 'scheduler') expect(route.accepts).toBeDefined()
    },
  )

  test.each(routes)('%s lies below /internal exactly when the scheduler calls it', (_id, route) => {
    expect(route.path.startsWith('/internal/')).toBe(route.security === 'scheduler')
  })

  // Browsers in a sign-in and directories have no token yet: the one proves a flow, the other an API key.
  test.each(routes)('%s names a tenant only in a path that is checked against the token', (_id, route) => {
    if (/^\/(?:sso|scim\/v2)\//.test(route.path)) {
      expect(route.path).toMatch(/^\/(?:sso|scim\/v2)\/\{tenantId\}\//)
      expect(route.security).toBe('public')
    } else if (/^\/v1\/(?:plans|meters|dead-letters)\//.test(route.path)) {
      // The operators' own: no tenant's path, and no tenant's scope opens them.
      expect(route.scope).toMatch(/^platform:/)
    } else if (route.path.includes('{')) {
      expect(route.path).toMatch(/^\/v1\/tenants\/\{tenantId\}(\/|$)/)
      expect(route.security).toBe('token')
    }
  })

  test('are each one method and path of one function', () => {
    const keys = routes.map(
      ([, { method, path, function: owner }]) =>
        `${method} ${path.replace(/\{\w+\}/g, '{}')} ${path.startsWith('/internal') ? owner : ''}`,
    )
    expect(new Set(keys).size).toBe(keys.length)
  })
})

describe('jobs', () => {
  test.each(Object.entries(JOBS as Record<string, Job>))(
    '%s calls a route of the scheduler',
    (_name, job) => {
      const routes: Route[] = Object.values(ROUTES)
      expect(
        routes.filter(
          (route) =>
            route.security === 'scheduler' && route.path === job.path && route.function === job.function,
        ),
      ).toHaveLength(1)
      expect(job.everySeconds).toBeGreaterThanOrEqual(60)
    },
  )

  test('leave no route of the scheduler uncalled', () => {
    for (const route of Object.values(ROUTES as Record<string, Route>)) {
      if (route.security !== 'scheduler') continue
      expect(
        Object.values(JOBS).some((job) => job.function === route.function && job.path === route.path),
      ).toBe(true)
    }
  })
})

describe('scopes', () => {
  test('are either of tenants or of operators', () => {
    expect(TENANT_SCOPES.some(isPlatformScope)).toBe(false)
    expect(PLATFORM_SCOPES.every(isPlatformScope)).toBe(true)
    expect(new Set([...TENANT_SCOPES, ...PLATFORM_SCOPES]).size).toBe(
      TENANT_SCOPES.length + PLATFORM_SCOPES.length,
    )
  })

  test('of roles exist, and only the admin has all', () => {
    for (const [role, scopes] of Object.entries(PLATFORM_ROLES)) {
      expect(scopes.every(isPlatformScope)).toBe(true)
      expect(scopes.length === PLATFORM_SCOPES.length).toBe(role === 'platform_admin')
    }
  })
})

test.each(Object.entries(METERS as Record<string, Meter>))(
  'the meter %s can be named in a type and a document',
  (id, meter) => {
    expect(id).toMatch(/^[a-z][a-z0-9_]*$/)
    expect(isDocumentId(id)).toBe(true)
    expect(meter.scale).toBeGreaterThanOrEqual(0)
    expect(meter.scale).toBeLessThanOrEqual(9)
    if (['unique_count', 'level_hours'].includes(meter.aggregation)) expect(meter.needsResource).toBe(true)
  },
)

describe('topics', () => {
  const outside = ['collectors', 'security-tooling', 'secret-manager']

  test.each(Object.entries(TOPICS as Record<string, Topic>))(
    '%s is published and heard by functions that exist',
    (_name, topic) => {
      for (const publisher of topic.publishers) expect([...FUNCTION_IDS, ...outside]).toContain(publisher)
      for (const listener of topic.listeners) expect(FUNCTIONS[listener].trigger).toBe('push')
      expect(topic.publishers.length).toBeGreaterThan(0)
      expect(topic.listeners.length).toBeGreaterThan(0)
    },
  )

  test('carry each type on exactly one of them', () => {
    const types = TOPIC_NAMES.flatMap((name) => [...TOPICS[name].types])
    expect(new Set(types).size).toBe(types.length)
    for (const type of types)
      expect(type).toMatch(/^ai\.energent\.(auth|billing|usage|tenant)\.[a-z0-9_-]+\.v[1-9]\d*$/)
  })

  test('have subscriptions with names of their own, each with a dead letter and time to answer', () => {
    expect(new Set(SUBSCRIPTIONS.map(({ name }) => name)).size).toBe(SUBSCRIPTIONS.length)
    for (const subscription of SUBSCRIPTIONS) {
      expect(subscription.name).toMatch(/^[a-z][a-z0-9-]{2,254}$/)
      expect(subscription.maxDeliveryAttempts).toBe(100)
      expect(subscription.ackDeadlineSeconds).toBeLessThanOrEqual(600)
      expect(subscription.ackDeadlineSeconds).toBeGreaterThan(FUNCTIONS[subscription.listener].timeoutSeconds)
      expect(subscription.deadLetterTopic).toBe(`${subscription.topic}-dead-letter`)
    }
  })
})

describe('events', () => {
  const all = new Map(EVENT_CONTRACTS.map((contract) => [contract.type, contract]))

  test('are all listed: one file, one entry', () => {
    const files = readdirSync(join(ROOT, 'shared/contracts/events')).filter(
      (file) => !['tenant-fact.ts', 'key-fact.ts', 'invoice-fact.ts', 'export-requested.ts'].includes(file),
    )
    expect(all.size).toBe(EVENT_CONTRACTS.length)
    const exports = [...Object.values(EXPORT_REQUESTED), ...Object.values(EXPORTED)]
    const kinds = [TENANT_FACT_KINDS, KEY_FACT_KINDS, INVOICE_FACT_KINDS, exports]
    expect(all.size).toBe(kinds.reduce((sum, { length }) => sum + length, files.length))
  })

  test.each([...all.values()].map((contract) => [contract.type, contract] as const))(
    '%s stands on one topic, and its example is an event that the edge takes',
    (type, contract) => {
      const topics = TOPIC_NAMES.filter((name) => (TOPICS[name].types as readonly string[]).includes(type))
      expect(topics).toHaveLength(1)
      expect(contract.parseData(contract.example)).toEqual({ ok: true, value: contract.example })
      const event = newEvent({
        id: 'e1',
        source: '//energent.ai/test',
        type,
        tenantId: 'acme' as TenantId,
        nowMs: 0,
        data: contract.example,
      })
      expect(verifyEvent(JSON.parse(JSON.stringify(event)), { type, tenantid: 'acme' })).toMatchObject({
        ok: true,
      })
    },
  )

  test.each([...all.values()].map((contract) => [contract.type, contract] as const))(
    '%s needs every member of its example',
    (_type, contract) => {
      const optional = new Set([
        'operationId',
        'trialEndsAt',
        'effective',
        'fromTier',
        'sequence',
        'limitSeconds',
      ])
      for (const name of Object.keys(contract.example)) {
        const { [name]: _left, ...rest } = contract.example as Record<string, unknown>
        if (!contract.parseData(rest).ok) continue
        expect(optional, name).toContain(name)
      }
      for (const data of [null, [], 'x', {}]) expect(contract.parseData(data).ok).toBe(false)
    },
  )
})

test('reserved tenant ids are tenant ids, so that only the reservation keeps them', () => {
  expect(RESERVED_TENANT_IDS).toEqual(
    expect.arrayContaining(['platform', 'system', 'energent', 'admin', 'internal']),
  )
})
