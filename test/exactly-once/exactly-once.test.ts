import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { startPubsubEngine } from '#local/engine/pubsub/index.ts'
import { systemClock } from '#shared/clock.ts'
import { googleEngine } from '../support/engines.ts'
import { checkPublish, checkTenants, checkUsage } from './checks.ts'
import { runPublish } from './publish-scenario.ts'
import { runTenants } from './tenant-scenario.ts'
import { runNaive, runUsage } from './usage-scenario.ts'

// The official clients repeat by themselves what a cut connection left open, and then report their own
// success as a failure. `node test/exactly-once/run.ts` does the same at full size.
describe.each(inject('engines'))('on the %s engine', (engine) => {
  const hosts = { firestore: '', pubsub: '' }
  const closers: (() => Promise<unknown>)[] = []
  beforeAll(async () => {
    if (engine === 'google') {
      hosts.firestore = await googleEngine('firestore').host()
      hosts.pubsub = await googleEngine('pubsub').host()
      return
    }
    const firestore = await startFirestoreEngine({ now: systemClock.now })
    const pubsub = await startPubsubEngine()
    hosts.firestore = firestore.host
    hosts.pubsub = pubsub.host
    closers.push(firestore.close, pubsub.close)
  })
  afterAll(() => Promise.all(closers.map((close) => close())))

  test('usage is counted once, however often the connection to Firestore is cut', async () => {
    const outcome = await runUsage(hosts.firestore, { events: 150, cuts: 12, seed: 1 })

    expect(checkUsage(outcome)).toEqual([])
    expect(outcome.network.cuts).toBeGreaterThanOrEqual(12)
  }, 60_000)

  // The control: the same cuts do harm to whoever adds without a claim, so the test above can see.
  test('plain increments under the same cuts are counted twice', async () => {
    const { acknowledged, stored, network } = await runNaive(hosts.firestore, {
      events: 150,
      cuts: 12,
      seed: 1,
    })

    expect(acknowledged).toBe(150)
    expect(network.cuts).toBeGreaterThan(0)
    expect(stored).toBeGreaterThan(acknowledged)
  }, 60_000)

  test('a tenant is created once, with its rows and its audit, and every row leaves with one body', async () => {
    const outcome = await runTenants(hosts, { tenants: 16, cuts: 6, seed: 2 })

    expect(checkTenants(outcome)).toEqual([])
    expect(outcome.tenants).toHaveLength(16)
    expect(outcome.firestore.cuts).toBeGreaterThanOrEqual(6)
    expect(outcome.pubsub.cuts).toBeGreaterThanOrEqual(6)
  }, 60_000)

  test('a publish cut off leaves copies on the wire and one effect', async () => {
    const outcome = await runPublish(hosts, { events: 60, cuts: 10, seed: 3 })

    expect(checkPublish(outcome)).toEqual([])
    // The control: without copies the test would prove nothing.
    expect(outcome.copies).toBeGreaterThan(0)
  }, 60_000)
})
