import { stepOf } from '../../domain/operation.ts'
import { deleteAll, prefixOf } from './delete-objects.ts'
import { goOnSoon } from './go-on.ts'
import { nothingToUndo, type Step } from './step.ts'

const PAGES_PER_TRY = 4
/** Of what lies below a tenant's exports only archives stay. */
const ARCHIVE = /^exports\/[^/]+\/[^/]+\/[^/]+\.tar\.gz$/

/**
 * X05: deletes the parts that archives were made of, with all their versions; those of an export that was
 * cut short too, since nobody else would. The archives stay.
 */
export const cleanExport: Step = {
  run: async (work) => {
    const { operation, tenant, world } = work
    const archive = stepOf(operation, 'seal-archive').evidence['object']
    let after: string | undefined
    for (let page = 0; page < PAGES_PER_TRY && world.objects !== undefined; page += 1) {
      // Exports of usage and invoices, which a tenant orders of billing, have other names and are their own.
      const prefix = `${prefixOf(tenant.tenantId)}op_`
      const { versions, next } = await world.objects.listVersions(prefix, after)
      await deleteAll(
        world.objects,
        versions.filter(({ name }) => name !== archive && !ARCHIVE.test(name)),
      )
      if (next === undefined) return { kind: 'done' }
      after = next
    }
    return world.objects === undefined ? { kind: 'done' } : goOnSoon({})
  },
  undo: nothingToUndo,
}
