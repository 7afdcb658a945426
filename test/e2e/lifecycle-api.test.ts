import { PubSub } from '@google-cloud/pubsub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Credentials } from '#local/stack/api-client.ts'
import { run } from '../../scripts/energent.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { eventually, startTestStack, type TestStack } from './test-stack.ts'

const folder = temporaryFolder()
let stack: TestStack
const tokens: Record<string, string> = {}

beforeAll(async () => {
  stack = await startTestStack('--data', folder)
  const { operators, tenants } = stack.info()
  const api = stack.api()
  tokens['ada'] = await api.token(operators[0])
  tokens['grace'] = await api.token(operators[1])
  for (const tenant of tenants) tokens[tenant.tenantId] = await api.token(tenant)
  // A second machine of the first operator, made by herself over the API.
  const scopes = ['platform:purge', 'platform:operate', 'platform:read', 'platform:tenants']
  const made = await call('ada', 'POST', '/v1/tenants/platform/clients', { scopes })
  tokens['ada2'] = await api.token(made.body as unknown as Credentials)
}, 60_000)
afterAll(() => stack.close())

const call = (as: string, method: string, path: string, json?: object, headers = {}) =>
  stack.api().call(method, path, {
    token: tokens[as] ?? '',
    headers,
    ...(json === undefined ? {} : { json }),
  })
const codeOf = ({ status, body }: { status: number; body: Record<string, unknown> }) => [status, body['code']]

describe('a tenant’s history, through the gateway', () => {
  test('is the same steps and facts to its own people and to operators, who see a little more', async () => {
    const path = '/v1/tenants/acme'
    const [operation] = (await call('acme', 'GET', `${path}/operations`)).body['items'] as {
      kind: string
      status: string
      progress: { done: number; total: number }
    }[]
    const own = await call('acme', 'GET', `${path}/timeline?pageSize=100`)
    const shown = await call('ada', 'GET', `${path}/timeline?pageSize=100`)

    expect(operation).toMatchObject({ kind: 'provision', status: 'succeeded' })
    expect(operation?.progress.done).toBe(operation?.progress.total)
    const items = own.body['items'] as { name: string; kind: string; actor: string }[]
    expect(items.filter(({ kind }) => kind === 'fact').map(({ name }) => name)).toEqual([
      'activated',
      'requested',
    ])
    expect(items.map(({ name }) => name)).toEqual(
      (shown.body['items'] as { name: string }[]).map(({ name }) => name),
    )
    expect(JSON.stringify(own.body)).not.toContain('cid_platform')
    expect(JSON.stringify(shown.body)).toContain('operator:cid_platform')
  })
})

describe('a purge, through the gateway', () => {
  test('is not approved twice by two machines of one person, and under legal hold by nobody', async () => {
    const approve = (as: string) =>
      call(as, 'POST', '/v1/tenants/globex/purge/approvals', { reason: 'a test of approvals' })
    const first = await approve('ada')
    const herOther = await approve('ada2')
    const hold = await call('grace', 'PUT', '/v1/tenants/globex/legal-hold', { reference: 'CASE-1' })
    const second = await approve('grace')

    expect([first.status, first.body['operationId']]).toEqual([201, null])
    expect(codeOf(herOther)).toEqual([409, 'purge.same_approver'])
    expect(hold.status).toBe(200)
    expect(codeOf(second)).toEqual([423, 'tenant.legal_hold'])
    expect((await call('globex', 'GET', '/v1/tenants/globex')).body).toMatchObject({ state: 'ACTIVE' })
  })
})

test('an operator at a terminal orders, waits, and sees each step as it is done', async () => {
  const out: string[] = []
  const err: string[] = []
  const args = ['tenants', 'reconcile', '--tenant', 'acme', '--wait', '--stack', '--data', folder]
  const code = await run(args, {
    env: {},
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
  })

  expect([code, err.filter((line) => !/^[A-Z]\d\d {2}/.test(line))]).toEqual([0, []])
  expect(out.join('\n')).toMatch(/reconcile {2}succeeded\n {2}(\d+) of \1 steps/)
})

