import { expect, test } from 'vitest'
import type { BillingDeps } from '../../functions/billing/ports.ts'
import { runDeliveries } from './deliveries.ts'

// `npm run exactly-once:usage` makes a million of these.
test('usage that comes again, in any order and batches, to processes that die at every call counts once', async () => {
  const outcome = await runDeliveries({ deliveries: 1_200, seed: 7 })

  expect(outcome).toMatchObject({ lost: 0, double: 0, wrongHours: 0, exact: true })
  expect(outcome.setAside).toBe(outcome.badEvents)
  for (const fault of ['crash before', 'crash after', 'answer lost', 'failed']) {
    expect(outcome.faults[`commit ${fault}`], fault).toBeGreaterThan(0)
  }
  expect(outcome.redelivered).toBeGreaterThan(10)
}, 60_000)

const MUTANTS: Record<string, (deps: BillingDeps) => BillingDeps> = {
  'that acknowledges what it could not store': (deps) => ({
    ...deps,
    ledger: { ...deps.ledger, append: (...batch) => deps.ledger.append(...batch).catch(() => 'stored') },
  }),
  'that tells events apart by their batch': (deps) => ({
    ...deps,
    ledger: {
      ...deps.ledger,
      hours: async (...query) => {
        const read = await deps.ledger.hours(...query)
        if (!read.ok) return read
        for (const batch of [...read.value.values()].flat()) {
          const events = batch.events.map((event) => ({
            ...event,
            key: event.key.slice(0, 60) + batch.name.slice(-4),
          }))
          Object.assign(batch, { events: events.map((event) => ({ ...event, key: hex(event.key) })) })
        }
        return read
      },
    },
  }),
}

test.each(Object.entries(MUTANTS))(
  'a handler %s is noticed',
  async (_what, mutate) => {
    const outcome = await runDeliveries({ deliveries: 1_200, seed: 7, mutate })

    expect(outcome.lost + outcome.double).toBeGreaterThan(0)
  },
  60_000,
)

function hex(text: string): string {
  return Buffer.from(text).toString('hex').slice(-64)
}
