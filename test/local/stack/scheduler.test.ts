import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { dueBetween, startScheduler } from '#local/stack/scheduler.ts'
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

/** A scheduler on a clock of its own, with one secret that falls due at `dueMs` and every `everyMs` from then. */
function withRotation(options: { dueMs: number; everyMs: number; fails?: boolean }) {
  let nowMs = 0
  let nextMs = options.dueMs
  const seen: string[] = []
  const scheduler = startScheduler({
    now: () => nowMs,
    mintIdToken: async () => 'none',
    account: 'none',
    audienceOf: () => 'none',
    urlOf: () => 'http://127.0.0.1:1',
    onFailure: (sentence) => void seen.push(sentence),
    rotations: {
      nextRotationMs: () => nextMs,
      rotateDue: async () => {
        if (options.fails === true) throw new Error('not sent')
        seen.push(`rotated at ${nowMs}`)
        nextMs += options.everyMs
        return []
      },
    },
  })
  onTestFinished(() => scheduler.stop())
  const setNow = async (ms: number): Promise<void> => {
    nowMs = ms
    seen.push(`now ${ms}`)
  }
  return { seen, advanceTo: (toMs: number) => scheduler.advance(nowMs, toMs, setNow) }
}

// Shorter than a minute, so that no job is called.
test('a secret is rotated at each of its due times on the way', async () => {
  const { advanceTo, seen } = withRotation({ dueMs: 10_000, everyMs: 20_000 })

  await advanceTo(45_000)

  expect(seen).toEqual(['now 10000', 'rotated at 10000', 'now 30000', 'rotated at 30000', 'now 45000'])
})

test('a rotation that cannot be sent is told, and does not hold the clock', async () => {
  const { advanceTo, seen } = withRotation({ dueMs: 10_000, everyMs: 0, fails: true })

  await advanceTo(45_000)

  expect(seen).toEqual(['now 10000', 'Error: not sent', 'now 45000'])
})

test('a jump over more due times than anybody waits for ends all the same', async () => {
  const { advanceTo, seen } = withRotation({ dueMs: 1, everyMs: 1 })

  await advanceTo(50_000)

  expect(seen.filter((line) => line.startsWith('rotated')).length).toBeLessThanOrEqual(60)
  expect(seen.at(-1)).toBe('now 50000')
})
