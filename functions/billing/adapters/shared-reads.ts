import { DeadlineExceeded, nextRound } from '#shared/deadline.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { finish, type Steps } from '../domain/steps.ts'
import type { Reading, Reads } from '../ports.ts'

/** Events folded for one answer, and for one hour's roll-up. */
const MOST_EVENTS = 250_000
const MOST_ROLLED_UP = 1_000_000
/** A read of more than this is heavy: it is among the few that a tenant may have at a time. */
const LIGHT_EVENTS = 5_000
/** Heavy reads of one tenant under way at once: each may hold a quarter of a million events. */
const MOST_HEAVY = 3
/** Microseconds of work between two turns of the event loop; about what one small request takes. */
const SLICE = 4_000

/** An answer on its way, and the deadlines of all who asked for it. */
type UnderWay = {
  readonly answering: Promise<Result<unknown>>
  readonly asked: (AbortSignal | undefined)[]
}

/**
 * Reads that leave room for others: the same question asked again while it is being answered shares the
 * answer, a tenant has few heavy ones at a time, and all of an instance work in turns.
 */
export function sharedReads(): Reads {
  const underWay = new Map<string, UnderWay>()
  const heavyOf = new Map<TenantId, number>()
  const turn = fairTurns()
  const enter = (tenantId: TenantId): boolean => {
    const heavy = heavyOf.get(tenantId) ?? 0
    if (heavy >= MOST_HEAVY) return false
    heavyOf.set(tenantId, heavy + 1)
    return true
  }
  const leave = (tenantId: TenantId): void => {
    const heavy = (heavyOf.get(tenantId) ?? 1) - 1
    if (heavy === 0) heavyOf.delete(tenantId)
    else heavyOf.set(tenantId, heavy)
  }
  const begin = async <T>(
    tenantId: TenantId,
    answer: (reading: Reading) => Promise<Result<T>>,
    check: () => void,
  ): Promise<Result<T>> => {
    let isHeavy = false
    try {
      return await answer({
        mostEvents: MOST_EVENTS,
        admit: (events) => {
          if (!isHeavy && events > LIGHT_EVENTS) isHeavy = enter(tenantId)
          return isHeavy || events <= LIGHT_EVENTS
        },
        work: inSlices(turn, check),
        check,
      })
    } finally {
      if (isHeavy) leave(tenantId)
    }
  }
  return {
    background: (signal) => ({
      mostEvents: MOST_ROLLED_UP,
      admit: () => true,
      work: inSlices(turn, () => signal.throwIfAborted()),
      check: () => signal.throwIfAborted(),
    }),
    share: <T>(
      ctx: TenantContext,
      question: string,
      answer: (reading: Reading) => Promise<Result<T>>,
      signal?: AbortSignal,
    ): Promise<Result<T>> => {
      // Whoever joins is not checked by the store, which only the first one asks.
      if (!TenantContext.is(ctx)) throw new TypeError('not a tenant context')
      const name = `${ctx.tenantId} ${question}`
      const known = underWay.get(name)
      if (known !== undefined) {
        known.asked.push(signal)
        return known.answering as Promise<Result<T>>
      }
      const asked = [signal]
      const leave = (): void => {
        if (underWay.get(name)?.asked === asked) underWay.delete(name)
      }
      const check = (): void => {
        if (asked.some((one) => one?.aborted !== true)) return
        // At once: whoever asks from now on must not join what has been given up.
        leave()
        throw new DeadlineExceeded('nobody waits for this read any more')
      }
      const answering = begin(ctx.tenantId, answer, check).finally(leave)
      underWay.set(name, { answering, asked })
      return answering
    },
  }
}

/** A reading with no bounds, for one that is alone. */
export const aloneReading: Reading = {
  mostEvents: MOST_EVENTS,
  admit: () => true,
  work: async (steps) => finish(steps),
  check: () => {},
}

/** Does steps until a slice is used up, then waits for its turn; what is short never waits. */
function inSlices(turn: () => Promise<void>, check: () => void): Reading['work'] {
  let spent = 0
  return async <T>(steps: Steps<T>): Promise<T> => {
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      spent += step.value
      if (spent < SLICE) continue
      await turn()
      check()
      spent = 0
    }
  }
}

/** Wakes one of those that wait in each round of the event loop, so that everything else comes between. */
function fairTurns(): () => Promise<void> {
  const waiting: (() => void)[] = []
  const wakeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      await nextRound()
      waiting.shift()?.()
    }
  }
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      // Whoever finds others waiting is woken by the round that goes on for them.
      if (waiting.length === 1) void wakeAll()
    })
}
