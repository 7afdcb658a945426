import { stepOf } from '../../domain/operation.ts'
import { deleteAll, prefixOf } from './delete-objects.ts'
import { goOnSoon } from './go-on.ts'
import { nothingToUndo, type Step } from './step.ts'

const PAGES_PER_TRY = 4
/** `exports/{tenantId}/{operationId}/{name}.tar.gz`. */
const ARCHIVE = /^exports\/[^/]+\/(?<operationId>[^/]+)\/[^/]+\.tar\.gz$/

/**
 * X05: deletes the parts that archives were made of, with all their versions; those of an export that was
 * cut short too, since nobody else would. Archives stay, but for one that was ready and never handed out:
 * ids of operations sort by time, and it is of a later one than the last that was.
 */
export const cleanExport: Step = {
  run: async (work) => {
    const { operation, tenant, world } = work
    const archive = stepOf(operation, 'seal-archive').evidence['object']
    const last = tenant.export?.operationId ?? ''
    const stays = (name: string): boolean => {
      const of = ARCHIVE.exec(name)?.groups?.['operationId']
      return name === archive || (of !== undefined && of <= last)
    }
    let after: string | undefined
    for (let page = 0; page < PAGES_PER_TRY && world.objects !== undefined; page += 1) {
      // Exports of usage and invoices, which a tenant orders of billing, have other names and are their own.
      const prefix = `${prefixOf(tenant.tenantId)}op_`
      const { versions, next } = await world.objects.listVersions(prefix, after)
      const others = versions.filter(({ name }) => !stays(name))
      await deleteAll(world.objects, others)
      if (next === undefined) return { kind: 'done' }
      after = next
    }
    return world.objects === undefined ? { kind: 'done' } : goOnSoon({})
  },
  undo: nothingToUndo,
}
