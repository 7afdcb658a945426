import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { type Known, secretOf, startStory, TENANTS, type Tenant } from './support/story.ts'
import { type IsolationWorld, type Reply, startWorld } from './support/world.ts'

// One instance serves many tenants at once: nothing of one request may reach another.
let engine: FirestoreEngine
let world: IsolationWorld
const tokens = new Map<Tenant, string>()

beforeAll(async () => {
  let now = (): number => 0
  engine = await startFirestoreEngine({ now: () => now() })
  world = await startWorld(engine.host, 'demo-together')
  now = world.clock.now
  const nobody = (): Known => ({ credentials: undefined, operationId: 'op_1', sent: new Set() })
  const story = startStory(world, { acme: nobody(), globex: nobody(), initech: nobody() })
  for (const [key, tenant] of TENANTS.entries()) {
    await story.play({ do: 'create', tenant, key })
    await story.settle()
    await story.play({ do: 'operatorClient', tenant, key })
    const { clientId = '', clientSecret = '' } = story.known[tenant].credentials ?? {}
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }
    tokens.set(
      tenant,
      String((await world.ask('auth', 'POST', '/oauth2/token', { form })).json['access_token']),
    )
  }
  await story.settle()
})
afterAll(async () => {
  engine.setFault(undefined)
  await world.close()
  await engine.close()
})

/** Each call takes another time, so that requests overtake each other within the instance. */
function shuffle(): void {
  let call = 0
  engine.setFault(() => {
    call += 1
    return { mode: 'delay', delayMs: (call * 7) % 13 }
  })
}

test('of 60 requests of three tenants at once, each gets its own answer', async () => {
  shuffle()
  const asked = Array.from({ length: 60 }, async (_, n): Promise<[Tenant, Tenant, Reply]> => {
    const tenant = TENANTS[n % 3] ?? 'acme'
    // Every fourth asks for somebody else's.
    const of = n % 4 === 0 ? (TENANTS[(n + 1) % 3] ?? 'acme') : tenant
    const token = tokens.get(tenant)
    return [tenant, of, await world.ask('tenants-api', 'GET', `/v1/tenants/${of}`, { token })]
  })
  for (const [tenant, of, reply] of await Promise.all(asked)) {
    expect(reply.status).toBe(tenant === of ? 200 : 404)
    expect(reply.json['displayName']).toBe(tenant === of ? secretOf(tenant) : undefined)
  }
})

test('usage that comes in at once is counted for whom it is', async () => {
  shuffle()
  const sizes: Readonly<Record<Tenant, number>> = { acme: 3, globex: 5, initech: 7 }
  const event = (tenant: Tenant, n: number) => ({
    specversion: '1.0',
    id: `together-${n}`,
    source: `//agents.example/${secretOf(tenant)}`,
    type: 'ai.energent.usage.workflow_runs.v1',
    subject: `tenants/${tenant}`,
    time: '2026-11-23T08:00:00.000Z',
    data: { value: '1' },
  })
  const sent = TENANTS.flatMap((tenant) =>
    Array.from({ length: sizes[tenant] }, (_, n) =>
      world.ask('billing-api', 'POST', '/v1/usage', { token: tokens.get(tenant), body: event(tenant, n) }),
    ),
  )
  for (const reply of await Promise.all(sent)) expect(reply.status).toBe(202)
  // Delivered all at once, and all of them twice.
  const messages = world.waiting.splice(0)
  const pushes = [...messages, ...messages].map(({ subscription, message }) =>
    world.push(subscription.listener, subscription.name, message),
  )
  for (const reply of await Promise.all(pushes)) expect(reply.status).toBe(204)
  for (const tenant of TENANTS) {
    const path = `/v1/tenants/${tenant}/usage?meter=workflow_runs`
    const reply = await world.ask('billing-api', 'GET', path, { token: tokens.get(tenant) })
    const [row] = reply.json['data'] as { readonly value: string }[]
    expect(Number(row?.value), tenant).toBe(sizes[tenant])
  }
})
