import type { BillingDeps, UsageQuarantine } from '../ports.ts'

/** Events set aside at the same time. */
const PARALLEL = 8

/** Puts events into quarantine, some at a time; all are there when it returns. */
export async function setAside(
  deps: Pick<BillingDeps, 'quarantine'>,
  refused: readonly Parameters<UsageQuarantine['put']>[0][],
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < refused.length; at += PARALLEL) {
    signal.throwIfAborted()
    await Promise.all(refused.slice(at, at + PARALLEL).map((one) => deps.quarantine.put(one)))
  }
}
