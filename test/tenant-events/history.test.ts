import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import { newOperation, withStep } from '../../functions/tenant-events/domain/operation.ts'
import { operationView } from '../../functions/tenant-events/domain/views.ts'
import { aStack, type Stack } from './stack.ts'
import { ACME, contextOf } from './world.ts'

let stack: Stack
beforeAll(async () => {
  stack = await aStack()
})
afterAll(() => stack.close())
beforeEach(async () => {
  stack.forgetAll()
  expect((await stack.create()).status).toBe(202)
})

type Item = Record<string, unknown> & { readonly id: string; readonly name: string; readonly actor: string }

const get = (path: string, as = 'operator') => stack.api('GET', `/v1/tenants/acme${path}`, { as })

/** Commits `count` entries at once, as one commit of lifecycle does. */
const happened = (count: number, tenantId: TenantId = ACME) =>
  stack.deps.tenants.optimistic(contextOf(tenantId), undefined, async () =>
    ok({
      value: 0,
      writes: [],
      audit: Array.from({ length: count }, (_, at) => ({
        action: `thing.${at}`,
        target: 'operations/op_1/s',
      })),
    }),
  )

async function walk(path: string, pageSize: number, between = async () => {}): Promise<Item[]> {
  const items: Item[] = []
  let token: unknown = ''
  while (token !== null) {
    const page = await get(`${path}?pageSize=${pageSize}${token === '' ? '' : `&pageToken=${token}`}`)
    expect(page.status).toBe(200)
    items.push(...(page.body['items'] as Item[]))
    token = page.body['nextPageToken']
    await between()
  }
  return items
}

describe('the timeline', () => {
  test.each([1, 2, 3, 7, 100])('is whole and the newest first, in pages of %i', async (pageSize) => {
    for (const count of [1, 3, 2]) {
      stack.clock.advance(1_000)
      await happened(count)
    }
    // Two commits of one millisecond, each with several entries.
    await Promise.all([happened(2), happened(2)])

    const items = await walk('/timeline', pageSize)

    const all = stack.engine
      .dump('tenantAudit/acme')
      .flatMap(({ data }) => (data['entries'] as { action: string }[]).map(({ action }) => action))
    expect(items).toHaveLength(all.length)
    expect(new Set(items.map(({ id }) => id)).size).toBe(items.length)
    expect(items.map(({ at }) => String(at))).toEqual(
      items
        .map(({ at }) => String(at))
        .sort()
        .reverse(),
    )
    expect(items.at(-1)).toMatchObject({ operationId: expect.stringMatching(/^op_/), outcome: null })
  })

  test('does not move under whoever reads it', async () => {
    await happened(4)
    const before = await walk('/timeline', 100)

    const read = await walk('/timeline', 2, async () => {
      stack.clock.advance(1)
      await happened(3)
    })

    expect(read).toEqual(before)
  })

  test('has facts among the actions, each with the revision it was told at', async () => {
    const items = await walk('/timeline', 50)

    expect(items).toContainEqual(
      expect.objectContaining({ kind: 'fact', name: 'requested', revision: 1, actor: 'operator:operator' }),
    )
    expect(items).toContainEqual(expect.objectContaining({ kind: 'action', name: 'tenant.requested' }))
  })

  test('tells the tenant that an operator did it, and not which one; nor the event behind a step', async () => {
    await happened(1)
    const page = await get('/timeline', 'tenant:acme')

    const actors = (page.body['items'] as Item[]).map(({ actor }) => actor)
    expect(new Set(actors)).toEqual(new Set(['operator', 'system']))
  })

  test('is each tenant’s own, and of one that never was there is none', async () => {
    await stack.create({ tenantId: 'globex' })
    const items = (await get('/timeline')).body['items'] as Item[]
    const foreign = await stack.api('GET', '/v1/tenants/globex/timeline', { as: 'tenant:acme' })
    const missing = await stack.api('GET', '/v1/tenants/nobody/timeline')

    expect(JSON.stringify(items)).not.toContain('globex')
    expect([foreign.status, missing.status]).toEqual([404, 404])
  })

  test.each(['pageSize=0', 'pageToken=x', 'order=asc'])('is not to be had with %s', async (query) => {
    expect((await get(`/timeline?${query}`)).status).toBe(400)
  })
})

