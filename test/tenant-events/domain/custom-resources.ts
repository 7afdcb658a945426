/** What Flux's helm.toolkit.fluxcd.io/v2 lets a release say, as far as a platform's chart needs it. */
export interface IHelmRelease {
  apiVersion: 'helm.toolkit.fluxcd.io/v2'
  kind: 'HelmRelease'
  metadata: Metadata
  spec: {
    interval: string
    timeout?: string
    suspend?: boolean
    releaseName?: string
    chartRef: {
      apiVersion?: string
      kind: 'OCIRepository' | 'HelmChart' | 'ExternalArtifact'
      name: string
      namespace?: string
    }
    install?: { remediation?: Remediation; timeout?: string }
    upgrade?: { remediation?: Remediation; timeout?: string; cleanupOnFail?: boolean }
    driftDetection?: {
      mode?: 'enabled' | 'warn' | 'disabled'
      ignore?: {
        paths: string[]
        target?: { group?: string; version?: string; kind?: string; name?: string }
      }[]
    }
    /** The chart's own; any JSON. */
    values?: { [name: string]: unknown }
  }
}

type Remediation = { retries?: number; remediateLastFailure?: boolean; strategy?: 'rollback' | 'uninstall' }

/** velero.io/v1: `namespace` is the one that Velero is installed in. */
export interface ISchedule {
  apiVersion: 'velero.io/v1'
  kind: 'Schedule'
  metadata: Metadata
  spec: {
    schedule: string
    paused?: boolean
    useOwnerReferencesInBackup?: boolean
    template: {
      metadata?: { labels?: { [name: string]: string } }
      includedNamespaces?: string[]
      excludedResources?: string[]
      ttl?: string
      storageLocation?: string
      snapshotVolumes?: boolean
      defaultVolumesToFsBackup?: boolean
    }
  }
}

export interface IDeleteBackupRequest {
  apiVersion: 'velero.io/v1'
  kind: 'DeleteBackupRequest'
  metadata: Metadata
  spec: { backupName: string }
}

type Metadata = {
  name: string
  namespace: string
  uid?: string
  labels: { [name: string]: string }
  annotations: { [name: string]: string }
}
