import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#local/kubernetes/json.ts'
import { type Admission, platformPolicies } from '#local/kubernetes/policies.ts'
import { findResource } from '#local/kubernetes/resources.ts'
import { type Asked, evaluatePolicy, expressionsOf } from './admission.ts'
import { parseCel } from './cel.ts'
import { ACCOUNT, built, type Manifest } from './manifests.ts'

const policies = built('infrastructure/admission').filter(({ kind }) => kind === 'ValidatingAdmissionPolicy')
const standIn = platformPolicies('tenant-', ACCOUNT)

type Case = Partial<Omit<Asked, 'object' | 'oldObject'>> & {
  readonly name?: string
  readonly rev?: string | null
  readonly oldRev?: string | null
  readonly spec?: object
}

/** A request by its differences from a plain one: our function updates a quota of a tenant. */
function asked({ name = 'tenant-limits', rev = '2', oldRev = '1', spec = {}, ...but }: Case): Asked {
  const request = {
    operation: 'UPDATE',
    user: ACCOUNT,
    group: '',
    version: 'v1',
    resource: 'resourcequotas',
    namespace: 'tenant-acme',
    ...but,
  } as const
  const kind = findResource(request.group, request.version, request.resource)?.kind ?? ''
  const object = (revision: string | null) => ({
    apiVersion: request.group === '' ? request.version : `${request.group}/${request.version}`,
    kind,
    metadata: {
      name,
      ...(request.namespace === '' ? {} : { namespace: request.namespace }),
      ...(revision === null ? {} : { annotations: { 'energent.ai/spec-rev': revision } }),
    },
    spec,
  })
  return {
    ...request,
    object: request.operation === 'DELETE' ? null : object(rev),
    oldObject: request.operation === 'CREATE' ? null : object(oldRev),
  }
}

/** What both say: the policy in CEL, and the stand-in's own. */
function verdicts(policy: string, request: Asked) {
  const manifest = policies.find(({ metadata }) => metadata.name === policy) as Manifest
  const own = standIn.find(({ name }) => name === policy)
  const resource = findResource(request.group, request.version, request.resource)
  if (resource === undefined) throw new Error(`no resource ${request.resource}`)
  const admission: Admission = {
    operation: request.operation,
    user: { user: request.user, groups: [] },
    resource,
    object: (request.object ?? request.oldObject) as KubeObject,
    old: (request.oldObject ?? undefined) as KubeObject | undefined,
  }
  const denied = own?.evaluate(admission)
  return {
    cel: evaluatePolicy(manifest, request),
    typescript: denied && { message: denied.message, reason: denied.reason ?? 'Invalid' },
  }
}

const OUTSIDE = { message: 'tenant-events may act in tenant-* namespaces only', reason: 'Forbidden' }
const STALE = { message: 'stale spec-rev', reason: 'Invalid' }
const namespaces = { resource: 'namespaces', namespace: '' } as const
const velero = { group: 'velero.io', namespace: 'velero', name: 'tenant-acme' } as const

const NOT_OURS = { message: "tenant-events may release the platform's chart only", reason: 'Forbidden' }
const OURS = { kind: 'OCIRepository', name: 'tenant-agents', namespace: 'flux-system' }
const release = (spec: object, but: Case = {}): Case => ({
  group: 'helm.toolkit.fluxcd.io',
  version: 'v2',
  resource: 'helmreleases',
  name: 'tenant-agents',
  spec: { chartRef: OURS, releaseName: 'tenant-agents', values: { tier: 'basic' }, ...spec },
  ...but,
})

