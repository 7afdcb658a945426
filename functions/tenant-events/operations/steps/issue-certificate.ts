import type { StoredCertificate } from '../../domain/burial.ts'
import { certificateIdOf, deletionCertificate } from '../../domain/certificate.ts'
import { prefixOf } from './delete-objects.ts'
import { eraseOwn, nothingLeft } from './erase-documents.ts'
import { goOnSoon } from './go-on.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

/**
 * G12 to G14, with the commit that ends the purge: the tenant's document goes, its tombstone and the signed
 * certificate stay, and everybody hears of it.
 *
 * A month may have passed since anything was erased: what the certificate says is looked at once more
 * before it is signed. A signature that was never committed certifies nothing.
 */
export const issueCertificate: Step = {
  run: async (work) => {
    const { nowMs, operation, tenant, world } = work
    if ((await eraseOwn(work, {})).more) return goOnSoon({})
    const counted = await nothingLeft(work, {})
    if (counted.kind !== 'done') return counted
    if (await anyObject(work)) {
      const text = 'objects were written after they were deleted'
      return { kind: 'failed', failure: { kind: 'transient', code: 'purge.objects_left', text } }
    }
    const audit = await world.documents.auditRoot(work.ctx)
    const certificate = deletionCertificate(tenant, operation, { audit, nowMs })
    const certificateId = certificateIdOf(operation)
    const signature = await world.signer.sign(Buffer.from(certificate, 'utf8'))
    const { tenantId } = tenant
    const { operationId } = operation
    const stored: StoredCertificate = {
      certificateId,
      tenantId,
      issuedAtMs: nowMs,
      certificate,
      signature,
    }
    const tombstone = { tenantId, operationId, certificateId, purgedAtMs: nowMs }
    return { kind: 'done', evidence: { certificateId }, burial: { certificate: stored, tombstone } }
  },
  undo: nothingToUndo,
}

/** Somebody may have written between the deletion and now: then it is done again. */
async function anyObject({ tenant, world }: StepWork): Promise<boolean> {
  const { objects } = world
  if (objects === undefined) return false
  const { versions } = await objects.listVersions(prefixOf(tenant.tenantId), undefined)
  for (const { name, generation } of versions) await objects.deleteVersion(name, generation)
  return versions.length > 0
}
