import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { TIERS } from '#shared/catalogue/tiers.ts'
import {
  type ClusterObject,
  identityObjects,
  namespaceObject,
} from '../../../functions/tenant-events/domain/kubernetes-objects.ts'
import {
  backupSchedule,
  claimObject,
  configObject,
  releaseObject,
  scalingObjects,
} from '../../../functions/tenant-events/domain/kubernetes-workloads.ts'
import { guardrailObjects } from '../../../functions/tenant-events/domain/tenant-objects.ts'
import { ACME } from '../world.ts'

const all = (tier: (typeof TIERS)[number]): ClusterObject[] => {
  const spec = { tenantId: ACME, tier, specRevision: 1 }
  return [
    namespaceObject(spec),
    ...guardrailObjects(spec),
    ...identityObjects(spec),
    claimObject(spec),
    ...scalingObjects(spec),
  ]
}

const named = (tier: (typeof TIERS)[number], name: string): ClusterObject => {
  const found = all(tier).find(({ kind, metadata }) => kind !== 'ServiceAccount' && metadata.name === name)
  if (found === undefined) throw new Error(name)
  return found
}

describe('the objects of a tenant', () => {
  // What a real API server accepted, under other names, is the reference to the letter.
  test('are those that a real 1.30 API server accepted for premium', () => {
    const file = new URL('../../kubernetes/recordings.json', import.meta.url)
    const { entries } = JSON.parse(readFileSync(file, 'utf8')) as {
      entries: { id: string; request: { body: ClusterObject } }[]
    }
    const recorded = entries
      .filter(({ id }) => /^OR-(0[1-9]|1[0-8])$/.test(id))
      .map(({ request }) => request.body)
    const renamed = JSON.parse(
      JSON.stringify(recorded)
        .replaceAll('tnt-01jd8k2m5qv7n9x3c6r8w1y4za', 'tenant-acme')
        .replaceAll('t_01jd8k2m5qv7n9x3c6r8w1y4za', 'acme'),
    )
    expect(all('premium')).toEqual(renamed)
  })

  test.each([
    ['basic', '1', '2Gi', '2', '10Gi', '1', '2Gi'],
    ['standard', '2', '4Gi', '4', '25Gi', '2', '4Gi'],
    ['premium', '4', '8Gi', '8', '50Gi', '3500m', '8Gi'],
    ['enterprise', '8', '16Gi', '16', '100Gi', '3500m', '12Gi'],
  ] as const)('hold %s to what it bought', (tier, cpu, memory, pods, storage, mostCpu, mostMemory) => {
    expect(named(tier, 'tenant-compute')['spec']).toMatchObject({
      hard: {
        'requests.cpu': cpu,
        'limits.cpu': cpu,
        'requests.memory': memory,
        'limits.memory': memory,
        pods,
      },
    })
    expect(named(tier, 'tenant-objects')['spec']).toMatchObject({ hard: { 'requests.storage': storage } })
    expect(named(tier, 'tenant-limits')['spec']).toMatchObject({
      limits: [{ max: { cpu: mostCpu, memory: mostMemory } }, { max: { storage } }],
    })
    expect(named(tier, 'tenant-data')['spec']).toMatchObject({ resources: { requests: { storage } } })
    const scaler = all(tier).find(({ kind }) => kind === 'HorizontalPodAutoscaler')
    expect(scaler?.['spec']).toMatchObject({ minReplicas: 1, maxReplicas: Number(pods) / 2 })
  })

  test.each(TIERS)('of %s all carry the tenant, who manages them and the revision', (tier) => {
    for (const { metadata } of all(tier)) {
      expect(metadata.labels).toMatchObject({
        'energent.ai/tenant-id': 'acme',
        'app.kubernetes.io/managed-by': 'tenant-events',
      })
      expect(metadata.annotations).toEqual({ 'energent.ai/spec-rev': '1' })
    }
  })

  test('close every direction before they open any', () => {
    const [first] = guardrailObjects({ tenantId: ACME, tier: 'basic', specRevision: 1 })
    expect(first).toMatchObject({
      metadata: { name: 'default-deny' },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    })
  })

  const spec = { tenantId: ACME, tier: 'premium', specRevision: 7 } as const

  test('of a suspended tenant let no pod start and nothing out, and are otherwise the same', () => {
    const still = guardrailObjects({ ...spec, suspended: true })
    const awake = guardrailObjects(spec)
    expect(still.map(({ kind, metadata }) => [kind, metadata])).toEqual(
      awake.map(({ kind, metadata }) => [kind, metadata]),
    )
    for (const [index, object] of still.entries()) {
      const before = awake[index]?.['spec'] as Record<string, unknown>
      const after = object['spec'] as Record<string, unknown>
      if (object.kind === 'NetworkPolicy') {
        const { egress: _out, ...closed } = before
        expect(after).toEqual(closed)
      } else if (object.metadata.name === 'tenant-compute') {
        expect(after).toEqual({ ...before, hard: { ...(before['hard'] as object), pods: '0' } })
      } else expect(after).toEqual(before)
    }
  })

  test('hand the workloads to Flux, with what the tier lets them have', () => {
    expect(releaseObject(spec)['spec']).toMatchObject({
      suspend: false,
      values: { slots: 4, suspended: false, priorityClassName: 'energent-tenant-premium' },
    })
    expect(releaseObject({ ...spec, suspended: true })['spec']).toMatchObject({
      suspend: false,
      values: { suspended: true },
    })
    expect(releaseObject(spec, false)['spec']).toMatchObject({ suspend: true })
  })

  test('back the namespace up each night for ninety days, not all tenants at once', () => {
    const schedules = ['acme', 'beta', 'gamma', 'delta'].map((tenantId) =>
      backupSchedule({ ...spec, tenantId: tenantId as typeof ACME }),
    )
    const [first] = schedules
    expect(first).toMatchObject({
      metadata: { name: 'tenant-acme', namespace: 'velero', labels: { 'energent.ai/tenant-id': 'acme' } },
      spec: {
        template: {
          includedNamespaces: ['tenant-acme'],
          ttl: '2160h',
          metadata: { labels: { 'energent.ai/tenant-id': 'acme' } },
        },
      },
    })
    const times = schedules.map((one) => (one['spec'] as { schedule: string }).schedule)
    for (const time of times) expect(time).toMatch(/^([1-5]?\d) [1-5] \* \* \*$/)
    expect(new Set(times).size).toBe(times.length)
  })

  test('tell the workloads names alone', () => {
    const config = {
      cluster: 'c',
      region: 'r',
      deploymentModel: 'dedicated',
      keyName: null,
      secrets: ['p/x/s'],
    }
    expect(configObject(spec, config)['data']).toEqual({
      'tenant-id': 'acme',
      tier: 'premium',
      slots: '4',
      cluster: 'c',
      region: 'r',
      'deployment-model': 'dedicated',
      'secret.s': 'p/x/s',
    })
  })
})
