import type { StepOutcome } from '../../domain/saga.ts'
import type { CloudAnswer } from '../../ports/cloud.ts'
import type { Step, StepWork } from './step.ts'

/**
 * P07, the part of IAM: the tenant's workload may read the tenant's secrets, and nothing of anybody else's.
 *
 * The Kubernetes account itself is the member; what it may do is written into the policies of the
 * tenant's own resources, each with the etag it was read with.
 */
export const bindIdentity: Step = {
  run: (work) => onEverySecret(work, true),
  undo: (work) => onEverySecret(work, false),
}

/** G05: the workload loses every role on everything that is the tenant's, before that goes itself. */
export const revokeAccess: Step = {
  run: (work) => onEverySecret(work, false),
  undo: async () => ({ kind: 'done' }),
}

async function onEverySecret(work: StepWork, bound: boolean): Promise<StepOutcome> {
  const { iam, secrets } = work.world
  const { tenantId } = work.tenant
  const listed = await secrets.list(tenantId, work.signal)
  if (!listed.ok) return { kind: 'failed', failure: listed.failure }
  for (const { name } of listed.value) {
    const changed = bound
      ? await iam.bind(tenantId, name, work.signal)
      : await iam.unbind(tenantId, name, work.signal)
    if (!changed.ok) return { kind: 'failed', failure: changed.failure }
    const seen: CloudAnswer<boolean> = await iam.isBound(tenantId, name, work.signal)
    if (!seen.ok) return { kind: 'failed', failure: seen.failure }
    if (seen.value !== bound) {
      const text = `the policy of ${name} does not read as it was written`
      return { kind: 'failed', failure: { kind: 'transient', code: 'cloud.read_back_differs', text } }
    }
  }
  return { kind: 'done', evidence: { secrets: `${listed.value.length}` } }
}
