import type { Evidence } from '../../domain/operation.ts'
import { stepOf } from '../../domain/operation.ts'
import type { Objects } from '../../ports/purge.ts'
import { goOnSoon } from './go-on.ts'
import { nothingToUndo, type Step } from './step.ts'

/** How long one try deletes, of the 40 s that it has. */
const PAGES_PER_TRY = 4
const AT_ONCE = 16

/** Everything of a tenant in the bucket has a name that begins so. */
export function prefixOf(tenantId: string): string {
  return `exports/${tenantId}/`
}

/**
 * G08: deletes every object of the tenant with all its old versions, and looks again until none is listed.
 * What a bucket's soft delete keeps besides is the bucket's own affair and ends by itself.
 */
export const deleteObjects: Step = {
  run: async (work) => {
    const { operation, tenant, world } = work
    const { objects } = world
    if (objects === undefined) return { kind: 'done', evidence: { versions: '0', bytes: '0' } }
    let evidence: Evidence = { versions: '0', bytes: '0', ...stepOf(operation, 'delete-objects').evidence }
    for (let page = 0; page < PAGES_PER_TRY; page += 1) {
      const { versions } = await objects.listVersions(prefixOf(tenant.tenantId), undefined)
      if (versions.length === 0) return { kind: 'done', evidence }
      await deleteAll(objects, versions)
      evidence = {
        versions: `${Number(evidence['versions']) + versions.length}`,
        bytes: `${versions.reduce((sum, { bytes }) => sum + bytes, Number(evidence['bytes']))}`,
      }
    }
    return goOnSoon(evidence)
  },
  undo: nothingToUndo,
}

export async function deleteAll(
  objects: Objects,
  versions: readonly { readonly name: string; readonly generation: string }[],
): Promise<void> {
  for (let at = 0; at < versions.length; at += AT_ONCE) {
    const some = versions.slice(at, at + AT_ONCE)
    await Promise.all(some.map(({ name, generation }) => objects.deleteVersion(name, generation)))
  }
}
