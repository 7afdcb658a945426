import fc from 'fast-check'
import { expect, test } from 'vitest'
import { dueBetween } from '#local/stack/scheduler.ts'
import { JOBS, type JobName } from '#shared/catalogue.ts'

const names = Object.keys(JOBS) as JobName[]
const HOUR_MS = 3_600_000

test('a jump of three minutes runs each minute job three times, in order', () => {
  const due = dueBetween(['auth-sweep', 'billing-sweep'], 0, 180_000)

  expect(due).toEqual([
    { atMs: 60_000, due: ['auth-sweep', 'billing-sweep'] },
    { atMs: 120_000, due: ['auth-sweep', 'billing-sweep'] },
    { atMs: 180_000, due: ['auth-sweep', 'billing-sweep'] },
  ])
})

test('whatever the jump: in order, after its start, not after its end, and never more than 60 runs of a job', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.nat(400 * 24 * HOUR_MS), (fromMs, spanMs) => {
      const due = dueBetween(names, fromMs, fromMs + spanMs)
      const instants = due.map(({ atMs }) => atMs)
      expect(instants).toEqual([...instants].sort((left, right) => left - right))
      expect(instants.every((atMs) => atMs > fromMs && atMs <= fromMs + spanMs)).toBe(true)
      for (const name of names) {
        const runs = due.filter((each) => each.due.includes(name))
        expect(runs.length).toBeLessThanOrEqual(60)
        const everyMs = JOBS[name].everySeconds * 1000
        const last = Math.floor((fromMs + spanMs) / everyMs) * everyMs
        // The newest due time is always among them.
        if (last > fromMs) expect(runs.at(-1)?.atMs).toBe(last)
      }
    }),
  )
})