describe('the fence around our function, in CEL and in the stand-in,', () => {
  test.each<readonly [string, Case, object | undefined]>([
    ['lets a newer revision in', {}, undefined],
    ['lets the same revision in', { rev: '1' }, undefined],
    ['compares numbers, not texts', { rev: '10', oldRev: '9' }, undefined],
    ['compares numbers, not texts, the other way', { rev: '9', oldRev: '10' }, STALE],
    ['refuses an older revision', { rev: '1', oldRev: '2' }, STALE],
    ['refuses an older revision by far', { rev: '1', oldRev: '999999999999' }, STALE],
    ['repairs a revision that is too high to count', { rev: '1', oldRev: '1000000000000' }, undefined],
    ['goes above the highest that counts', { rev: '1000000000000', oldRev: '999999999999' }, undefined],
    ['refuses a revision that vanishes', { rev: null }, STALE],
    ['refuses a revision that is no number', { rev: 'x' }, STALE],
    ['refuses a revision that is empty', { rev: '' }, STALE],
    ['refuses a negative revision', { rev: '-1' }, STALE],
    ['refuses a revision of too many digits', { rev: '1'.repeat(19) }, STALE],
    ['repairs a revision that somebody spoilt', { oldRev: 'x' }, undefined],
    ['adopts what had no revision', { oldRev: null }, undefined],
    ['lets something new in', { operation: 'CREATE' }, undefined],
    ['lets something new in without a revision', { operation: 'CREATE', rev: null }, undefined],
    ['deletes in a tenant’s namespace', { operation: 'DELETE', oldRev: '9' }, undefined],
    [
      'deletes a pod that has no revision',
      { operation: 'DELETE', resource: 'pods', oldRev: null },
      undefined,
    ],
    ['makes a tenant’s namespace', { ...namespaces, name: 'tenant-acme', operation: 'CREATE' }, undefined],
    ['writes a tenant’s namespace', { ...namespaces, name: 'tenant-acme' }, undefined],
    ['keeps the namespace from falling back', { ...namespaces, name: 'tenant-acme', rev: '0' }, STALE],
    ['deletes a tenant’s namespace', { ...namespaces, name: 'tenant-acme', operation: 'DELETE' }, undefined],
    ['keeps out of kube-system', { ...namespaces, name: 'kube-system' }, OUTSIDE],
    [
      'deletes no namespace of the platform',
      { ...namespaces, name: 'energent-ingress', operation: 'DELETE' },
      OUTSIDE,
    ],
    ['is not fooled by a name in the middle', { ...namespaces, name: 'x-tenant-acme' }, OUTSIDE],
    ['writes nothing in another namespace', { namespace: 'kube-system' }, OUTSIDE],
    [
      'deletes nothing in another namespace',
      { namespace: 'default', operation: 'DELETE', resource: 'pods' },
      OUTSIDE,
    ],
    [
      'writes nothing cluster-wide',
      { group: 'rbac.authorization.k8s.io', resource: 'clusterroles', namespace: '', name: 'tenant-x' },
      OUTSIDE,
    ],
    [
      'deletes no volume',
      { resource: 'persistentvolumes', namespace: '', name: 'tenant-x', operation: 'DELETE' },
      OUTSIDE,
    ],
    ['schedules a tenant’s backups', { ...velero, resource: 'schedules', operation: 'CREATE' }, undefined],
    ['keeps a schedule from falling back', { ...velero, resource: 'schedules', rev: '0' }, STALE],
    [
      'asks for a backup’s deletion',
      { ...velero, resource: 'deletebackuprequests', operation: 'CREATE' },
      undefined,
    ],
    [
      'leaves the platform’s own schedules alone',
      { ...velero, resource: 'schedules', name: 'nightly' },
      OUTSIDE,
    ],
    [
      'writes nothing else into velero',
      { namespace: 'velero', resource: 'configmaps', name: 'tenant-acme' },
      OUTSIDE,
    ],
    [
      'leaves the schedules of other namespaces alone',
      { ...velero, resource: 'schedules', namespace: 'default' },
      OUTSIDE,
    ],
    ['hands the platform’s chart over to Flux', release({}, { operation: 'CREATE' }), undefined],
    ['changes what the chart is told', release({ suspend: true }), undefined],
    ['lets Flux act as an account of the namespace', release({ serviceAccountName: 'x' }), undefined],
    ['takes any release away', release({}, { operation: 'DELETE', name: 'theirs' }), undefined],
    ['keeps a release from falling back', release({}, { rev: '0' }), STALE],
    ['releases nothing of another name', release({}, { name: 'theirs' }), NOT_OURS],
    ['releases under no other name', release({ releaseName: 'flux' }), NOT_OURS],
    ['releases no other chart', release({ chartRef: { ...OURS, name: 'x' } }), NOT_OURS],
    ['takes the chart from no other kind', release({ chartRef: { ...OURS, kind: 'HelmChart' } }), NOT_OURS],
    ['takes the chart from no other place', release({ chartRef: { ...OURS, namespace: 'x' } }), NOT_OURS],
    [
      'takes the chart from no tenant’s namespace',
      release({ chartRef: { kind: OURS.kind, name: OURS.name } }),
      NOT_OURS,
    ],
    ['releases nothing without a chart', release({ chartRef: undefined }), NOT_OURS],
    ['releases no chart beside the reference', release({ chart: { spec: { chart: 'x' } } }), NOT_OURS],
    ['releases into no other cluster', release({ kubeConfig: { secretRef: { name: 'x' } } }), NOT_OURS],
    ['rewrites nothing that the chart says', release({ postRenderers: [{ kustomize: {} }] }), NOT_OURS],
    ['releases into no other namespace', release({ targetNamespace: 'kube-system' }), NOT_OURS],
    ['keeps no release in another namespace', release({ storageNamespace: 'flux-system' }), NOT_OURS],
    ['reads no values of others', release({ valuesFrom: [{ kind: 'Secret', name: 'x' }] }), NOT_OURS],
    ['holds a first release to the same', release({ kubeConfig: {} }, { operation: 'CREATE' }), NOT_OURS],
    ['is not about others', { user: 'admin', namespace: 'kube-system', rev: '0' }, undefined],
  ])('%s', (_what, but, expected) => {
    const request = JSON.parse(JSON.stringify(asked(but)))
    expect(verdicts('tenant-events-fence', request)).toEqual({ cel: expected, typescript: expected })
  })

  test('has nothing against an access review, which is in no namespace', () => {
    const [fence] = policies.filter(({ metadata }) => metadata.name === 'tenant-events-fence')
    const review = {
      ...asked({ operation: 'CREATE', namespace: '' }),
      group: 'authorization.k8s.io',
      resource: 'subjectaccessreviews',
    }
    expect(evaluatePolicy(fence as Manifest, review)).toBeUndefined()
  })
})

