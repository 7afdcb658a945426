import { expect, test } from 'vitest'
import { aFreeze, aTierCharge, workUnits } from './support/contracts.ts'
import { aSubscriptionCommand, aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

/** The kind of error that the client never tries again by itself. */
const INVALID_ARGUMENT = 3
/** More commits than any scenario below makes. */
const MOST_COMMITS = 40

const message = [
  aUsageEvent({ id: 'a' }),
  aUsageEvent({ id: 'b', tenant: 'rival' }),
  aUsageEvent({ id: 'c', value: 'bad' }),
  aUsageEvent({ id: 'd', tenant: 'newcomer' }),
]

/** Messages of each scenario, in the order they are acknowledged in. */
const SCENARIOS: Record<string, readonly ((world: World) => Promise<number>)[]> = {
  'usage of three tenants, one of them unknown': [(world) => world.usage(message)],
  'the fact that activates a tenant whose usage waits': [
    (world) => world.usage(message),
    (world) => world.fact(aTenantFact({ tenant: 'newcomer' })),
  ],
  'a tier change that is charged, frozen for, and comes to nothing': [
    (world) => world.command(aSubscriptionCommand({ id: 'c1', operationId: 'op_0' })),
    (world) => world.command(aTierCharge({ id: 't1' })),
    (world) => world.command(aFreeze({ id: 'f1' })),
    (world) => world.fact(aTenantFact({ kind: 'tier-change-failed', operationId: 'op_1', sequence: 7n })),
  ],
  'a purge, erased and answered': [
    (world) => world.command(aSubscriptionCommand({ id: 'c1', operationId: 'op_0' })),
    (world) => world.fact(aTenantFact({ kind: 'purge-started', state: 'PURGING', sequence: 9n })),
    async (world) => {
      await world.request({ method: 'POST', path: '/internal/sweep/run', body: {} })
      let status = 204
      for (const unit of workUnits(world)) {
        const answered = await world.push('billing-work-to-billing', unit)
        if (answered !== 204) status = answered
      }
      return status
    },
  ],
  'a subscription, asked for and cancelled': [
    (world) => world.command(aSubscriptionCommand({ id: 'c1', sequence: 1n })),
    (world) => world.command(aSubscriptionCommand({ what: 'cancel-requested', id: 'c2', sequence: 2n })),
  ],
}

/** Everything that is there, but for what names an attempt. */
function stateOf(world: World): string {
  const documents = world.documents('').filter((doc) => !doc.path.startsWith('tenantAudit'))
  const states = documents.map(({ path, data }) => {
    const {
      commitId: _commitId,
      fact: _fact,
      body: _body,
      attributes: _attributes,
      expireAt: _expireAt,
      traceId: _traceId,
      ...rest
    } = data
    return [path, rest]
  })
  return JSON.stringify(states.sort())
}

async function prepared(): Promise<World> {
  const world = await startWorld()
  await world.fact(aTenantFact({}))
  await world.fact(aTenantFact({ tenant: 'rival' }))
  return world
}

/** Delivers each message until it is acknowledged, as Pub/Sub does, and sweeps. */
async function play(world: World, scenario: readonly ((world: World) => Promise<number>)[]): Promise<void> {
  for (const deliver of scenario) {
    let status = await deliver(world)
    for (let attempt = 0; status !== 204 && attempt < 5; attempt += 1) status = await deliver(world)
    expect(status).toBe(204)
  }
  world.engine.setFault(undefined)
  world.clock.advance(60_000)
  await world.request({ method: 'POST', path: '/internal/sweep/run', body: {} })
}

// A process can die before or after any commit; the message then comes again.
test.each(
  Object.keys(SCENARIOS).flatMap((name) => [[name, 'error'] as const, [name, 'lostAnswer'] as const]),
)(
  '%s: whichever commit ends in %s, redelivery ends in the same state',
  async (name, mode) => {
    const scenario = SCENARIOS[name] ?? []
    const calm = await prepared()
    await play(calm, scenario)
    const expected = stateOf(calm)
    await calm.close()
    let reached = true
    let failures = 0
    for (let failing = 1; reached && failing <= MOST_COMMITS; failing += 1) {
      const world = await prepared()
      let calls = 0
      world.engine.setFault((rpc) => {
        // A read that fails changes nothing, and the client makes it again.
        if (rpc !== 'Commit') return undefined
        calls += 1
        return calls === failing ? { mode, code: INVALID_ARGUMENT } : undefined
      })
      await play(world, scenario)
      reached = calls >= failing
      if (reached) failures += 1
      expect(stateOf(world), `commit ${failing} of ${calls}`).toBe(expected)
      await world.close()
    }
    expect(failures).toBeGreaterThan(2)
  },
  120_000,
)
