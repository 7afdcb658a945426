import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { canonicalJson, digestOf } from '#shared/json.ts'
import { type Evidence, type Operation, stepOf } from './operation.ts'
import { stepsOf } from './plans.ts'
import type { Tenant } from './tenant.ts'

/** Names the form: who verifies it looks at nothing of another. */
export const CERTIFICATE_TYPE = 'energent.deletion-certificate/1'

/** What was found when nothing was left. */
export type LastLook = {
  readonly audit: { readonly root: string; readonly segments: number }
  readonly nowMs: number
}

export function certificateIdOf({ operationId }: Pick<Operation, 'operationId'>): string {
  return `dc_${operationId.replace(/^op_/, '')}`
}

/**
 * The deletion certificate: what was erased, with counts and hashes, in the canonical form that is signed.
 *
 * It holds ids, counts, times and hashes and nothing of the tenant's, so that it can be kept for ever. The
 * same purge has the same certificate whenever it is written, but for the moment it is issued at.
 */
export function deletionCertificate(
  tenant: Tenant,
  operation: Operation,
  { audit, nowMs }: LastLook,
): string {
  const { authErased, billingErased } = operation.answers
  // All but the one that writes it.
  const done = stepsOf(operation).filter(({ key }) => key !== 'issue-certificate')
  const steps = done.map(({ code, key }) => {
    const { evidence } = stepOf(operation, key)
    return { code, step: key, evidence, sha256: digestOf(evidence) }
  })
  const counts = {
    auth: authErased?.counts ?? {},
    billing: billingErased?.counts ?? {},
    lifecycle: numbersOf(stepOf(operation, 'erase-documents').evidence),
    objects: numbersOf(stepOf(operation, 'delete-objects').evidence),
  }
  return canonicalJson({
    type: CERTIFICATE_TYPE,
    certificateId: certificateIdOf(operation),
    tenantId: tenant.tenantId,
    namespace: namespaceOf(tenant.tenantId),
    operationId: operation.operationId,
    purgeStartedAt: isoOf(operation.startedAtMs),
    issuedAt: isoOf(nowMs),
    approvals: (operation.request.approvals ?? []).map(({ approver, atMs }) => ({
      approver,
      at: isoOf(atMs),
    })),
    erased: {
      counts,
      sha256: digestOf(counts),
      authAt: authErased === null ? null : isoOf(authErased.atMs),
      billingAt: billingErased === null ? null : isoOf(billingErased.atMs),
    },
    steps,
    key: keyOf(operation),
    audit,
    kept: {
      invoices: billingErased?.archived ?? 0,
      auditSegments: audit.segments,
      tombstone: 1,
      certificate: 1,
    },
  })
}

/** Destroyed for good, and by when: nothing that was encrypted with it can ever be read, backups neither. */
function keyOf(operation: Operation): Record<string, string | null> {
  const shredded = stepOf(operation, 'shred-key').evidence
  const awaited = stepOf(operation, 'await-key-destroyed').evidence
  return {
    name: awaited['key'] ?? shredded['key'] ?? null,
    versions: awaited['versions'] ?? null,
    state: awaited['state'] ?? null,
    destroyedAt: awaited['destroyedFrom'] ?? awaited['readAt'] ?? null,
    seenDestroyedAt: awaited['readAt'] ?? null,
  }
}

/** The members of a step's evidence that count something. */
function numbersOf(evidence: Evidence): Record<string, number> {
  const counted = Object.entries(evidence).filter(([, value]) => /^\d{1,15}$/.test(value))
  return Object.fromEntries(counted.map(([name, value]) => [name, Number(value)]))
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString()
}
