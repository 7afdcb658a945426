import { counted, type Resource, resource } from './resource.ts'
import { any, atomicStruct, bool, int, list, map, struct, text } from './schema.ts'

const remediation = struct({
  retries: int,
  ignoreTestFailures: bool,
  remediateLastFailure: bool,
  strategy: text,
})
const helmAction = struct({
  timeout: text,
  remediation,
  crds: text,
  disableHooks: bool,
  disableWait: bool,
  disableWaitForJobs: bool,
  disableOpenAPIValidation: bool,
  disableSchemaValidation: bool,
  cleanupOnFail: bool,
  createNamespace: bool,
  force: bool,
  preserveValues: bool,
  replace: bool,
})
const target = struct({
  group: text,
  version: text,
  kind: text,
  name: text,
  namespace: text,
  labelSelector: text,
  annotationSelector: text,
})

/** helm.toolkit.fluxcd.io/v2; the values are a tree that only the chart knows. */
const helmRelease = struct({
  chart: any,
  chartRef: struct({ apiVersion: text, kind: text, name: text, namespace: text }),
  interval: text,
  timeout: text,
  suspend: bool,
  releaseName: text,
  targetNamespace: text,
  storageNamespace: text,
  serviceAccountName: text,
  maxHistory: int,
  persistentClient: bool,
  dependsOn: list(struct({ name: text, namespace: text })),
  driftDetection: struct({ mode: text, ignore: list(struct({ paths: list(text), target })) }),
  install: helmAction,
  upgrade: helmAction,
  rollback: helmAction,
  uninstall: any,
  test: any,
  kubeConfig: any,
  postRenderers: any,
  values: any,
  valuesFrom: list(struct({ kind: text, name: text, valuesKey: text, targetPath: text, optional: bool })),
})

/** velero.io/v1 `BackupSpec`. */
const backup = struct({
  metadata: struct({ labels: map(text) }),
  includedNamespaces: list(text),
  excludedNamespaces: list(text),
  includedResources: list(text),
  excludedResources: list(text),
  includeClusterResources: bool,
  labelSelector: any,
  orLabelSelectors: any,
  hooks: any,
  ttl: text,
  storageLocation: text,
  volumeSnapshotLocations: list(text),
  snapshotVolumes: bool,
  snapshotMoveData: bool,
  defaultVolumesToFsBackup: bool,
  orderedResources: map(text),
  csiSnapshotTimeout: text,
  itemOperationTimeout: text,
  resourcePolicy: atomicStruct({ kind: text, name: text }),
})

/** What Flux and Velero add to the API of our clusters. */
export const CUSTOM_RESOURCES: readonly Resource[] = [
  resource('helm.toolkit.fluxcd.io/v2', 'HelmRelease', 'helmreleases', { spec: helmRelease }, counted),
  resource(
    'velero.io/v1',
    'Schedule',
    'schedules',
    {
      spec: struct({
        schedule: text,
        paused: bool,
        skipImmediately: bool,
        useOwnerReferencesInBackup: bool,
        template: backup,
      }),
    },
    counted,
  ),
  resource('velero.io/v1', 'Backup', 'backups', { spec: backup }, counted),
  resource(
    'velero.io/v1',
    'DeleteBackupRequest',
    'deletebackuprequests',
    { spec: struct({ backupName: text }) },
    counted,
  ),
]
