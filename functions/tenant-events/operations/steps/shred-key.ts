import { towardsEnd } from '../../domain/tenant-key.ts'
import { moveKey } from './move-key.ts'
import { nothingToUndo, type Step } from './step.ts'

/** G10, first half: no version of the key can be used from here on, and the end of each is scheduled. */
export const shredKey: Step = {
  run: async (work) => {
    const moved = await moveKey(work, towardsEnd)
    if (!moved.ok) return { kind: 'failed', failure: moved.failure }
    const { key, ready } = moved.value
    if (!ready) return { kind: 'waiting', waitingFor: 'key' }
    const versions = key?.versions.length ?? 0
    return { kind: 'done', evidence: { key: key?.keyName ?? 'none', versions: `${versions}` } }
  },
  undo: nothingToUndo,
}
