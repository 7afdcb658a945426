import { lastDestructionMs, towardsEnd } from '../../domain/tenant-key.ts'
import { moveKey } from './move-key.ts'
import { nothingToUndo, type Step } from './step.ts'

/** Cloud KMS destroys in the minutes after the time it names. */
const MARGIN_MS = 60_000

/**
 * G10, second half: waits until every version is DESTROYED, 30 days unless the key was made otherwise.
 *
 * A version that somebody restored or added meanwhile is sent back on its way: the certificate will say
 * that there is no key.
 */
export const awaitKeyDestroyed: Step = {
  run: async (work) => {
    const moved = await moveKey(work, towardsEnd)
    if (!moved.ok) return { kind: 'failed', failure: moved.failure }
    const { key, ready } = moved.value
    if (!ready) return { kind: 'waiting', waitingFor: 'key' }
    const versions = key?.versions ?? []
    const lastMs = lastDestructionMs(versions)
    if (lastMs !== undefined) {
      return {
        kind: 'waiting',
        waitingFor: 'key',
        dueAtMs: Math.max(lastMs, work.nowMs) + MARGIN_MS,
        evidence: { destroyedFrom: new Date(lastMs).toISOString() },
      }
    }
    return {
      kind: 'done',
      evidence: {
        key: key?.keyName ?? 'none',
        versions: `${versions.length}`,
        state: 'DESTROYED',
        readAt: new Date(work.nowMs).toISOString(),
      },
    }
  },
  undo: nothingToUndo,
}
