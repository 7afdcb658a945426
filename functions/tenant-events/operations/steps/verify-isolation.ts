import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { digestOf } from '#shared/json.ts'
import { accessExpectations } from '../../domain/isolation.ts'
import { identityObjects, namespaceObject } from '../../domain/kubernetes-objects.ts'
import type { Failure } from '../../domain/operation.ts'
import { guardrailObjects } from '../../domain/tenant-objects.ts'
import type { ClusterAnswer, LiveObject } from '../../ports/cluster.ts'
import { clusterSpecOf, readBack } from './apply-objects.ts'
import { FOREIGN_OBJECT, foreignBeside } from './foreign-objects.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

/**
 * P11: proves that the tenant is apart from all others before anybody may use it.
 *
 * The cluster's roles are asked as the tenant's own accounts what these may and may not do; what bounds
 * the tenant is read back and hashed; and nothing may stand beside it that opens what it closes.
 */
export const verifyIsolation: Step = {
  run: async (work) => {
    const spec = clusterSpecOf(work)
    const access = await wrongAccess(work)
    if (!access.ok) return { kind: 'failed', failure: access.failure }
    const bounds = [namespaceObject(spec), ...guardrailObjects(spec), ...identityObjects(spec)]
    const live = await readBack(work, bounds, { revision: false })
    if (!live.ok) return { kind: 'failed', failure: live.failure }
    const foreign = await foreignBeside(work)
    if (!foreign.ok) return { kind: 'failed', failure: foreign.failure }
    if (foreign.value.length > 0) return { kind: 'failed', failure: opened(work, foreign.value) }
    return {
      kind: 'done',
      evidence: { reviews: `${access.value}`, objects: `${live.value.length}`, hash: hashOf(live.value) },
    }
  },
  undo: nothingToUndo,
}

/** How many questions were answered as they must be; the first that was not is the failure. */
async function wrongAccess(work: StepWork): Promise<ClusterAnswer<number>> {
  const expectations = accessExpectations(namespaceOf(work.tenant.tenantId))
  const verdicts = await work.cluster.review(
    expectations.map(({ question }) => question),
    work.signal,
  )
  if (!verdicts.ok) return verdicts
  const wrong = expectations.find(({ allowed }, index) => verdicts.value[index] !== allowed)
  if (wrong === undefined) return { ok: true, value: expectations.length }
  const { account, verb, group, resource, namespace } = wrong.question
  const what = `${verb} ${resource}${group === '' ? '' : `.${group}`}`
  const where = namespace === '' ? 'in the whole cluster' : `in ${namespace}`
  const text = `${account.name} may ${wrong.allowed ? 'not ' : ''}${what} ${where}`
  return { ok: false, failure: { kind: 'permanent', code: 'isolation.access', text } }
}

function opened({ tenant }: StepWork, names: readonly string[]): Failure {
  const text = `not ours in ${namespaceOf(tenant.tenantId)}: ${names.join(', ')}`
  return { kind: 'permanent', code: FOREIGN_OBJECT, text }
}

/** Over what was asked for, as the cluster shows it: the same tenant hashes the same on each read. */
function hashOf(objects: readonly LiveObject[]): string {
  const shown = objects.map(({ name, labels, body }) => ({
    name,
    labels,
    spec: body['spec'] ?? null,
    roleRef: body['roleRef'] ?? null,
    subjects: body['subjects'] ?? null,
    automount: body['automountServiceAccountToken'] ?? null,
  }))
  return digestOf(shown)
}
