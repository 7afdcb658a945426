import { type Kubernetes, type KubernetesOptions, startKubernetes } from '#local/kubernetes/index.ts'
import { APPLY_PATCH } from '#local/kubernetes/request.ts'
import { manualClock } from '#shared/clock.ts'
import { closeAfterTest } from '../support/close-after-test.ts'

const PROVISIONER = 'tenant-events@proj.iam.gserviceaccount.com'

export type Reply = {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly headers: Headers
}

export type Cluster = {
  readonly kubernetes: Kubernetes
  readonly clock: ReturnType<typeof manualClock>
  call(as: string, method: string, path: string, body?: unknown, contentType?: string): Promise<Reply>
  /** Applies an object at its own path. */
  apply(as: string, object: TestObject, query?: string): Promise<Reply>
}

export type TestObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

/** A cluster of its own, closed after the test. Tokens are the names of their users. */
export async function aCluster(options: Partial<KubernetesOptions> = {}): Promise<Cluster> {
  const clock = manualClock(Date.parse('2026-11-23T03:00:00Z'))
  const kubernetes = await startKubernetes({
    now: clock.now,
    authenticate: (token) => USERS[token],
    provisioner: PROVISIONER,
    ...options,
  })
  closeAfterTest(kubernetes.close)
  const call: Cluster['call'] = async (as, method, path, body, contentType = 'application/json') => {
    const response = await fetch(`${kubernetes.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${as}`,
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
  }
  return {
    kubernetes,
    clock,
    call,
    apply: (as, object, query = 'fieldManager=energent-tenant-events') =>
      call(as, 'PATCH', `${pathOf(object)}?${query}`, object, APPLY_PATCH),
  }
}

const USERS: Readonly<Record<string, { user: string; groups: string[] }>> = {
  'tenant-events': { user: PROVISIONER, groups: ['energent:tenant-provisioners'] },
  'cluster-admin': { user: 'admin', groups: ['system:masters'] },
  nobody: { user: 'nobody@p.test', groups: [] },
}

export function pathOf(object: TestObject): string {
  const { namespace, name } = object.metadata
  const root = object.apiVersion.includes('/') ? `/apis/${object.apiVersion}` : `/api/${object.apiVersion}`
  const plural = object.kind.endsWith('y')
    ? `${object.kind.slice(0, -1).toLowerCase()}ies`
    : `${object.kind.toLowerCase()}s`
  return namespace === undefined
    ? `${root}/${plural}/${name}`
    : `${root}/namespaces/${namespace}/${plural}/${name}`
}

export const aNamespace = (name = 'tenant-acme', metadata: Record<string, unknown> = {}): TestObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, ...metadata },
})

export const aConfigMap = (
  data: Record<string, unknown>,
  metadata: Record<string, unknown> = {},
): TestObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'tenant-acme', ...metadata },
  data,
})

export const aQuota = (hard: Record<string, unknown>, spec: Record<string, unknown> = {}): TestObject => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'quota', namespace: 'tenant-acme' },
  spec: { hard, ...spec },
})

export const aPod = (
  name: string,
  resources: unknown = {},
  spec: Record<string, unknown> = {},
): TestObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'tenant-acme' },
  spec: { containers: [{ name: 'c', image: 'x', resources }], ...spec },
})
