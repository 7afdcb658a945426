import { findIntruders } from '../../domain/isolation.ts'
import { identityObjects } from '../../domain/kubernetes-objects.ts'
import { guardrailObjects } from '../../domain/tenant-objects.ts'
import type { ClusterAnswer } from '../../ports/cluster.ts'
import { clusterSpecOf, kindOf } from './apply-objects.ts'
import type { StepWork } from './step.ts'

/** Something that is not ours opens what ours closes. */
export const FOREIGN_OBJECT = 'isolation.foreign_object'

/**
 * What stands beside the objects that bound the tenant and opens what these close, as `Kind/name`.
 *
 * Network policies and role bindings only ever add rights, so a foreign one is a hole. It is named and
 * never deleted: it is not ours, and who put it there may need it to be told.
 */
export async function foreignBeside(work: StepWork): Promise<ClusterAnswer<readonly string[]>> {
  const spec = clusterSpecOf(work)
  const bounds = [...guardrailObjects(spec), ...identityObjects(spec)]
  const foreign: string[] = []
  for (const kind of ['NetworkPolicy', 'RoleBinding']) {
    const own = bounds.filter((object) => object.kind === kind)
    const [first] = own
    if (first === undefined) continue
    const listed = await work.cluster.list(kindOf(first), work.signal)
    if (!listed.ok) return listed
    foreign.push(...findIntruders(listed.value, own).map((name) => `${kind}/${name}`))
  }
  return { ok: true, value: foreign }
}
