import { expect, test } from 'vitest'
import { type GateTimers, loadGate } from '#shared/http/load-gate.ts'

/** A loop whose turns take as long as the test says. */
function manualLoop() {
  let nowMs = 0
  let tick: (() => void) | undefined
  const timers: GateTimers = {
    nowMs: () => nowMs,
    every: (_ms, run) => {
      tick = run
      return () => {
        tick = undefined
      }
    },
  }
  const turn = (ms: number): void => {
    nowMs += ms
    tick?.()
  }
  return { timers, turn, watched: () => tick !== undefined }
}

const LIMITS = { mostUnderWay: 2, mostLagMs: 500 }

test('there is room up to the bound and again when one has left, each counted once', () => {
  const gate = loadGate(LIMITS, manualLoop().timers)
  const [first] = [gate.enter(), gate.enter()]
  expect(gate.whatIsFull()).toBe('places')

  first?.()
  first?.()
  expect(gate.whatIsFull()).toBeUndefined()
  gate.enter()
  expect(gate.whatIsFull()).toBe('places')
})

test('one long block of the loop is no overload, several in a row are, and one good turn ends it', () => {
  const loop = manualLoop()
  const gate = loadGate(LIMITS, loop.timers)
  gate.enter()
  const full = [2_000, 2_000, 2_000, 100].map((ms) => {
    loop.turn(ms)
    return gate.whatIsFull()
  })

  expect(full).toEqual([undefined, undefined, 'loop', undefined])
})

// Between requests the platform takes the processor away: the first sample after that means nothing.
test('the loop is not watched while nothing is under way', () => {
  const loop = manualLoop()
  const gate = loadGate(LIMITS, loop.timers)
  const rounds = Array.from({ length: 6 }, () => {
    const leave = gate.enter()
    loop.turn(60_000)
    const full = gate.whatIsFull()
    leave()
    return full === undefined && !loop.watched()
  })

  expect(rounds).toEqual(rounds.map(() => true))
})
