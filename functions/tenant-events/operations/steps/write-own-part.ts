import { z } from 'zod'
import {
  type ExportProgress,
  type ExportSource,
  exportMember,
  exportPrefix,
  writePart,
} from '#shared/tenant-export.ts'
import { type Evidence, type Operation, stepOf } from '../../domain/operation.ts'
import { prefixOf } from './delete-objects.ts'
import { goOnSoon } from './go-on.ts'
import { scopeOf } from './request-export.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

const PARTS_PER_TRY = 8
const members = z.array(exportMember)

/** X02: writes lifecycle's own part: the tenant, its operations, its audit, and what lies in the bucket. */
export const writeOwnPart: Step = {
  run: async (work) => {
    const { objects } = work.world
    if (objects === undefined) throw new Error('there is no bucket')
    const sources = sourcesOf(work)
    const prefix = `${exportPrefix(work.tenant.tenantId, work.operation.operationId)}lifecycle/`
    let progress = ownProgress(work.operation)
    for (let part = 0; part < PARTS_PER_TRY && !progress.done; part += 1) {
      progress = await writePart(objects, prefix, 'lifecycle', sources, progress)
    }
    return progress.done ? { kind: 'done', evidence: evidenceOf(progress) } : goOnSoon(evidenceOf(progress))
  },
  undo: nothingToUndo,
}

/** How far the own part came, by what the step wrote down. */
export function ownProgress(operation: Operation): ExportProgress {
  const evidence = stepOf(operation, 'write-own-part').evidence
  return {
    source: Number(evidence['source'] ?? '0'),
    after: evidence['after'] === undefined || evidence['after'] === '' ? null : evidence['after'],
    members: members.parse(JSON.parse(evidence['members'] ?? '[]')),
    done: evidence['done'] === 'yes',
  }
}

function evidenceOf({ source, after, members: written, done }: ExportProgress): Evidence {
  const place = { source: `${source}`, after: after ?? '', done: done ? 'yes' : 'no' }
  return { ...place, members: JSON.stringify(written) }
}

function sourcesOf(work: StepWork): readonly ExportSource[] {
  const { ctx, tenant, world } = work
  const own = (['tenant', 'operations', 'audit'] as const).map((name) => ({
    name,
    page: (after: string | undefined) => world.documents.exportPage(ctx, name, after),
  }))
  const listing: ExportSource = {
    name: 'objects',
    page: async (after) => {
      if (world.objects === undefined) return { rows: [], next: undefined }
      const { versions, next } = await world.objects.listVersions(prefixOf(tenant.tenantId), after)
      // What this export writes itself is not what was there.
      const before = versions.filter(({ name }) => !name.startsWith(currentOf(work)))
      return { rows: before.map((version) => ({ ...version })), next }
    },
  }
  return scopeOf(work) === 'files' ? [listing] : [...own, listing]
}

function currentOf({ operation, tenant }: StepWork): string {
  return exportPrefix(tenant.tenantId, operation.operationId)
}
