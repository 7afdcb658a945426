import type { AccessQuestion } from './access.ts'
import { AGENTS, BACKUP_NAMESPACE } from './kubernetes-workloads.ts'

export type AccessExpectation = { readonly question: AccessQuestion; readonly allowed: boolean }

const RBAC = 'rbac.authorization.k8s.io'

/** What the tenant's workloads may do, in their own namespace. */
const MAY: readonly [verb: string, group: string, resource: string][] = [
  ['get', '', 'pods'],
  ['list', '', 'pods'],
  ['watch', '', 'pods'],
  ['get', '', 'configmaps'],
  ['list', '', 'configmaps'],
]

/** What nobody of the tenant may do even at home: read secrets, start anything, loosen what bounds it. */
const MAY_NOT_AT_HOME: typeof MAY = [
  ['get', '', 'secrets'],
  ['list', '', 'secrets'],
  ['create', '', 'pods'],
  ['create', '', 'pods/exec'],
  ['create', '', 'serviceaccounts/token'],
  ['patch', '', 'configmaps'],
  ['patch', '', 'resourcequotas'],
  ['delete', '', 'limitranges'],
  ['delete', 'networking.k8s.io', 'networkpolicies'],
  ['create', 'apps', 'deployments'],
  ['patch', 'helm.toolkit.fluxcd.io', 'helmreleases'],
  ['create', RBAC, 'rolebindings'],
  ['bind', RBAC, 'clusterroles'],
  ['escalate', RBAC, 'roles'],
  ['impersonate', '', 'serviceaccounts'],
]

/** What is nobody's business outside: other namespaces, and the cluster as a whole. */
const MAY_NOT_ABROAD: typeof MAY = [
  ['get', '', 'pods'],
  ['list', '', 'configmaps'],
  ['get', '', 'secrets'],
]
const MAY_NOT_CLUSTER_WIDE: typeof MAY = [
  ['list', '', 'namespaces'],
  ['patch', '', 'namespaces'],
  ['list', '', 'nodes'],
  ['list', '', 'pods'],
  ['list', '', 'secrets'],
  ['list', '', 'persistentvolumes'],
  ['create', RBAC, 'clusterrolebindings'],
  ['delete', 'admissionregistration.k8s.io', 'validatingadmissionpolicies'],
]

/**
 * What the cluster's roles must answer about the accounts of a namespace. The workload's account may read
 * its pods and its configuration; the default account may do nothing at all.
 */
export function accessExpectations(namespace: string): AccessExpectation[] {
  const ask = (name: string, places: readonly string[], rules: typeof MAY, allowed: boolean) =>
    places.flatMap((place) =>
      rules.map(([verb, group, resource]) => ({
        question: { account: { namespace, name }, verb, group, resource, namespace: place },
        allowed,
      })),
    )
  const abroad = ['default', 'kube-system', BACKUP_NAMESPACE]
  return [
    ...ask('tenant-workload', [namespace], MAY, true),
    ...ask('tenant-workload', [namespace], MAY_NOT_AT_HOME, false),
    ...ask('tenant-workload', abroad, MAY_NOT_ABROAD, false),
    ...ask('tenant-workload', [''], MAY_NOT_CLUSTER_WIDE, false),
    ...ask('default', [namespace], [...MAY, ...MAY_NOT_AT_HOME.slice(0, 3)], false),
  ]
}

type Named = { readonly name: string; readonly labels: Readonly<Record<string, string>> }

/**
 * The names of the objects that are neither ours nor of the platform's chart. What Flux installed carries its
 * own label beside Helm's, which anybody might write by habit.
 */
export function findIntruders(
  live: readonly Named[],
  own: readonly { readonly metadata: { readonly name: string } }[],
): readonly string[] {
  const names = new Set(own.map(({ metadata }) => metadata.name))
  return live.filter(({ name, labels }) => !names.has(name) && !isOfChart(labels)).map(({ name }) => name)
}

function isOfChart(labels: Named['labels']): boolean {
  return labels['app.kubernetes.io/managed-by'] === 'Helm' && labels['helm.toolkit.fluxcd.io/name'] === AGENTS
}
