import { z } from 'zod'
import { parser } from '#shared/json.ts'
import { ok, type Refusal, type Result, refuse, retryLater } from '#shared/result.ts'
import { formatInstant } from './calendar.ts'

/** An operation that lets no workflow begin, and what it is to be told when none runs. */
export type Freeze = {
  readonly operationId: string
  readonly causationId: string
  readonly correlationId: string
  /** The tenant's last fact before it was asked for, a decimal. */
  readonly after: string
  /** Until when workflows may end, in milliseconds of the store's time; null for ever. */
  readonly untilMs: number | null
  /** The fact that none runs any more, or that some still do, as it was published. */
  readonly drained: string | null
}

/** A freeze as it is asked for: `limitMs` is how long workflows may take to end. */
export type WantedFreeze = Omit<Freeze, 'drained' | 'untilMs'> & { readonly limitMs: number | null }

/** What an operation is told of the slots it had frozen. */
export type SlotVerdict = 'drained' | 'held'

/** The running workflows of a tenant: a lease each, which ends by itself when nobody renews it. */
export type Slots = {
  /** By run, when its lease ends, in milliseconds of the store's time. */
  readonly leases: Readonly<Record<string, number>>
  readonly freeze: Freeze | null
  /** The last operations that are over: a freeze that comes late for one of them is none. */
  readonly over: readonly string[]
  /** The newest fact after which the tenant worked again: a freeze from before it is none. */
  readonly endedBy: string
}

export const NO_SLOTS: Slots = { leases: {}, freeze: null, over: [], endedBy: '0' }

const sequence = z.string().regex(/^\d{1,19}$/)

export const parseSlots = parser<Slots>(
  z.object({
    leases: z.record(z.string(), z.number().int()),
    freeze: z
      .object({
        operationId: z.string(),
        causationId: z.string(),
        correlationId: z.string(),
        after: sequence.default('0'),
        untilMs: z.number().nullable().default(null),
        drained: z.string().nullable(),
      })
      .nullable(),
    over: z.array(z.string()),
    endedBy: sequence.default('0'),
  }),
)

export type SlotRequest = { readonly runId: string; readonly ttlMs: number }

export const parseSlotRequest = parser<SlotRequest>(
  z
    .strictObject({
      runId: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$/, 'must be 1 to 128 letters, digits, ._:~-'),
      ttl: z.number().int().min(10).max(600).default(120),
    })
    .transform(({ runId, ttl }) => ({ runId, ttlMs: ttl * 1000 })),
)

/** What a caller is told of its slot. */
export type SlotAnswer = {
  readonly granted: boolean
  readonly runId: string
  readonly active: number
  readonly limit: number
  readonly expiresAt: string | null
}

export type SlotChange = { readonly slots: Slots; readonly answer: SlotAnswer }

const FROZEN_RETRY_SECONDS = 30
const MOST_OVER = 20

/**
 * Gives a run a slot, unless as many hold one as the tier allows. A run that holds one keeps it, whatever
 * the limit became since: asking again is safe, and never shortens a lease.
 */
export function acquireSlot(
  slots: Slots,
  request: SlotRequest & { readonly limit: number; readonly atMs: number },
): Result<SlotChange> {
  const { runId, ttlMs, limit, atMs } = request
  const live = liveLeases(slots, atMs)
  const held = heldUntil(live, runId)
  if (held === undefined) {
    if (slots.freeze !== null) {
      return retryLater(refuse('workflows.frozen', slots.freeze.operationId), FROZEN_RETRY_SECONDS)
    }
    if (Object.keys(live).length >= limit) return full(live, limit, atMs)
  }
  const expiresAtMs = Math.max(held ?? 0, atMs + ttlMs)
  const leases = { ...live, [runId]: expiresAtMs }
  return ok({ slots: { ...slots, leases }, answer: answerOf(runId, leases, limit, expiresAtMs) })
}

