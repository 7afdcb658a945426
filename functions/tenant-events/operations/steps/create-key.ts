import type { StepOutcome } from '../../domain/saga.ts'
import { towardsEnd, towardsUse } from '../../domain/tenant-key.ts'
import { moveKey } from './move-key.ts'
import type { Step } from './step.ts'

const WAITING: StepOutcome = { kind: 'waiting', waitingFor: 'key' }

/**
 * P03: the tenant's own key, under which whatever is personal about it is sealed.
 *
 * A key of the name is adopted: names follow from ids, ids are never given twice, and a key that a lost
 * answer or auth left behind is this tenant's.
 */
export const createKey: Step = {
  run: async (work) => {
    const moved = await moveKey(work, towardsUse)
    if (!moved.ok) return { kind: 'failed', failure: moved.failure }
    const { key, ready } = moved.value
    if (!ready || key === undefined) return WAITING
    const { keyName, primary } = key
    return {
      kind: 'done',
      evidence: { key: keyName, version: primary?.split('/').at(-1) ?? '' },
      change: (tenant) => ({ ...tenant, keyName }),
    }
  },
  /** Taken out of use and scheduled for destruction, which a retry of the operation can take back for a while. */
  undo: async (work) => {
    const moved = await moveKey(work, towardsEnd)
    if (!moved.ok) return { kind: 'failed', failure: moved.failure }
    if (!moved.value.ready) return WAITING
    return { kind: 'done', change: (tenant) => ({ ...tenant, keyName: null }) }
  },
}
