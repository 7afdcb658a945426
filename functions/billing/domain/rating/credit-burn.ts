import { add, formatDecimal, type Rational, smaller, subtract, ZERO } from '../rational.ts'
import { decimalAt, type Fields, fieldsOf, has, listAt, RatingError, wholeAt } from './fields.ts'
import { burnOrder, type OrderedGrant, orderedGrant } from './phases.ts'

type Grant = OrderedGrant & {
  readonly amount: Rational
  readonly startMs: number
  /** When it expires or was voided, whichever is first. */
  readonly endMs: number
  readonly resets: { readonly everyMs: number; readonly anchorMs: number } | undefined
}

type Step = { readonly atMs: number; readonly value: Rational }

type State = { balances: Map<string, Rational>; overage: Rational; consumed: Rational }

const DAY_MS = 24 * 3_600_000
const MOST_STEPS = 100_000

/**
 * Burns prepaid credit by usage, in the order of `credit_order`.
 *
 * A grant counts from its beginning up to, and not including, its expiry or voiding; a recurring one
 * is full again at each of its instants. What no grant covers is overage, and the next grant that
 * begins pays it first. At one instant grants change before usage burns.
 */
export function rateCreditBurn(parameters: Fields, usage: Fields): Record<string, unknown> {
  const fromMs = instantAt(parameters, 'measure_from')
  const untilMs = instantAt(usage, 'until')
  if (untilMs < fromMs) throw new RatingError('until must not lie before measure_from')
  const grants = listAt(parameters, 'grants')
    .map((raw) => grantOf(fieldsOf(raw, 'grant')))
    .sort(burnOrder)
  const events = listAt(usage, 'events')
    .map((raw) => stepOf(fieldsOf(raw, 'event')))
    .filter(({ atMs }) => atMs >= fromMs && atMs < untilMs)
  const changes = new Set(grants.flatMap((grant) => changesOf(grant, fromMs, untilMs)))
  const instants = [...new Set([fromMs, untilMs, ...changes, ...events.map(({ atMs }) => atMs)])].sort(
    (a, b) => a - b,
  )
  const usedAt = new Map<number, Rational>()
  for (const { atMs, value } of events) usedAt.set(atMs, add(usedAt.get(atMs) ?? ZERO, value))
  const state: State = {
    balances: new Map(grants.map(({ id }) => [id, ZERO])),
    overage: ZERO,
    consumed: ZERO,
  }
  for (const atMs of instants) {
    for (const grant of grants) change(state, grant, atMs, fromMs)
    const owed = add(state.overage, usedAt.get(atMs) ?? ZERO)
    state.overage = burn(state, grants, owed)
  }
  return {
    balances: Object.fromEntries([...state.balances].map(([id, balance]) => [id, formatDecimal(balance)])),
    overage: formatDecimal(state.overage),
    consumed: formatDecimal(state.consumed),
  }
}

/** Fills a grant where it begins or recurs, and empties it where it ends. */
function change(state: State, grant: Grant, atMs: number, fromMs: number): void {
  if (atMs >= grant.endMs) state.balances.set(grant.id, ZERO)
  else if (atMs === Math.max(grant.startMs, fromMs)) state.balances.set(grant.id, grant.amount)
  else if (atMs > grant.startMs && grant.resets !== undefined) {
    const since = atMs - grant.resets.anchorMs
    if (since % grant.resets.everyMs === 0) state.balances.set(grant.id, grant.amount)
  }
}

/** Takes from the grants in order; returns what is left to pay. */
function burn(state: State, grants: readonly Grant[], owed: Rational): Rational {
  let left = owed
  for (const { id } of grants) {
    const balance = state.balances.get(id) ?? ZERO
    const taken = smaller(balance, left)
    state.balances.set(id, subtract(balance, taken))
    left = subtract(left, taken)
  }
  state.consumed = add(state.consumed, subtract(owed, left))
  return left
}

function changesOf(grant: Grant, fromMs: number, untilMs: number): number[] {
  const { startMs, endMs, resets } = grant
  const changes = [startMs, endMs]
  if (resets !== undefined) {
    const { everyMs, anchorMs } = resets
    const beginMs = Math.max(startMs, fromMs)
    if ((untilMs - beginMs) / everyMs > MOST_STEPS) throw new RatingError('a grant recurs too often')
    const last = Math.min(untilMs, endMs)
    for (
      let atMs = anchorMs + Math.ceil((beginMs - anchorMs) / everyMs) * everyMs;
      atMs <= last;
      atMs += everyMs
    ) {
      changes.push(atMs)
    }
  }
  return changes.filter((atMs) => atMs >= fromMs && atMs <= untilMs)
}

function grantOf(grant: Fields): Grant {
  const amount = decimalAt(grant, 'amount')
  if (amount.n < 0n) throw new RatingError('a grant must not be negative')
  const ends = ['expires_at', 'voided_at']
    .filter((name) => has(grant, name))
    .map((name) => instantAt(grant, name))
  const recurrence = has(grant, 'recurrence') ? fieldsOf(grant['recurrence'], 'recurrence') : undefined
  return {
    ...orderedGrant(grant),
    amount,
    startMs: instantAt(grant, 'effective_at'),
    endMs: Math.min(Number.POSITIVE_INFINITY, ...ends),
    resets: recurrence === undefined ? undefined : resetsOf(recurrence),
  }
}

function resetsOf(recurrence: Fields): { everyMs: number; anchorMs: number } {
  const everyMs = Number(wholeAt(recurrence, 'every_days')) * DAY_MS
  if (everyMs <= 0) throw new RatingError('every_days must be positive')
  return { everyMs, anchorMs: instantAt(recurrence, 'anchor') }
}

function stepOf(event: Fields): Step {
  const value = decimalAt(event, 'value')
  if (value.n < 0n) throw new RatingError('usage must not be negative')
  return { atMs: instantAt(event, 'at'), value }
}

function instantAt(fields: Fields, name: string): number {
  const ms = Date.parse(String(fields[name]))
  if (Number.isNaN(ms)) throw new RatingError(`${name} must be an instant`)
  return ms
}
