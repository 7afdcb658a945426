import type { KeyMove } from '../../domain/tenant-key.ts'
import type { CloudAnswer, TenantKey } from '../../ports/cloud.ts'
import type { StepWork } from './step.ts'

/** Each version takes two moves, and each is followed by a look. */
const MOST_MOVES = 50

/** The key as it was last seen, and whether it is where it should be. */
export type MovedKey = { readonly key: TenantKey | undefined; readonly ready: boolean }

/** Looks, moves and looks again, until `decide` is content or only time helps. */
export async function moveKey(
  work: StepWork,
  decide: (key: TenantKey | undefined) => KeyMove,
): Promise<CloudAnswer<MovedKey>> {
  const { kms } = work.world
  const { tenantId } = work.tenant
  for (let moves = 0; moves < MOST_MOVES; moves += 1) {
    const found = await kms.find(tenantId, work.signal)
    if (!found.ok) return found
    const next = decide(found.value)
    if (next.move === 'ready' || next.move === 'wait') {
      return { ok: true, value: { key: found.value, ready: next.move === 'ready' } }
    }
    const moved = await make(work, next)
    if (!moved.ok) return moved
  }
  return { ok: true, value: { key: undefined, ready: false } }
}

function make(
  { signal, tenant, world: { kms } }: StepWork,
  next: Exclude<KeyMove, { readonly move: 'ready' | 'wait' }>,
): Promise<CloudAnswer<void>> {
  const { tenantId } = tenant
  if (next.move === 'create') return kms.create(tenantId, signal)
  if (next.move === 'add-primary') return kms.addPrimary(tenantId, signal)
  if (next.move === 'restore') return kms.restore(next.version, signal)
  if (next.move === 'destroy') return kms.destroy(next.version, signal)
  return kms.setEnabled(next.version, next.move === 'enable', signal)
}
