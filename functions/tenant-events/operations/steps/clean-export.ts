import { exportPrefix } from '#shared/tenant-export.ts'
import { stepOf } from '../../domain/operation.ts'
import { deleteAll } from './delete-objects.ts'
import { goOnSoon } from './go-on.ts'
import { nothingToUndo, type Step } from './step.ts'

const PAGES_PER_TRY = 4

/** X05: deletes the parts that the archive was made of, with all their versions. The archive stays. */
export const cleanExport: Step = {
  run: async (work) => {
    const { operation, tenant, world } = work
    const archive = stepOf(operation, 'seal-archive').evidence['object']
    for (let page = 0; page < PAGES_PER_TRY && world.objects !== undefined; page += 1) {
      const prefix = exportPrefix(tenant.tenantId, operation.operationId)
      const { versions, next } = await world.objects.listVersions(prefix, undefined)
      const parts = versions.filter(({ name }) => name !== archive)
      await deleteAll(world.objects, parts)
      if (next === undefined) return { kind: 'done' }
    }
    return world.objects === undefined ? { kind: 'done' } : goOnSoon({})
  },
  undo: nothingToUndo,
}