const refused = (message: string) => ({ message: `${message} in tenant namespaces`, reason: 'Invalid' })
const service = { resource: 'services', user: 'system:serviceaccount:flux-system:helm-controller' } as const
const pod = (spec: object): Case => ({
  resource: 'pods',
  user: 'system:serviceaccount:kube-system:replicaset-controller',
  operation: 'CREATE',
  spec: { serviceAccountName: 'tenant-workload', ...spec },
})
const tolerating = (...tolerations: object[]): Case => pod({ tolerations })
const WORKLOAD = { key: 'workload', operator: 'Equal', value: 'energent-ai', effect: 'NoSchedule' }
const SANDBOX = { key: 'sandbox.gke.io/runtime', operator: 'Equal', value: 'gvisor', effect: 'NoSchedule' }
const NO_SERVICE = refused('only ClusterIP services')
const NO_ADDRESS = refused('no external addresses')
const NO_ACCOUNT = refused('only the tenant-workload and default service accounts')
const NO_RUNTIME = refused('only the gvisor runtime class')
const NO_TOLERATION = refused('only the tolerations of tenant nodes')

describe('the guard of tenants’ namespaces, in CEL and in the stand-in,', () => {
  test.each<readonly [string, Case, object | undefined]>([
    ['lets a ClusterIP service in', { ...service, spec: { type: 'ClusterIP' } }, undefined],
    ['lets a headless service in', { ...service, spec: { type: 'ClusterIP', clusterIP: 'None' } }, undefined],
    [
      'refuses an ExternalName',
      { ...service, spec: { type: 'ExternalName', externalName: 'x' } },
      NO_SERVICE,
    ],
    ['refuses a NodePort', { ...service, spec: { type: 'NodePort' } }, NO_SERVICE],
    [
      'refuses a LoadBalancer, by whomever',
      { ...service, user: 'admin', spec: { type: 'LoadBalancer' } },
      NO_SERVICE,
    ],
    ['refuses a service that says no type', { ...service, spec: {} }, NO_SERVICE],
    [
      'refuses addresses of others',
      { ...service, spec: { type: 'ClusterIP', externalIPs: ['8.8.8.8'] } },
      NO_ADDRESS,
    ],
    [
      'lets a service without addresses in',
      { ...service, spec: { type: 'ClusterIP', externalIPs: [] } },
      undefined,
    ],
    [
      'lets an ExternalName in elsewhere',
      { ...service, namespace: 'default', spec: { type: 'ExternalName' } },
      undefined,
    ],
    ['lets one go', { ...service, operation: 'DELETE', spec: { type: 'ExternalName' } }, undefined],
    ['lets a plain pod in', pod({}), undefined],
    ['lets the default account in', pod({ serviceAccountName: 'default' }), undefined],
    ['refuses another account', pod({ serviceAccountName: 'admin' }), NO_ACCOUNT],
    ['refuses a pod without an account', pod({ serviceAccountName: undefined }), NO_ACCOUNT],
    ['lets gvisor in', pod({ runtimeClassName: 'gvisor' }), undefined],
    ['refuses another runtime', pod({ runtimeClassName: 'runc-privileged' }), NO_RUNTIME],
    ['lets the toleration of tenants’ nodes in', tolerating(WORKLOAD), undefined],
    ['lets it in without an operator', tolerating({ ...WORKLOAD, operator: undefined }), undefined],
    [
      'lets in what the cluster adds itself',
      tolerating(
        {
          key: 'node.kubernetes.io/not-ready',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        },
        WORKLOAD,
      ),
      undefined,
    ],
    [
      'lets in what GKE’s runtime class adds to a sandboxed pod',
      pod({ runtimeClassName: 'gvisor', tolerations: [WORKLOAD, SANDBOX] }),
      undefined,
    ],
    ['refuses the nodes of sandboxes to what is none', tolerating(WORKLOAD, SANDBOX), NO_TOLERATION],
    [
      'refuses another runtime’s nodes to a sandboxed pod',
      pod({ runtimeClassName: 'gvisor', tolerations: [{ ...SANDBOX, value: 'other' }] }),
      NO_TOLERATION,
    ],
    ['refuses to tolerate everything', tolerating({ operator: 'Exists' }), NO_TOLERATION],
    ['refuses other nodes', tolerating({ ...WORKLOAD, value: 'platform' }), NO_TOLERATION],
    ['refuses every value', tolerating({ key: 'workload', operator: 'Exists' }), NO_TOLERATION],
    ['refuses every effect', tolerating({ ...WORKLOAD, effect: undefined }), NO_TOLERATION],
    ['refuses one bad among good', tolerating(WORKLOAD, { key: 'dedicated', value: 'x' }), NO_TOLERATION],
    ['lets no tolerations in', tolerating(), undefined],
    [
      'lets such a pod in elsewhere',
      { ...pod({ serviceAccountName: 'x' }), namespace: 'kube-system' },
      undefined,
    ],
    [
      'holds an update to the same',
      { ...tolerating({ operator: 'Exists' }), operation: 'UPDATE' },
      NO_TOLERATION,
    ],
    ['is about nothing else', { resource: 'configmaps', user: 'admin' }, undefined],
  ])('%s', (_what, but, expected) => {
    const request = JSON.parse(JSON.stringify(asked(but)))
    expect(verdicts('tenant-namespace-guard', request)).toEqual({ cel: expected, typescript: expected })
  })
})