test('the keys that certificates are signed with are anybody’s to have', async () => {
  const { status, body } = await call('nobody', 'GET', '/v1/evidence-keys')

  expect(status).toBe(200)
  expect(body['keys']).toContainEqual(expect.objectContaining({ kty: 'EC', crv: 'P-256', alg: 'ES256' }))
  expect(JSON.stringify(body)).not.toContain('"d"')
})

describe('dead letters, through the gateway', () => {
  async function deadLetter(): Promise<string> {
    const { project, pubsubHost } = stack.info()
    const pubsub = new PubSub({ projectId: project, apiEndpoint: pubsubHost, emulatorMode: true })
    const messageId = await pubsub.topic('tenant-facts-dead-letter').publishMessage({
      data: Buffer.from('{"not":"an event"}'),
      attributes: {
        type: 'ai.energent.tenant.activated.v1',
        tenantid: 'acme',
        CloudPubSubDeadLetterSourceSubscription: 'tenant-facts-to-billing',
        CloudPubSubDeadLetterSourceDeliveryCount: '100',
      },
    })
    await pubsub.close()
    return `tenant-facts_${messageId}`
  }
  const LIST = '/v1/dead-letters?topic=tenant-facts'

  test('are listed, shown, sent again under one key, and given up; who did it is written down', async () => {
    const [kept, given] = [await deadLetter(), await deadLetter()]
    const listed = await call('ada', 'GET', LIST)
    const shown = await call('ada', 'GET', `/v1/dead-letters/${kept}`)
    const key = { 'idempotency-key': 'redrive-1' }
    const sent = await call('ada', 'POST', `/v1/dead-letters/${kept}/redrive`, undefined, key)
    const again = await call('ada', 'POST', `/v1/dead-letters/${kept}/redrive`, undefined, key)
    const gone = await call('ada', 'DELETE', `/v1/dead-letters/${given}`)
    const missing = await call('grace', 'GET', `/v1/dead-letters/${given}`)

    expect((listed.body['items'] as { id: string }[]).map(({ id }) => id).sort()).toEqual(
      [kept, given].sort(),
    )
    expect(shown.body).toMatchObject({
      ...{ id: kept, deliveries: 100, subscription: 'tenant-facts-to-billing' },
      ...{ payload: '{"not":"an event"}', attributes: { tenantid: 'acme' } },
    })
    expect([sent.status, again.status, gone.status]).toEqual([202, 202, 204])
    expect(again.body).toEqual(sent.body)
    expect(codeOf(missing)).toEqual([404, 'dead_letter.not_found'])
    expect((await call('ada', 'GET', LIST)).body).toMatchObject({ items: [], complete: true })
    // It was never an event: each listener sets it aside, and the redrive is over.
    await eventually('the redriven letter is in quarantine', async () => {
      const found = stack.parts().engines.firestore?.dump('billing_quarantine') ?? []
      return found.length === 1 ? true : undefined
    })
    const audited = stack.parts().engines.firestore?.dump('tenantAudit/platform/lifecycle_segments') ?? []
    const entries = audited.flatMap(({ data }) => data['entries'] as { action: string; actor: string }[])
    expect(entries.map(({ action }) => action).sort()).toEqual([
      'dead-letter.discarded',
      'dead-letter.redriven',
    ])
    for (const { actor } of entries) expect(actor).toMatch(/^token:cid_platform_/)
  })

  test('are for those who operate', async () => {
    expect(codeOf(await call('acme', 'GET', LIST))).toEqual([403, 'token.insufficient_scope'])
    expect(codeOf(await call('ada', 'GET', '/v1/dead-letters?topic=nothing'))).toEqual([
      400,
      'request.malformed',
    ])
  })
})
