import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Seen } from './support/answer.ts'
import { type Ledger, startLedger } from './support/ledger.ts'
import { startWorld, type World } from './support/world.ts'
import { ATTACK_GROUPS } from './table/index.ts'

// One stack for all: an attack is over in a few milliseconds, and what it leaves behind is looked for after each.
let world: World
let ledger: Ledger
let close = async (): Promise<void> => undefined

beforeAll(async () => {
  const started = await startWorld()
  ;({ world, close } = started)
  ledger = startLedger(world.stack)
}, 90_000)
afterAll(() => close())

describe.each(ATTACK_GROUPS)('$title', ({ attacks }) => {
  test.each(attacks)('$name', async ({ send, answers, leaves, check }) => {
    const before = leaves === undefined ? ledger.state() : undefined

    const sent = await send(world)

    const seen: readonly Seen[] = Array.isArray(sent) ? sent : [sent as Seen]
    const said = seen.map((answer) => answer.said)
    expect(said, said.join(' · ')).toEqual(answers)
    if (before !== undefined) expect(ledger.changesSince(before).join()).toBe('')
    await check?.(world, seen)
  })
})

describe('after all of it', () => {
  test('nobody was led to a server inside', () => {
    expect(world.canary.visits()).toEqual([])
  })
})
