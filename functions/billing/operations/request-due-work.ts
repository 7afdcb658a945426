import { hashedId } from '#shared/ids.ts'
import type { Trace } from '#shared/trace.ts'
import type { BillingDeps } from '../ports.ts'

const MOST_DUE = 200
const SLOT_MS = 60_000

/** Asks for a unit of each work that goes on until it is done. */
export async function requestDueWork(
  deps: Pick<BillingDeps, 'due' | 'work'>,
  run: { readonly nowMs: number; readonly trace: Trace; readonly signal: AbortSignal },
): Promise<{ due: number }> {
  const { nowMs, trace, signal } = run
  const list = await deps.due.list(MOST_DUE)
  for (const { tenantId, kind, key } of list) {
    if (signal.aborted) break
    const id = `${kind}.${hashedId(tenantId, key, String(Math.floor(nowMs / SLOT_MS)))}`
    await deps.work.request({ tenantId, kind, key: key || 'purge' }, { id, nowMs, trace })
  }
  return { due: list.length }
}