/** Keeps a slot for longer. One whose lease is over is lost, even if nobody has taken it yet. */
export function renewSlot(
  slots: Slots,
  request: SlotRequest & { readonly limit: number; readonly atMs: number },
): Result<SlotChange> {
  const { runId, ttlMs, limit, atMs } = request
  const live = liveLeases(slots, atMs)
  const held = heldUntil(live, runId)
  if (held === undefined) return refuse('workflows.not_held', runId)
  const expiresAtMs = Math.max(held, atMs + ttlMs)
  const leases = { ...live, [runId]: expiresAtMs }
  return ok({ slots: { ...slots, leases }, answer: answerOf(runId, leases, limit, expiresAtMs) })
}

export function releaseSlot(
  slots: Slots,
  request: { readonly runId: string; readonly limit: number; readonly atMs: number },
): Result<SlotChange> {
  const { runId, limit, atMs } = request
  const live = liveLeases(slots, atMs)
  if (heldUntil(live, runId) === undefined) return refuse('workflows.not_held', runId)
  const leases = Object.fromEntries(Object.entries(live).filter(([held]) => held !== runId))
  return ok({
    slots: { ...slots, leases },
    answer: { ...answerOf(runId, leases, limit, null), granted: false },
  })
}

/** Lets nothing begin until the operation is over; undefined when it is over already, or was frozen by it before. */
export function freezeSlots(slots: Slots, wanted: WantedFreeze, atMs: number): Slots | undefined {
  const { limitMs, ...freeze } = wanted
  if (slots.over.includes(freeze.operationId)) return undefined
  if (slots.freeze?.operationId === freeze.operationId) return undefined
  if (BigInt(slots.endedBy) > BigInt(freeze.after)) return undefined
  const untilMs = limitMs === null ? null : atMs + limitMs
  return { ...slots, leases: liveLeases(slots, atMs), freeze: { ...freeze, untilMs, drained: null } }
}

/** Ends the freeze of an operation, and of any request for one that comes later. */
export function thawSlots(slots: Slots, operationId: string): Slots | undefined {
  if (slots.over.includes(operationId)) return undefined
  const freeze = slots.freeze?.operationId === operationId ? null : slots.freeze
  return { ...slots, freeze, over: [...slots.over, operationId].slice(-MOST_OVER) }
}

/**
 * Ends whichever freeze was asked for before the fact that the tenant works again, and any such that comes
 * later: a suspension's freeze outlasts its own operation, and ends with another one.
 */
export function thawBefore(slots: Slots, sequence: string): Slots | undefined {
  if (BigInt(sequence) <= BigInt(slots.endedBy)) return undefined
  const stands = slots.freeze !== null && BigInt(slots.freeze.after) >= BigInt(sequence)
  return { ...slots, freeze: stands ? slots.freeze : null, endedBy: sequence }
}

/** What the operation that waits for it is to be told now: that nothing runs, or that its time is over. */
export function judgeFreeze({ freeze, ...slots }: Slots, atMs: number): SlotVerdict | undefined {
  if (freeze === null || freeze.drained !== null) return undefined
  if (Object.keys(liveLeases({ ...slots, freeze }, atMs)).length === 0) return 'drained'
  return freeze.untilMs !== null && atMs >= freeze.untilMs ? 'held' : undefined
}

/** Only own members: a run may be called `constructor`. */
function heldUntil(live: Readonly<Record<string, number>>, runId: string): number | undefined {
  return Object.hasOwn(live, runId) ? live[runId] : undefined
}

/** The leases that are not over. */
export function liveLeases(slots: Slots, atMs: number): Record<string, number> {
  return Object.fromEntries(Object.entries(slots.leases).filter(([, endsMs]) => endsMs > atMs))
}

function answerOf(
  runId: string,
  leases: Readonly<Record<string, number>>,
  limit: number,
  expiresAtMs: number | null,
): SlotAnswer {
  const active = Object.keys(leases).length
  const expiresAt = expiresAtMs === null ? null : formatInstant(expiresAtMs)
  return { granted: true, runId, active, limit, expiresAt }
}

function full(live: Readonly<Record<string, number>>, limit: number, atMs: number): Refusal {
  const firstMs = Math.min(...Object.values(live))
  const hint = `All ${limit} slots of the tier are taken.`
  return retryLater(refuse('workflows.limit_reached', `${limit} slots`, hint), (firstMs - atMs) / 1000)
}
