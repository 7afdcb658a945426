import { PubSub } from '@google-cloud/pubsub'
import { expect } from 'vitest'
import { control, eventually } from '../e2e/test-stack.ts'
import type { Canary } from './canary.ts'
import type { ObservedStack } from './stack.ts'

/** What strangers and friends send, each with a value that can be found again. */
export const MARK = {
  displayName: 'Könary "Läbs" 7f3a & Söhne',
  clientName: 'collector of q9x2-canary-name',
  idempotencyKey: 'canary-key-4b8d6f0a2c',
  email: 'canary.person.51d7@canary-mail.example',
  wrongSecret: 'canary-secret-93e1c7',
  basicUser: 'canary-user-2a60fd',
  bearer: 'canary-bearer-8c4e19',
  odd: 'canary-scheme-77b3aa',
  body: 'canary-body-1f9b',
  member: 'canary_member_c60e',
  // Short: an engine quotes the first ten characters of what it cannot parse.
  broken: 'qX7_vK9',
  query: 'canary-query-e014b7',
  path: 'Canary_path_5dd29c',
  userAgent: 'canary-agent-60cc3e',
  eventData: 'canary-event-data-b7a4f1',
  eventId: 'canary-event-id-3e3e01',
  form: 'canary-form-d41d8c',
} as const

type ApiJson = Readonly<Record<string, unknown>>

type Sent = {
  /** What must be nowhere but where it was given. */
  readonly secrets: readonly Canary[]
  /** The ids that callers got with their answers. */
  readonly requestIds: readonly string[]
}

/** Every sensitive input, in requests that succeed and in requests that fail. Returns what was secret. */
export async function sendEverything(stack: ObservedStack): Promise<Sent> {
  const requestIds: string[] = []
  const { gatewayUrl, operator, tenants } = stack.info()
  const api = stack.api()
  const operatorToken = await api.token(operator)
  const [acme] = tenants
  if (acme === undefined) throw new Error('no demo tenant')
  const acmeToken = await api.token(acme)
  const send = async (method: string, path: string, init: RequestInit = {}): Promise<number> => {
    const answer = await fetch(`${gatewayUrl}${path}`, { method, ...init })
    requestIds.push(answer.headers.get('x-request-id') ?? '')
    await answer.arrayBuffer()
    return answer.status
  }
  const json = { 'content-type': 'application/json' }
  const asOperator = { ...json, authorization: `Bearer ${operatorToken}` }
  const asTenant = { ...json, authorization: `Bearer ${acmeToken}` }
  const aTenant = {
    tenantId: 'canary-one',
    displayName: MARK.displayName,
    tier: 'basic',
    deploymentModel: 'multi_tenant',
    region: 'us-central1',
  }
  // A machine with much to do may turn a request away: that is asked again.
  const clientSecret = await eventually('a new client', async () => {
    const created = await fetch(`${gatewayUrl}/v1/tenants/acme/clients`, {
      method: 'POST',
      headers: { ...asOperator, 'idempotency-key': MARK.idempotencyKey },
      body: JSON.stringify({ name: MARK.clientName, scopes: ['usage:read'] }),
    })
    return created.status === 201 ? String(((await created.json()) as ApiJson)['clientSecret']) : undefined
  })
  const basic = (id: string, secret: string): string => `Basic ${btoa(`${id}:${secret}`)}`
  const grant = new URLSearchParams({ grant_type: 'client_credentials' })
  const tokenCall = (authorization: string, body = grant): Promise<number> =>
    send('POST', '/oauth2/token', { headers: { authorization }, body })
  const bearer = (token: string): RequestInit => ({ headers: { authorization: `Bearer ${token}` } })
  const post = (body: string, headers: Record<string, string>, path = '/v1/tenants'): Promise<number> =>
    send('POST', path, { headers: { ...headers, 'user-agent': MARK.userAgent }, body })
  const usage = (over: object): string =>
    JSON.stringify({
      specversion: '1.0',
      id: MARK.eventId,
      source: '//canary.example/pod',
      type: 'ai.energent.usage.workflow_runs.v1',
      subject: 'tenants/acme',
      time: new Date().toISOString(),
      data: { value: '1' },
      ...over,
    })
  const statuses = [
    await post(JSON.stringify(aTenant), { ...asOperator, 'idempotency-key': MARK.idempotencyKey }),
    await post(JSON.stringify({ ...aTenant, region: MARK.body }), {
      ...asOperator,
      'idempotency-key': MARK.idempotencyKey,
    }),
    await post(JSON.stringify({ ...aTenant, tier: MARK.email, [MARK.member]: MARK.body }), asOperator),
    await post(`{"displayName": "${MARK.broken}`, asOperator),
    await post(`${MARK.broken}`, asOperator),
    await post(
      JSON.stringify({ name: MARK.email, scopes: [MARK.body] }),
      asOperator,
      '/v1/tenants/acme/clients',
    ),
    await post(JSON.stringify(MARK.body), { ...asOperator, 'content-type': MARK.body }),
    await tokenCall(basic(acme.clientId, MARK.wrongSecret)),
    await tokenCall(basic(MARK.basicUser, MARK.wrongSecret)),
    await tokenCall(`Basic ${MARK.odd}`),
    await tokenCall(`${MARK.odd} ${MARK.odd}`),
    await tokenCall(
      '',
      new URLSearchParams({ grant_type: MARK.form, client_secret: MARK.wrongSecret, scope: MARK.form }),
    ),
    await send('POST', `/oauth2/token?client_secret=${MARK.query}`, { body: grant }),
    await send('GET', '/v1/tenants/acme', bearer(MARK.bearer)),
    await send('GET', '/v1/tenants/acme', bearer(`${operatorToken.slice(0, -8)}AAAAAAAA`)),
    await send('GET', `/v1/tenants/${MARK.path}?q=${MARK.query}`, bearer(operatorToken)),
    await send('GET', `/${MARK.path}/${MARK.query}`, bearer(operatorToken)),
    await send('GET', `/v1/tenants?pageToken=${MARK.query}`, bearer(operatorToken)),
    await send('GET', `/v1/tenants/acme/usage?meter=${MARK.query}`, bearer(acmeToken)),
    await send('GET', `/v1/tenants/acme/invoices/upcoming?${MARK.query}=1`, bearer(acmeToken)),
    await post(usage({ data: { value: MARK.eventData } }), asTenant, '/v1/usage'),
    await post(usage({ type: `ai.energent.usage.${MARK.eventData}.v1` }), asTenant, '/v1/usage'),
    await post(
      usage({ data: { value: '1', dimensions: { outcome: MARK.eventData } } }),
      asTenant,
      '/v1/usage',
    ),
    await post(`[${usage({ subject: MARK.eventData })}]`, asTenant, '/v1/usage'),
  ]
  await refusedByTheStore(stack, (tenantId) => post(JSON.stringify({ ...aTenant, tenantId }), asOperator))
  for (const status of [200, 202, 400, 401, 404]) if (status !== 200) expect(statuses).toContain(status)
  expect(statuses.filter((status) => status === 500)).toEqual([])
  await publishPoison(stack)
  const secrets = [
    { name: "the operator's secret", value: operator.clientSecret },
    { name: "the operator's token", value: operatorToken },
    { name: "a tenant's token", value: acmeToken },
    { name: "a new client's secret", value: clientSecret },
    ...tenants.map(({ tenantId, clientSecret: value }) => ({ name: `the secret of ${tenantId}`, value })),
    ...tenants.flatMap(({ users }) => users.map(({ login, password }) => ({ name: login, value: password }))),
  ]
  return { secrets, requestIds }
}

