import { expect, test } from 'vitest'
import { NO_CORRECTIONS } from '../../functions/billing/domain/apply-corrections.ts'
import { lineTree } from '../../functions/billing/domain/invoice/line-tree.ts'
import { keyIndexOf } from '../../functions/billing/domain/key-index.ts'
import { periodOfHour } from '../../functions/billing/domain/spans.ts'
import { finish } from '../../functions/billing/domain/steps.ts'
import { restoreUsageEvent, sha256 } from '../../functions/billing/domain/usage-event.ts'
import { parseEventName, proveEvent } from '../../functions/billing/operations/prove-event.ts'
import { aUsageEvent } from './support/world.ts'

const HOURS = ['2026112001', '2026112002', '2026112003', '2026112004']
const MANY = 51_000

/** Hours with so much in them that no roll-up has an index, and what was read of them. */
function fullHours(indexes: ReadonlyMap<string, Uint8Array>) {
  const read: string[] = []
  const one = restoreUsageEvent(aUsageEvent({ id: 'one' }), 'collector')
  const eventsIn = (hour: string) =>
    Array.from({ length: MANY }, (_none, at) => ({
      ...one,
      key: `${hour}${String(at).padStart(54, '0')}`,
      timeMs: periodOfHour(hour).fromMs + at,
    }))
  const deps = {
    rollups: {
      keys: async () =>
        new Map(HOURS.map((hour) => [hour, { batchCount: 1, keys: indexes.get(hour) }] as const)),
    },
    ledger: {
      hours: async (_ctx: unknown, [hour = '']: string[]) => {
        read.push(hour)
        const batch = { name: 'h1', batchId: '1', receivedAtMs: 0, events: eventsIn(hour) }
        return { ok: true, value: new Map([[hour, [batch]]]) }
      },
    },
    versionOf: () => 1,
  }
  const query = {
    ctx: undefined,
    period: { fromMs: Date.parse('2026-11-01'), toMs: Date.parse('2026-12-01') },
    isIn: () => true,
    asOfMs: undefined,
    corrections: NO_CORRECTIONS,
    hours: new Map(HOURS.map((hour) => [hour, { batches: 1, meters: {} }])),
    reading: { check: () => undefined, work: async (steps: never) => finish(steps) },
  }
  const prove = (name: string) => {
    const parsed = parseEventName(name)
    if (!parsed.ok) return parsed
    return proveEvent(
      deps as never,
      query as never,
      parsed.value,
      lineTree([], () => ({})),
    )
  }
  return { read, prove }
}

test('a bare key is looked for so far and no further; the answer asks for its hour', async () => {
  const { read, prove } = fullHours(new Map())

  expect(await prove('f'.repeat(64))).toMatchObject({ ok: false, code: 'usage.range_invalid' })

  expect(read).toEqual(['2026112004', '2026112003'])
})

test('hours whose index rules a key out are not read, however many there are', async () => {
  const { read, prove } = fullHours(
    new Map(HOURS.map((hour) => [hour, keyIndexOf([sha256(hour)]) ?? new Uint8Array()])),
  )

  expect(await prove('f'.repeat(64))).toMatchObject({ ok: false, code: 'resource.not_found' })

  expect(read).toEqual([])
})

test('a key with its hour is looked for there alone', async () => {
  const { read, prove } = fullHours(new Map())

  expect(await prove(`2026112002.${'f'.repeat(64)}`)).toMatchObject({ code: 'resource.not_found' })
  expect(await prove(`2026112300.${'f'.repeat(64)}`)).toMatchObject({ code: 'resource.not_found' })

  expect(read).toEqual(['2026112002'])
})

test.each(['x', '', '2026112002.', `202611200.${'f'.repeat(64)}`, 'F'.repeat(64), `${'f'.repeat(64)}\n`])(
  'what is no name of an event is told so: %j',
  (name) => {
    expect(parseEventName(name)).toMatchObject({ ok: false, code: 'request.malformed' })
  },
)
