import type { TenantId } from '#shared/ids.ts'
import type { Revocations } from '#shared/tokens/revocations.ts'
import { type News, newsSince, type RevocationCursor } from '../domain/revocation-cursor.ts'
import { WAITING_TICK_MS, type WaitingRoom } from '../ports/revocations.ts'

export type AwaitRevocationsDeps = {
  readonly revocations: Revocations
  readonly waitingRoom: WaitingRoom
}

export type Awaited = News & {
  /** How long the reader should wait before it asks again; 0: at once, it will be kept waiting here. */
  readonly pollAfterSeconds: number
}

/** For whoever found no place to wait. */
const POLL_AFTER_SECONDS = 5

/**
 * What was revoked in a tenant since the cursor: at once if there is something, else as soon as there
 * is, and after `waitMs` of real time in any case.
 *
 * `leave` ends the waiting early. Throws when what is revoked cannot be known.
 */
export async function awaitRevocations(
  deps: AwaitRevocationsDeps,
  asked: {
    readonly tenantId: TenantId
    readonly cursor: RevocationCursor | undefined
    readonly waitMs: number
    readonly leave: AbortSignal
  },
): Promise<Awaited> {
  const { tenantId, cursor, leave } = asked
  const look = async (): Promise<News> => {
    const marks = await deps.revocations.current()
    return newsSince(cursor, marks.entriesOf(tenantId), deps.revocations.readTimeMs())
  }
  const first = await look()
  // A first call wants to know how things stand, not what comes next.
  if (first.entries.length > 0 || cursor === undefined || asked.waitMs === 0) return answered(first)
  const place = deps.waitingRoom.enter(tenantId, leave)
  if (place === undefined) return { ...first, pollAfterSeconds: POLL_AFTER_SECONDS }
  try {
    const ticks = Math.ceil(asked.waitMs / WAITING_TICK_MS)
    let news = first
    for (let tick = 0; tick < ticks && news.entries.length === 0 && !leave.aborted; tick += 1) {
      await place.nextTick()
      news = await look()
    }
    return answered(news)
  } finally {
    place.leave()
  }
}

function answered(news: News): Awaited {
  return { ...news, pollAfterSeconds: news.repeats ? POLL_AFTER_SECONDS : 0 }
}
