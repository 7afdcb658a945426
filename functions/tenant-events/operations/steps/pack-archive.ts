import { sha256Hex } from '#shared/ids.ts'
import { parseJson } from '#shared/json.ts'
import { type ExportMember, exportPrefix, parseExportManifest } from '#shared/tenant-export.ts'
import { packed } from '../../domain/archive.ts'
import { type Failure, stepOf } from '../../domain/operation.ts'
import { goOnSoon } from './go-on.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'
import { ownProgress } from './write-own-part.ts'

/** Files that are packed together: about so many bytes, of which memory holds one lot. */
const CHUNK_BYTES = 8 * 1024 * 1024
const CHUNKS_PER_TRY = 4

/**
 * X03: packs all parts, some at a time, each lot compressed by itself and written once under a name of its
 * own: a try that died is gone on with, and no archive is ever in memory. Every part is what its writer
 * said it was, or nothing is packed.
 */
export const packArchive: Step = {
  run: async (work) => {
    const { failure, members } = await membersOf(work)
    if (failure !== undefined) return { kind: 'failed', failure }
    const chunks = chunksOf(members)
    let next = Number(stepOf(work.operation, 'pack-archive').evidence['chunks'] ?? '0')
    for (let done = 0; done < CHUNKS_PER_TRY && next < chunks.length; done += 1, next += 1) {
      const wrong = await writeChunk(work, next, chunks[next] ?? [])
      if (wrong !== undefined) return { kind: 'failed', failure: wrong }
    }
    const evidence = { chunks: `${next}`, members: `${members.length}` }
    return next < chunks.length ? goOnSoon(evidence) : { kind: 'done', evidence }
  },
  undo: nothingToUndo,
}

export function chunkName({ operation, tenant }: StepWork, number: number): string {
  const prefix = exportPrefix(tenant.tenantId, operation.operationId)
  return `${prefix}chunks/${String(number).padStart(6, '0')}.gz`
}

/** The folder that an archive unpacks to. */
export function folderOf({ tenant }: Pick<StepWork, 'tenant'>): string {
  return `energent-${tenant.tenantId}`
}

/** Everything that goes into the archive, in its order; or what is wrong with a list of parts. */
export async function membersOf(
  work: StepWork,
): Promise<{ readonly members: readonly ExportMember[]; readonly failure?: Failure }> {
  const { answers } = work.operation
  const members: ExportMember[] = []
  for (const list of [answers.authExported, answers.billingExported]) {
    if (list === null) continue
    const bytes = await work.world.objects?.read(list.manifest)
    if (bytes === undefined || sha256Hex(bytes) !== list.sha256)
      return { members: [], failure: damaged(list.manifest) }
    const json = parseJson(bytes)
    const manifest = json.ok ? parseExportManifest(json.value) : json
    if (!manifest.ok) return { members: [], failure: damaged(list.manifest) }
    members.push(...manifest.value.members)
  }
  return { members: [...members, ...ownProgress(work.operation).members] }
}

async function writeChunk(
  work: StepWork,
  number: number,
  members: readonly ExportMember[],
): Promise<Failure | undefined> {
  const { objects } = work.world
  if (objects === undefined) throw new Error('there is no bucket')
  const files: { path: string; bytes: Uint8Array }[] = []
  for (const { object, path, sha256 } of members) {
    const bytes = await objects.read(object)
    if (bytes === undefined || sha256Hex(bytes) !== sha256) return damaged(object)
    files.push({ path, bytes })
  }
  const chunk = packed(files, folderOf(work), work.operation.startedAtMs)
  await objects.put(chunkName(work, number), chunk, 'application/gzip')
  return undefined
}

function chunksOf(members: readonly ExportMember[]): readonly (readonly ExportMember[])[] {
  const chunks: ExportMember[][] = []
  let size = CHUNK_BYTES
  for (const member of members) {
    if (size + member.bytes > CHUNK_BYTES) {
      chunks.push([])
      size = 0
    }
    chunks.at(-1)?.push(member)
    size += member.bytes
  }
  return chunks
}

function damaged(name: string): Failure {
  return { kind: 'permanent', code: 'export.part_damaged', text: `${name} is not what was written` }
}
