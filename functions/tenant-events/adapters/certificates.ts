import { z } from 'zod'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import { isDocumentId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import type { Certificates, StoredCertificate } from '../ports/purge.ts'

const parseCertificate = parser<StoredCertificate>(
  z.object({
    certificateId: z.string(),
    tenantId: z.string(),
    issuedAtMs: z.number().int().nonnegative(),
    certificate: z.string(),
    signature: z.object({ alg: z.literal('ES256'), kid: z.string(), value: z.string() }),
  }),
)

/** Deletion certificates, one for each tenant that is gone: written with its burial, and never again. */
export function firestoreCertificates(system: SystemFirestore): Certificates {
  return {
    find: async (tenantId) =>
      isDocumentId(tenantId)
        ? (await system.find('deletionCertificates', tenantId, parseCertificate))?.value
        : undefined,
  }
}