describe('the policies', () => {
  test('are two, bound to deny, and fail closed', () => {
    expect(policies.map(({ metadata }) => metadata.name)).toEqual([
      'tenant-events-fence',
      'tenant-namespace-guard',
    ])
    const bindings = built('infrastructure/admission').filter(({ kind }) => kind.endsWith('Binding'))
    expect(bindings.map(({ spec }) => spec)).toEqual(
      policies.map(({ metadata }) => ({ policyName: metadata.name, validationActions: ['Deny'] })),
    )
    for (const policy of policies) expect(policy['spec']).toMatchObject({ failurePolicy: 'Fail' })
  })

  test('are written in the part of CEL that is evaluated here', () => {
    for (const policy of policies) {
      for (const expression of expressionsOf(policy)) expect(() => parseCel(expression)).not.toThrow()
    }
  })

  test.each([
    ['object.missing', 'no such key'],
    ["'a' + 'b'", 'cannot read'],
    ['object.name.lower()', 'no method'],
    ['foo(1)', 'no function'],
    ['true &&', 'expected'],
    ["1 == 1 'x'", 'left over'],
  ])('what is not known of CEL is an error: %s', (source, message) => {
    expect(() => parseCel(source)(() => ({ name: 'x' }))).toThrow(message)
  })
})
