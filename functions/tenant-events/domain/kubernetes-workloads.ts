import { TIER_LIMITS } from '#shared/catalogue/tiers.ts'
import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import {
  type ClusterObject,
  type ClusterSpec,
  objectOf,
  priorityClassOf,
  STORAGE_CLASS,
} from './kubernetes-objects.ts'

/** The volume that a tenant's pods share. Pending is fine: it is bound when the first pod wants it. */
export function claimObject(spec: ClusterSpec): ClusterObject {
  return objectOf(spec, 'v1', 'PersistentVolumeClaim', 'tenant-data', {
    spec: {
      accessModes: ['ReadWriteMany'],
      storageClassName: STORAGE_CLASS,
      resources: { requests: { storage: `${TIER_LIMITS[spec.tier].storageGib}Gi` } },
    },
  })
}

/** What a tenant's workloads are told. `references` name things; a value that must stay secret is none. */
export type TenantConfig = {
  readonly cluster: string
  readonly region: string
  readonly deploymentModel: string
  readonly keyName: string | null
  /** Resource names of secrets, `projects/…/secrets/…`. */
  readonly secrets: readonly string[]
}

/** Where workloads find what they need: names and references, never a secret's value. */
export function configObject(spec: ClusterSpec, config: TenantConfig): ClusterObject {
  const { cluster, region, deploymentModel, keyName } = config
  const secrets = config.secrets.map((name) => [`secret.${name.slice(name.lastIndexOf('/') + 1)}`, name])
  return objectOf(spec, 'v1', 'ConfigMap', 'tenant-config', {
    data: {
      'tenant-id': spec.tenantId,
      tier: spec.tier,
      slots: `${TIER_LIMITS[spec.tier].concurrentWorkflows}`,
      cluster,
      region,
      'deployment-model': deploymentModel,
      ...(keyName === null ? {} : { 'kms-key': keyName }),
      ...Object.fromEntries(secrets),
    },
  })
}

/** What the platform's chart, its release and the agents are called. */
export const AGENTS = 'tenant-agents'

/** How many agents there may be, and how many of them may be away at a time. */
export function scalingObjects(spec: ClusterSpec): ClusterObject[] {
  return [
    objectOf(spec, 'policy/v1', 'PodDisruptionBudget', AGENTS, {
      spec: { maxUnavailable: 1, selector: { matchLabels: { 'energent.ai/role': 'agent' } } },
    }),
    objectOf(spec, 'autoscaling/v2', 'HorizontalPodAutoscaler', AGENTS, {
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: AGENTS },
        minReplicas: 1,
        maxReplicas: TIER_LIMITS[spec.tier].concurrentWorkflows,
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
          },
        ],
      },
    }),
  ]
}

/**
 * What hands the workloads over to Flux: the platform's chart with the tenant's values.
 *
 * Suspended, the chart runs no agent (`values.suspended`): Flux itself scales down and up again, and no
 * controller fights the quota. `released` false takes Flux's hand off the release (`spec.suspend`), so
 * that the object can be deleted without anything being uninstalled or put back.
 */
export function releaseObject(spec: ClusterSpec, released = true): ClusterObject {
  return objectOf(spec, 'helm.toolkit.fluxcd.io/v2', 'HelmRelease', AGENTS, {
    spec: {
      interval: '10m',
      timeout: '5m',
      suspend: !released,
      releaseName: AGENTS,
      chartRef: { kind: 'OCIRepository', name: AGENTS, namespace: 'flux-system' },
      install: { remediation: { retries: 3 } },
      upgrade: { remediation: { retries: 3 } },
      // The autoscaler's business, and not drift.
      driftDetection: {
        mode: 'enabled',
        ignore: [{ paths: ['/spec/replicas'], target: { kind: 'Deployment' } }],
      },
      values: {
        tenantId: spec.tenantId,
        tier: spec.tier,
        slots: TIER_LIMITS[spec.tier].concurrentWorkflows,
        suspended: spec.suspended === true,
        serviceAccountName: 'tenant-workload',
        priorityClassName: priorityClassOf(spec.tier),
        configMapName: 'tenant-config',
        claimName: 'tenant-data',
        nodeSelector: { workload: 'energent-ai' },
        tolerations: [{ key: 'workload', operator: 'Equal', value: 'energent-ai', effect: 'NoSchedule' }],
      },
    },
  })
}

/** Velero reads only the namespace it is installed in. */
export const BACKUP_NAMESPACE = 'velero'
const VELERO = 'velero.io/v1'
/** 90 days, as offboarding with the longest grace needs them. */
const BACKUP_TTL = '2160h'

/** A backup of the namespace each night, at a minute of its own so that they do not all begin at once. */
export function backupSchedule(spec: ClusterSpec): ClusterObject {
  const namespace = namespaceOf(spec.tenantId)
  const spread = [...spec.tenantId].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 300, 0)
  const object = objectOf(spec, VELERO, 'Schedule', namespace, {
    spec: {
      schedule: `${spread % 60} ${1 + Math.floor(spread / 60)} * * *`,
      useOwnerReferencesInBackup: false,
      template: {
        includedNamespaces: [namespace],
        ttl: BACKUP_TTL,
        storageLocation: 'default',
        // Shares of Filestore have no snapshots of their own: the files are read.
        defaultVolumesToFsBackup: true,
        metadata: { labels: objectOf(spec, VELERO, 'Backup', namespace, {}).metadata.labels },
      },
    },
  })
  return { ...object, metadata: { ...object.metadata, namespace: BACKUP_NAMESPACE } }
}

/** Asks Velero to delete a backup with everything it holds: deleting the object alone would leave the data. */
export function backupDeletion(spec: ClusterSpec, backupName: string): ClusterObject {
  const object = objectOf(spec, VELERO, 'DeleteBackupRequest', backupName, { spec: { backupName } })
  return { ...object, metadata: { ...object.metadata, namespace: BACKUP_NAMESPACE } }
}
