import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { systemIds } from '#shared/ids.ts'
import { googleEngine } from '../support/engines.ts'
import {
  type Command,
  type Known,
  READS,
  secretOf,
  startStory,
  TAMPERINGS,
  TENANTS,
  type Tenant,
} from './support/story.ts'
import { type IsolationWorld, startWorld } from './support/world.ts'

/** More for a long run: `ISOLATION_RUNS=500 npx vitest run test/isolation/sequences.test.ts`. */
const RUNS = Number(process.env['ISOLATION_RUNS'] ?? 4)

const tenant = fc.constantFrom(...TENANTS)
const key = fc.nat({ max: 2 })
const what = fc.constantFrom(...READS)
const at = fc.nat({ max: 20 })
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constant('create' as const), tenant, key }),
  fc.record({ do: fc.constant('operatorClient' as const), tenant, key }),
  fc.record({ do: fc.constant('client' as const), tenant, of: tenant, key }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('usage' as const),
      tenant,
      of: tenant,
      events: fc.uniqueArray(fc.nat({ max: 9 }), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const), tenant, of: tenant, what }) },
  fc.record({ do: fc.constant('operatorRead' as const), of: tenant, what }),
  fc.record({ do: fc.constant('list' as const), as: fc.oneof(tenant, fc.constant('operator' as const)) }),
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      at,
      how: fc.constantFrom('once' as const, 'twice' as const, 'keep' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('tamper' as const),
      at,
      where: fc.constantFrom(...TAMPERINGS),
      to: tenant,
    }),
  },
  fc.record({ do: fc.constant('sweep' as const), of: fc.constantFrom('auth', 'billing-api', 'tenants-api') }),
  fc.record({ do: fc.constant('wait' as const), seconds: fc.constantFrom(1, 31, 61) }),
)
const story = fc.array(command, { minLength: 15, maxLength: 45 })

const nobody = (): Known => ({ credentials: undefined, operationId: 'op_1', sent: new Set() })

/** Two of the three tenants are there already; the third is created by the story, or not. */
async function prepare(world: IsolationWorld): Promise<Record<Tenant, Known>> {
  const before = { acme: nobody(), globex: nobody(), initech: nobody() }
  const first = startStory(world, before)
  for (const made of ['acme', 'globex'] as const) {
    await first.play({ do: 'create', tenant: made, key: made === 'acme' ? 3 : 4 })
    await first.settle()
    await first.play({ do: 'operatorClient', tenant: made, key: made === 'acme' ? 3 : 4 })
    expect(first.known[made].credentials).toBeDefined()
  }
  await first.settle()
  return { ...first.known }
}

async function playAndCompare(
  world: IsolationWorld,
  before: Record<Tenant, Known>,
  commands: readonly Command[],
) {
  world.waiting.length = 0
  // Past whatever an instance remembers of a tenant.
  world.clock.advance(120_000)
  const played = startStory(world, before)
  for (const next of commands) await played.play(next)
  await played.settle()
  for (const one of TENANTS) {
    const { credentials, sent } = played.known[one]
    if (credentials !== undefined) expect(await played.usageOf(one), one).toBe(sent.size)
  }
}

describe('any story of three tenants and three groups, on the embedded engine', () => {
  let engine: FirestoreEngine
  let world: IsolationWorld
  beforeAll(async () => {
    let now = (): number => 0
    engine = await startFirestoreEngine({ now: () => now() })
    world = await startWorld(engine.host, 'demo-isolation')
    now = world.clock.now
  })
  afterAll(async () => {
    await world.close()
    await engine.close()
  })

  test('names nothing but what is the caller’s, and tells nobody of another', async () => {
    const before = await prepare(world)
    const snapshot = engine.snapshot()
    const recordedBefore = world.recorded()
    await fc.assert(
      fc.asyncProperty(story, async (commands) => {
        engine.restore(snapshot)
        await playAndCompare(world, before, commands)
        for (const { path, data } of engine.dump('tenants')) {
          const owner = path.split('/')[1]
          const foreign = TENANTS.filter(
            (one) => one !== owner && JSON.stringify(data).includes(secretOf(one)),
          )
          expect(foreign, path).toEqual([])
        }
      }),
      { numRuns: RUNS },
    )
    expect(world.recorded() - recordedBefore).toBeGreaterThan(RUNS * 30)
  }, 3_600_000)
})

describe.runIf(inject('engines').includes('google'))('the same on Google’s emulator', () => {
  let world: IsolationWorld
  beforeAll(async () => {
    world = await startWorld(
      await googleEngine('firestore').host(),
      `demo-i${systemIds.bytes(4).toString('hex')}`,
    )
  }, 90_000)
  afterAll(() => world.close())

  test('one long story', async () => {
    const before = await prepare(world)
    const commands = fc.sample(fc.array(command, { minLength: 60, maxLength: 60 }), 1)[0] ?? []
    await playAndCompare(world, before, commands)
    expect(world.recorded()).toBeGreaterThan(100)
  }, 120_000)
})
