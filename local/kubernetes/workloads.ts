import { at, type KubeObject, objectAt, textAt, timestamp } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import { refreshQuotas } from './quota.ts'
import { resourceOf } from './resources.ts'
import { isApiError } from './status.ts'
import { createObject } from './writes.ts'

/** Who creates pods in a cluster: the controller of replica sets. */
const CREATOR = {
  user: 'system:serviceaccount:kube-system:replicaset-controller',
  groups: ['system:masters'],
}
const FINALIZER = 'finalizers.fluxcd.io'
const AGENT = { 'energent.ai/role': 'agent' }

/**
 * One turn of Flux and of what its chart installs, in one namespace or in all of them: one agent for each
 * release that runs, none for one whose values say it is suspended. A release that Flux has been told to
 * leave alone (`spec.suspend`) is left alone; deleted, it goes without being uninstalled.
 */
export function runWorkloads(store: ObjectStore, nowMs: number, namespace: string | undefined): void {
  for (const release of store.list(resourceOf('helmreleases'), namespace)) {
    if (release.metadata.deletionTimestamp !== undefined) removeRelease(store, release)
    else if (!(release.metadata.finalizers ?? []).includes(FINALIZER)) adopt(store, release, nowMs)
    else if (at(release, 'spec', 'suspend') !== true) scale(store, release, nowMs)
  }
}

function adopt(store: ObjectStore, release: KubeObject, nowMs: number): void {
  const { metadata } = release
  const at = timestamp(nowMs)
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'InstallSucceeded',
    lastTransitionTime: at,
    message: '',
  }
  const adopted = store.put(resourceOf('helmreleases'), {
    ...release,
    metadata: { ...metadata, finalizers: [...(metadata.finalizers ?? []), FINALIZER] },
    status: { observedGeneration: metadata.generation ?? 1, conditions: [ready] },
  })
  if (objectAt(adopted, 'spec')['suspend'] !== true) scale(store, adopted, nowMs)
}

function removeRelease(store: ObjectStore, release: KubeObject): void {
  if (at(release, 'spec', 'suspend') !== true)
    for (const pod of agentsOf(store, release)) removePod(store, pod)
  const finalizers = (release.metadata.finalizers ?? []).filter((one) => one !== FINALIZER)
  const left = { ...release, metadata: { ...release.metadata, finalizers } }
  if (finalizers.length === 0) store.remove(resourceOf('helmreleases'), release)
  else store.put(resourceOf('helmreleases'), left)
}

function scale(store: ObjectStore, release: KubeObject, nowMs: number): void {
  const agents = agentsOf(store, release)
  if (at(release, 'spec', 'values', 'suspended') === true) {
    for (const pod of agents) removePod(store, pod)
    return
  }
  const home = store.get(resourceOf('namespaces'), '', release.metadata.namespace ?? '')
  if (agents.length > 0 || home === undefined || home.metadata.deletionTimestamp !== undefined) return
  try {
    const context = { store, policies: [], user: CREATOR, nowMs, dryRun: false }
    const pod = createObject(context, resourceOf('pods'), agentOf(release))
    const status = { phase: 'Running', startTime: timestamp(nowMs) }
    store.put(resourceOf('pods'), { ...pod, status })
  } catch (error) {
    // Over quota or without its account: the controller tries again, at the next turn.
    if (!isApiError(error)) throw error
  }
}

function agentsOf(store: ObjectStore, release: KubeObject): KubeObject[] {
  const name = textAt(release, 'spec', 'releaseName') || release.metadata.name
  return store
    .list(resourceOf('pods'), release.metadata.namespace ?? '')
    .filter((pod) => pod.metadata.labels?.['helm.toolkit.fluxcd.io/name'] === name)
}

function removePod(store: ObjectStore, pod: KubeObject): void {
  store.remove(resourceOf('pods'), pod)
  refreshQuotas(store, pod.metadata.namespace ?? '')
}

/** A pod as the chart makes it: restricted, of the tenant's class, with the tenant's volume. */
function agentOf(release: KubeObject): KubeObject {
  const values = objectAt(release, 'spec', 'values')
  const name = textAt(release, 'spec', 'releaseName') || release.metadata.name
  const amounts = { cpu: '250m', memory: '512Mi' }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-0`,
      namespace: release.metadata.namespace ?? '',
      labels: { ...AGENT, 'app.kubernetes.io/managed-by': 'Helm', 'helm.toolkit.fluxcd.io/name': name },
    },
    spec: {
      serviceAccountName: textAt(values, 'serviceAccountName') || 'default',
      priorityClassName: textAt(values, 'priorityClassName'),
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'agent',
          image: 'energent/agent',
          resources: { requests: amounts, limits: amounts },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
      ],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: textAt(values, 'claimName') } }],
    },
  }
}
