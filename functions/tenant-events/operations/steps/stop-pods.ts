import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { asRecord } from '#shared/json.ts'
import type { StepOutcome } from '../../domain/saga.ts'
import type { LiveObject } from '../../ports/cluster.ts'
import type { StepWork } from './step.ts'

/**
 * Ends the pods of the tenant's namespace whose priority class is meant, each by its own uid; done when
 * none of them runs. `graceSeconds` is how long each may take; as long as it asks for unless given.
 *
 * Whoever calls it has closed the quota before: a controller that starts another in place of the one that
 * was ended would never let this come to an end.
 */
export async function stopPods(
  work: StepWork,
  graceSeconds: number | undefined,
  isMeant: (className: string) => boolean = () => true,
): Promise<StepOutcome> {
  const pods = { apiVersion: 'v1', kind: 'Pod', namespace: namespaceOf(work.tenant.tenantId) }
  const listed = await work.cluster.list(pods, work.signal)
  if (!listed.ok) return { kind: 'failed', failure: listed.failure }
  const running = listed.value.filter((pod) => isMeant(classOf(pod)) && !hasEnded(pod))
  for (const pod of running) {
    if (pod.terminating) continue
    const deleted = await work.cluster.delete(pods, pod.name, pod.uid, work.signal, graceSeconds)
    if (!deleted.ok) return { kind: 'failed', failure: deleted.failure }
  }
  if (running.length === 0) return { kind: 'done', evidence: { pods: '0' } }
  return { kind: 'waiting', waitingFor: 'cluster', evidence: { pods: `${running.length}` } }
}

function classOf(pod: LiveObject): string {
  return String(asRecord(pod.body['spec'])?.['priorityClassName'] ?? '')
}

/** A pod that has ended holds nothing, and stays for others to read. */
function hasEnded(pod: LiveObject): boolean {
  return ['Succeeded', 'Failed'].includes(String(asRecord(pod.body['status'])?.['phase']))
}
