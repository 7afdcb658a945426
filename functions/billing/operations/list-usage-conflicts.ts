import { signalAfter } from '#shared/deadline.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { formatInstant, type Period } from '../domain/calendar.ts'
import { DAY_MS } from '../domain/spans.ts'
import { parsePeriod } from '../domain/usage-query.ts'
import type { BillingDeps, ConflictPlace, UsageConflict } from '../ports.ts'
import type { ListRequest } from './list-usage-events.ts'
import { rollUp } from './roll-up-tenant.ts'

type Deps = Pick<
  BillingDeps,
  'ledger' | 'corrections' | 'rollups' | 'live' | 'reads' | 'versionOf' | 'meters' | 'tenants' | 'usage'
>

export type ConflictAnswer = Omit<UsageConflict, 'timeMs' | 'sides'> & {
  readonly time: string
  readonly sides: readonly {
    readonly digest: string
    readonly time: string
    readonly producer: string
    readonly batchIds: readonly string[]
    /** Whether this is the one that counts. */
    readonly counted: boolean
  }[]
}

export type ConflictsPage = {
  readonly items: readonly ConflictAnswer[]
  readonly next: string | undefined
  readonly exactThrough: string
}

const LONGEST_MS = 400 * DAY_MS
const PARAMETERS = ['from', 'to', 'pageSize', 'pageToken']
/** How long a question may wait for hours that are not rolled up yet. */
const REFRESH_MS = 5_000

/**
 * Events that share an id and say different things, by time: all that was sent, and which one counts.
 * Conflicts come to light when an hour is folded, so what is not folded yet is folded first.
 */
export async function listUsageConflicts(deps: Deps, request: ListRequest): Promise<Result<ConflictsPage>> {
  const { ctx, query, page, nowMs } = request
  const stray = Object.keys(query).find((name) => !PARAMETERS.includes(name))
  if (stray !== undefined) return malformed(`There is no parameter '${stray}'.`)
  const period = parsePeriod(query, nowMs, 'UTC', LONGEST_MS)
  if (!period.ok) return period
  if ((await deps.tenants.find(ctx)) === undefined) return refuse('resource.not_found', 'no such tenant')
  if (page.after === undefined) await refresh(deps, request)
  const after = placeOf(page.after)
  const found = await deps.rollups.conflicts(ctx, {
    ...period.value,
    limit: page.pageSize + 1,
    ...(after === undefined ? {} : { after }),
  })
  const items = found.slice(0, page.pageSize)
  const last = found.length > items.length ? items.at(-1) : undefined
  return ok({
    items: items.map(answerOf),
    next: last === undefined ? undefined : `${last.timeMs}.${last.key}`,
    exactThrough: await exactThrough(deps, request, period.value),
  })
}

async function exactThrough(deps: Deps, { ctx, nowMs }: ListRequest, period: Period): Promise<string> {
  return formatInstant(await deps.usage.exactThrough(ctx, period, nowMs))
}

/** Rolls up what has changed, for as long as one may wait for it: the rest is the job's. */
async function refresh(deps: Deps, { ctx, nowMs }: ListRequest): Promise<void> {
  const limit = signalAfter(REFRESH_MS)
  try {
    await rollUp(deps, ctx, { reading: deps.reads.background(limit), nowMs, open: true })
  } catch (error) {
    if (!limit.aborted) throw error
  }
}

function answerOf({ timeMs, sides, ...conflict }: UsageConflict): ConflictAnswer {
  return {
    ...conflict,
    time: formatInstant(timeMs),
    sides: sides.map(({ timeMs: sideMs, ...side }) => ({ ...side, time: formatInstant(sideMs) })),
  }
}

function placeOf(text: string | undefined): ConflictPlace | undefined {
  if (text === undefined) return undefined
  const [timeMs = '', key = ''] = text.split('.')
  return { timeMs: Number(timeMs), key }
}

function malformed(hint: string): Result<never> {
  return refuse('request.malformed', 'usage conflicts query', hint)
}
