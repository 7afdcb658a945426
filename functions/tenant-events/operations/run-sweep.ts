import { type SealAuditDeps, sealAudit } from '#shared/audit/seal-audit.ts'
import type { HeadSigner } from '#shared/contracts/audit-head.ts'
import { errorFields, type Logger } from '#shared/log.ts'
import type { Signer } from '../ports/purge.ts'
import type { LifecycleDeps } from '../ports.ts'
import { resumeDueOperations } from './resume-due-operations.ts'

export type RunSweepDeps = Pick<LifecycleDeps, 'directory' | 'queue' | 'world'> &
  Pick<SealAuditDeps, 'auditChain' | 'ids'>

/**
 * What is due every minute beside the outbox: operations that wait to be continued, then the audit that
 * waits to be chained.
 *
 * Tenants wait for the one and nobody for the other, so an audit that cannot be sealed now is a warning,
 * and the next sweep's. Throws when what is due cannot be read.
 */
export async function runSweep(
  deps: RunSweepDeps,
  { nowMs, log, signal }: { readonly nowMs: number; readonly log: Logger; readonly signal?: AbortSignal },
): Promise<Readonly<Record<string, number>>> {
  const resumed = await resumeDueOperations(deps, nowMs, log, signal)
  const { auditChain, ids, world } = deps
  const headSigner = (): Promise<HeadSigner> => evidenceHeadSigner(world.signer)
  const run = signal === undefined ? { nowMs, log } : { nowMs, log, signal }
  try {
    return {
      ...resumed,
      sealedSegments: await sealAudit({ auditChain, ids, headSigner }, run),
      failedParts: 0,
    }
  } catch (error) {
    log.warn('part of the sweep failed', errorFields(error))
    return { ...resumed, sealedSegments: 0, failedParts: 1 }
  }
}

/** The evidence key as it signs now. The end of a chain names the key that signed it before it is signed. */
async function evidenceHeadSigner(signer: Signer): Promise<HeadSigner> {
  const { kid } = await signer.key()
  return {
    kid,
    sign: async (bytes) => {
      const signature = await signer.sign(bytes)
      if (signature.kid !== kid) throw new Error('the evidence key became another while an audit was sealed')
      return signature.value
    },
  }
}
