import { expect, test } from 'vitest'
import { DeadlineExceeded } from '#shared/deadline.ts'
import { ok } from '#shared/result.ts'
import { sharedReads } from '../../../functions/billing/adapters/shared-reads.ts'
import type { Reading } from '../../../functions/billing/ports.ts'
import { contextOf } from '../../shared/support/store.ts'

const acme = contextOf('acme')

/** An answer in steps; each step waits for `go`. */
function slowAnswer() {
  const waiting: (() => void)[] = []
  let steps = 0
  const answer = async (reading: Reading) => {
    for (let step = 0; step < 3; step += 1) {
      await new Promise<void>((resolve) => waiting.push(resolve))
      reading.check()
      steps += 1
    }
    return ok('answered')
  }
  const go = async () => {
    waiting.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { answer, go, steps: () => steps }
}

test('a read that nobody waits for any more stops between two steps', async () => {
  const reads = sharedReads()
  const deadline = new AbortController()
  const slow = slowAnswer()
  const read = reads.share(acme, 'q', slow.answer, deadline.signal)
  const ended = expect(read).rejects.toThrow(DeadlineExceeded)
  await slow.go()
  deadline.abort()
  await slow.go()
  await ended
  expect(slow.steps()).toBe(1)
})

test('a read goes on for whoever joined it and has time left', async () => {
  const reads = sharedReads()
  const first = new AbortController()
  const slow = slowAnswer()
  const mine = reads.share(acme, 'q', slow.answer, first.signal)
  const theirs = reads.share(
    acme,
    'q',
    () => Promise.reject(new Error('joined')),
    new AbortController().signal,
  )
  first.abort()
  for (let step = 0; step < 3; step += 1) await slow.go()
  expect(await theirs).toEqual(ok('answered'))
  expect(await mine).toEqual(ok('answered'))
})

test('a question asked after its read was given up is answered anew', async () => {
  const reads = sharedReads()
  const deadline = new AbortController()
  let asked = Promise.resolve<unknown>(undefined)
  const given = reads.share(
    acme,
    'q',
    async (reading) => {
      await new Promise((resolve) => setImmediate(resolve))
      deadline.abort()
      try {
        reading.check()
      } finally {
        asked = reads.share(acme, 'q', async () => ok('new'), new AbortController().signal)
      }
      return ok('old')
    },
    deadline.signal,
  )
  await expect(given).rejects.toThrow(DeadlineExceeded)
  expect(await asked).toEqual(ok('new'))
})

// The fold of a large read is work without a single call.
test('work in slices stops, too', async () => {
  const reads = sharedReads()
  const deadline = new AbortController()
  let turns = 0
  const endless = function* () {
    for (;;) {
      turns += 1
      if (turns === 5) deadline.abort()
      yield 10_000
    }
  }
  const read = reads.share(acme, 'q', async (reading) => ok(await reading.work(endless())), deadline.signal)
  await expect(read).rejects.toThrow(DeadlineExceeded)
  expect(turns).toBe(5)
})