/** What fails inside says in its line what failed, and not for whom. */
async function refusedByTheStore(
  stack: ObservedStack,
  send: (tenantId: string) => Promise<number>,
): Promise<void> {
  let turn = 0
  await eventually('a request that the store refuses', async () => {
    turn += 1
    // Another commit may have met the fault instead.
    await stack.settled()
    await control(stack, 'POST', '/faults', {
      target: 'firestore',
      operation: 'Commit',
      mode: 'error',
      code: 3,
      count: 1,
    })
    return (await send(`canary-refused-${turn}`)) === 500 ? true : undefined
  })
}

/** Events that can never be applied, published beside the API. */
async function publishPoison(stack: ObservedStack): Promise<void> {
  const client = new PubSub({
    projectId: stack.info().project,
    apiEndpoint: stack.info().pubsubHost,
    emulatorMode: true,
  })
  const poison = (topic: string, text: string): Promise<string> =>
    client.topic(topic).publishMessage({ data: Buffer.from(text) })
  const event = {
    specversion: '1.0',
    id: MARK.eventId,
    subject: 'tenants/acme',
    tenantid: 'acme',
    data: { x: MARK.eventData },
  }
  await poison('tenant-facts', MARK.eventData)
  const whole = { ...event, source: '//canary', time: new Date().toISOString() }
  const command = 'ai.energent.billing.subscription-requested.v1'
  await poison('billing-commands', JSON.stringify({ ...whole, type: MARK.eventData }))
  await poison('billing-commands', JSON.stringify({ ...whole, type: command }))
  await poison(
    'tenant-work',
    JSON.stringify({
      ...event,
      source: 'x',
      time: MARK.eventData,
      type: 'ai.energent.tenant.step-continue.v1',
    }),
  )
  await poison('billing-events', JSON.stringify([event, MARK.eventData, { [MARK.member]: MARK.eventData }]))
  await client.close()
  await eventually('the poison in quarantine', async () => {
    const found = Object.keys(await documentsOf(stack)).filter((path) => path.includes('_quarantine/'))
    return found.length >= 6 ? found : undefined
  })
}

/** Every document of the stack, by its path. */
export async function documentsOf(stack: ObservedStack): Promise<Record<string, Record<string, unknown>>> {
  const dump = await control(stack, 'GET', '/dump')
  return dump['documents'] as Record<string, Record<string, unknown>>
}
