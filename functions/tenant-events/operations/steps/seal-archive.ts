import { sha256Hex } from '#shared/ids.ts'
import { exportPrefix } from '#shared/tenant-export.ts'
import { exportManifest, packed, packedEnd } from '../../domain/archive.ts'
import { stepOf } from '../../domain/operation.ts'
import type { Objects } from '../../ports/purge.ts'
import { chunkName, folderOf, membersOf } from './pack-archive.ts'
import { scopeOf } from './request-export.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

/** What one call of the bucket joins. */
const MOST_JOINED = 32

const README = `This archive holds what Energent kept of your tenant: JSON lines, one file for each kind.
manifest.json lists every file with its SHA-256; signature.json signs the very bytes of manifest.json;
keys.json has the public keys, for this archive and for the deletion certificate you may get one day.
Check it with docs/verify-export.mjs, or with any tool that knows SHA-256 and ES256 (RFC 7518).
This text and keys.json are signed by nobody: get the keys from GET /v1/evidence-keys, too, to know whose they are.
`

/**
 * X04: signs the list of all files, puts it at the end, and joins what was packed to one archive.
 *
 * The archive is there with one call or not at all, and everything before it has a name of its own, so that
 * any number of tries makes one archive.
 */
export const sealArchive: Step = {
  run: async (work) => {
    const { nowMs, operation, tenant, world } = work
    const { objects } = world
    if (objects === undefined) throw new Error('there is no bucket')
    const { failure, members } = await membersOf(work)
    if (failure !== undefined) return { kind: 'failed', failure }
    const { operationId, startedAtMs: orderedAtMs } = operation
    const { tenantId } = tenant
    const manifest = exportManifest({ tenantId, operationId, scope: scopeOf(work), orderedAtMs, members })
    const packedChunks = Number(stepOf(operation, 'pack-archive').evidence['chunks'] ?? '0')
    await objects.put(chunkName(work, packedChunks), await lastChunk(work, manifest), 'application/gzip')
    const names = Array.from({ length: packedChunks + 1 }, (_, number) => chunkName(work, number))
    const prefix = exportPrefix(tenantId, operationId)
    const object = `${prefix}energent-${tenantId}.tar.gz`
    const bytes = await join(objects, names, prefix, object)
    const sha256 = sha256Hex(manifest)
    return {
      kind: 'done',
      evidence: { object, sha256, members: `${members.length}`, bytes: `${bytes}` },
      // The end of an export says it; of an offboarding, this does.
      facts: operation.kind === 'offboard' ? ['export-ready'] : [],
      change: (current) => ({ ...current, export: { operationId, object, sha256, atMs: nowMs } }),
    }
  },
  undo: nothingToUndo,
}

async function lastChunk(work: StepWork, manifest: string): Promise<Uint8Array> {
  const { signer } = work.world
  const bytes = Buffer.from(manifest, 'utf8')
  const [signature, keys] = await Promise.all([signer.sign(bytes), signer.keys()])
  const set = { keys: keys.map(({ jwk, kid }) => ({ ...jwk, kid, alg: 'ES256', use: 'sig' })) }
  const files = [
    { path: 'README.txt', bytes: Buffer.from(README, 'utf8') },
    { path: 'keys.json', bytes: json(set) },
    { path: 'manifest.json', bytes },
    { path: 'signature.json', bytes: json({ ...signature }) },
  ]
  return Buffer.concat([packed(files, folderOf(work), work.operation.startedAtMs), packedEnd()])
}

/** Joins objects by 32, and what came of it by 32 again, until there is one; its size is that of all. */
async function join(
  objects: Objects,
  names: readonly string[],
  prefix: string,
  target: string,
): Promise<number> {
  const sizes = await Promise.all(names.map((name) => objects.find(name)))
  const wanted = sizes.reduce((sum, found) => sum + (found?.bytes ?? Number.NaN), 0)
  let level = names
  for (let height = 0; level.length > MOST_JOINED; height += 1) {
    const joined: string[] = []
    for (let at = 0; at < level.length; at += MOST_JOINED) {
      const name = `${prefix}joined/${height}-${String(at / MOST_JOINED).padStart(6, '0')}.gz`
      await objects.compose(name, level.slice(at, at + MOST_JOINED), 'application/gzip')
      joined.push(name)
    }
    level = joined
  }
  await objects.compose(target, level, 'application/gzip')
  const archive = await objects.find(target)
  if (archive?.bytes !== wanted) throw new Error('the archive is not as long as its parts')
  return wanted
}

function json(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`, 'utf8')
}
