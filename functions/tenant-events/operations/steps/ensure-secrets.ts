import { workloadSecretId } from '../../domain/cloud-names.ts'
import type { Step } from './step.ts'

/**
 * P07, before the binding: the secret that the tenant's workloads read, empty and labelled. Its value is
 * put there by whoever knows it; Kubernetes gets its name alone (P09).
 */
export const ensureSecrets: Step = {
  run: async (work) => {
    const { signal, tenant, world } = work
    const secretId = workloadSecretId(tenant.tenantId)
    const ensured = await world.secrets.ensure(tenant.tenantId, secretId, signal)
    if (!ensured.ok) return { kind: 'failed', failure: ensured.failure }
    const listed = await world.secrets.list(tenant.tenantId, signal)
    if (!listed.ok) return { kind: 'failed', failure: listed.failure }
    if (!listed.value.some(({ name }) => name.endsWith(`/${secretId}`))) {
      const text = 'the secret was made and is not listed yet'
      return { kind: 'failed', failure: { kind: 'transient', code: 'cloud.read_back_differs', text } }
    }
    return { kind: 'done', evidence: { secret: secretId } }
  },
  /** Only the one that was made here: others are of somebody who may still need them. */
  undo: async ({ signal, tenant, world }) => {
    const secretId = workloadSecretId(tenant.tenantId)
    const listed = await world.secrets.list(tenant.tenantId, signal)
    if (!listed.ok) return { kind: 'failed', failure: listed.failure }
    const own = listed.value.find(({ name }) => name.endsWith(`/${secretId}`))
    if (own === undefined) return { kind: 'done' }
    const deleted = await world.secrets.delete(own.name, signal)
    return deleted.ok ? { kind: 'done' } : { kind: 'failed', failure: deleted.failure }
  },
}
