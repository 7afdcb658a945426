import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Manifest as Installed, platformManifests } from '#local/kubernetes/cluster-setup.ts'
import { TIERS } from '#shared/catalogue/tiers.ts'
import { ACCOUNT, allFiles, built, documentsOf, GITOPS, type Manifest } from './manifests.ts'

const infrastructure = built('infrastructure')
const ofKind = (kind: string): Manifest[] => infrastructure.filter((one) => one.kind === kind)
const installed = (kind: string): readonly Installed[] =>
  platformManifests(ACCOUNT).filter((one) => one.kind === kind)

type Rule = {
  apiGroups: string[]
  resources: string[]
  verbs: string[]
  resourceNames?: string[]
}

/** Each right by itself: how rules are grouped says nothing. */
function rights(role: Manifest | Installed): string[] {
  return (role['rules'] as Rule[])
    .flatMap(({ apiGroups, resources, verbs, resourceNames = ['*'] }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.flatMap((verb) => resourceNames.map((name) => `${verb} ${resource}.${group}/${name}`)),
        ),
      ),
    )
    .sort()
}

test('every file is named by a kustomization, and every name is a file', () => {
  const named = allFiles()
    .filter((file) => file.endsWith('kustomization.yaml'))
    .flatMap((file) => {
      const [document] = documentsOf(join(GITOPS, file))
      const { resources } = document as unknown as { resources: string[] }
      return resources.map((name) =>
        join(file, '..', name.endsWith('.yaml') ? name : `${name}/kustomization.yaml`),
      )
    })
  const roots = ['infrastructure/kustomization.yaml', 'clusters/energent-shared/kustomization.yaml']
  expect([...named, ...roots].sort()).toEqual(allFiles().sort())
})

test('each manifest passes the published models', async () => {
  for (const manifest of infrastructure) {
    const module = await import(`kubernetes-models/${manifest.apiVersion}/${manifest.kind}`)
    const Model = module[manifest.kind]
    expect(() => new Model(manifest).validate(), manifest.metadata.name).not.toThrow()
  }
})

test('Flux takes the folder, sets the account and prunes what is gone', () => {
  const [values, flux] = built('clusters/energent-shared')
  expect(flux?.['spec']).toMatchObject({
    path: './gitops/infrastructure',
    prune: true,
    wait: true,
    postBuild: { substituteFrom: [{ kind: 'ConfigMap', name: values?.metadata.name }] },
  })
  expect(flux?.metadata.namespace).toBe(values?.metadata.namespace)
  expect(Object.keys(values?.['data'] as object)).toEqual(['TENANT_EVENTS_ACCOUNT'])
})

// What passes locally is what a cluster allows: the stand-in installs the same.
test.each(['PriorityClass', 'StorageClass'])('each %s is the one of the stand-in', (kind) => {
  const plain = (one: Manifest | Installed) => ({ ...one, description: undefined })
  expect(ofKind(kind).map(plain)).toEqual(installed(kind).map(plain))
})

test('each role grants what the stand-in’s grants, to the same account', () => {
  const roles = ofKind('ClusterRole')
  expect(roles.map(({ metadata }) => metadata.name)).toEqual(
    installed('ClusterRole').map(({ metadata }) => metadata.name),
  )
  for (const [index, role] of roles.entries()) {
    expect(rights(role), role.metadata.name).toEqual(rights(installed('ClusterRole')[index] as Installed))
  }
  for (const kind of ['ClusterRoleBinding', 'RoleBinding', 'ValidatingAdmissionPolicyBinding']) {
    expect(ofKind(kind)).toEqual(installed(kind))
  }
})

test('no tier preempts another, and a dearer one is served first', () => {
  const classes = TIERS.map((tier) =>
    ofKind('PriorityClass').find(({ metadata }) => metadata.name.endsWith(tier)),
  )
  expect(classes.map((one) => one?.['preemptionPolicy'])).toEqual(TIERS.map(() => 'Never'))
  const values = classes.map((one) => Number(one?.['value']))
  expect(values).toEqual([...values].sort((a, b) => a - b))
  expect(ofKind('PriorityClass').every((one) => one['globalDefault'] !== true)).toBe(true)
})

test('our function sees no secret, escalates nothing and is granted nothing wholesale', () => {
  const all = ofKind('ClusterRole').flatMap((role) => rights(role))
  for (const right of all) {
    expect(right).not.toMatch(/ (secrets|nodes|pods\/exec)\./)
    expect(right).not.toMatch(/^(escalate|impersonate|\*|deletecollection) /)
    expect(right).not.toMatch(/ \*\./)
  }
  expect(all.filter((right) => right.startsWith('bind '))).toEqual([
    'bind clusterroles.rbac.authorization.k8s.io/energent-tenant-runtime',
  ])
})