describe('the operations', () => {
  test('are listed the newest first, page by page', async () => {
    for (const path of ['resume', 'offboard/cancel']) {
      stack.clock.advance(1_000)
      expect((await stack.api('POST', `/v1/tenants/acme/${path}`)).status).toBe(202)
    }
    const one = await walk('/operations', 1)
    const all = await walk('/operations', 100)

    expect(one).toEqual(all)
    expect(all.map(({ kind }) => kind).at(-1)).toBe('provision')
    // It had nothing to do, and does not look as if it had not begun.
    expect(all[0]).toMatchObject({ status: 'succeeded', steps: [], progress: { done: 0, total: 0 } })
  })
})

test('the text of an error is for operators, without what was secret in it, and with what to do', () => {
  const order = { tier: 'basic', deploymentModel: 'multi_tenant', region: 'us-central1', trialEndsAt: null }
  const fresh = newOperation(
    {
      ...{ operationId: 'op_1', tenantId: ACME, kind: 'provision', request: {} },
      desired: { ...order, suspension: null } as never,
      from: { tier: null, state: 'REQUESTED' },
    },
    0,
  )
  const text = 'denied for ada@example.com with Bearer abcdefgh12345678'
  const lastError = { code: 'cluster.forbidden', text, retriable: false }
  const operation = withStep(fresh, 'apply-namespace', { status: 'waiting', lastError })
  const trouble = (audience: 'tenant' | 'operator') =>
    operationView(operation, audience).steps.find(({ key }) => key === 'apply-namespace')?.lastError

  expect(trouble('tenant')).toEqual({ code: 'cluster.forbidden', retriable: false })
  expect(trouble('operator')).toMatchObject({
    text: 'denied for [redacted] with [redacted]',
    help: { remedy: expect.any(String) },
  })
})

describe('of a purged tenant', () => {
  const CERTIFICATE = {
    certificateId: 'cert_1',
    tenantId: 'gone',
    issuedAtMs: Date.parse('2026-11-23T09:00:00Z'),
    certificate: '{"tenantId":"gone"}',
    signature: { alg: 'ES256', kid: 'k1', value: 'AAAA' },
  }

  test('operators read the certificate and the timeline; nobody reads the tenant', async () => {
    await happened(2, 'gone' as TenantId)
    await stack.deps.tenants.optimistic(contextOf('gone' as TenantId), undefined, async (db) =>
      ok({ value: 0, writes: [db.createSystem('deletionCertificates', 'gone', CERTIFICATE)] }),
    )
    const ask = (path: string, as = 'operator') => stack.api('GET', `/v1/tenants/gone${path}`, { as })
    const certificate = await ask('/deletion-certificate')
    const timeline = await ask('/timeline')

    expect(certificate.body).toEqual({
      ...{ certificateId: 'cert_1', tenantId: 'gone', issuedAt: '2026-11-23T09:00:00.000Z' },
      ...{ certificate: CERTIFICATE.certificate, signature: CERTIFICATE.signature },
    })
    expect(timeline.body['items']).toHaveLength(2)
    const command = await stack.api('POST', '/v1/tenants/gone/resume')
    expect([command.status, command.body['code']]).toEqual([409, 'tenant.state_conflict'])
    expect(
      (await stack.api('POST', '/v1/tenants/gone/offboard', { as: 'owner:gone', body: {} })).status,
    ).toBe(404)
    expect((await ask('')).status).toBe(404)
    expect((await ask('/operations')).status).toBe(404)
    expect((await ask('/timeline', 'tenant:gone')).status).toBe(404)
    expect((await ask('/deletion-certificate', 'tenant:gone')).status).toBe(403)
    expect((await get('/deletion-certificate')).status).toBe(404)
  })
})
