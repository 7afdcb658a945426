import type { ClusterObject } from '../domain/kubernetes-objects.ts'
import type { AccessQuestion, ClusterKind, ClusterSelection } from '../ports/cluster.ts'
import { CALL_LIMIT_MS, type KubernetesRequest } from './kubernetes-transport.ts'

const FIELD_MANAGER = 'energent-tenant-events'
/** The server gives a write up when we do: its effect does not come when nobody expects it any more. */
const GIVEN_UP = `timeout=${CALL_LIMIT_MS / 1000}s`

/** The plural each kind is addressed by; whatever is not listed is not ours to touch. */
const PLURALS: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  NetworkPolicy: 'networkpolicies',
  ResourceQuota: 'resourcequotas',
  LimitRange: 'limitranges',
  ServiceAccount: 'serviceaccounts',
  RoleBinding: 'rolebindings',
  PersistentVolumeClaim: 'persistentvolumeclaims',
  PersistentVolume: 'persistentvolumes',
  ConfigMap: 'configmaps',
  Pod: 'pods',
  HorizontalPodAutoscaler: 'horizontalpodautoscalers',
  PodDisruptionBudget: 'poddisruptionbudgets',
  HelmRelease: 'helmreleases',
  Schedule: 'schedules',
  Backup: 'backups',
  DeleteBackupRequest: 'deletebackuprequests',
}

/** The path of a collection, or of the object with that name in it. */
export function pathOf({ apiVersion, kind, namespace }: ClusterKind, name?: string): string {
  const plural = PLURALS[kind]
  if (plural === undefined) throw new TypeError(`${kind} is not a kind this function may touch`)
  return [
    apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`,
    ...(namespace === undefined ? [] : ['namespaces', encodeURIComponent(namespace)]),
    plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
  ].join('/')
}

/** Where an object is applied; every unknown field is refused. */
export function applyPath(
  { apiVersion, kind, metadata }: ClusterObject,
  { force, dryRun }: { readonly force: boolean; readonly dryRun: boolean },
): string {
  const { name, namespace } = metadata
  const path = pathOf({ apiVersion, kind, ...(namespace === undefined ? {} : { namespace }) }, name)
  const query = `fieldManager=${FIELD_MANAGER}&force=${force}&fieldValidation=Strict&${GIVEN_UP}`
  return `${path}?${query}${dryRun ? '&dryRun=All' : ''}`
}

/** Where an object is deleted. */
export function deletePath(kind: ClusterKind, name: string): string {
  return `${pathOf(kind, name)}?${GIVEN_UP}`
}

/** One page of a collection; `after` is what the page before said comes next. */
export function listPath(selection: ClusterSelection, after: string | undefined): string {
  const selector = Object.entries(selection.labels ?? {}).map(([key, value]) => `${key}=${value}`)
  const query = new URLSearchParams({
    limit: '500',
    ...(selector.length === 0 ? {} : { labelSelector: selector.join(',') }),
    ...(after === undefined ? {} : { continue: after }),
  })
  return `${pathOf(selection)}?${query}`
}

/** Asks whether a service account may do something; with the groups every service account is in. */
export function accessReview(
  { account, verb, group, resource, namespace }: AccessQuestion,
  signal: AbortSignal,
): Omit<KubernetesRequest, 'token'> {
  const [plural, subresource] = resource.split('/')
  const value = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: `system:serviceaccount:${account.namespace}:${account.name}`,
      groups: [
        'system:serviceaccounts',
        `system:serviceaccounts:${account.namespace}`,
        'system:authenticated',
      ],
      resourceAttributes: {
        verb,
        group,
        resource: plural,
        ...(subresource === undefined ? {} : { subresource }),
        ...(namespace === '' ? {} : { namespace }),
      },
    },
  }
  return {
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    body: { contentType: 'application/json', value },
    signal,
  }
}
