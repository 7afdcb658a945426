import { type Answer, json } from '../loopback.ts'
import { apiVersionOf, RESOURCES } from './resources.ts'

/** Answers the discovery and health paths a client may ask before its first request. */
export function discover(path: string): Answer | undefined {
  if (['/healthz', '/livez', '/readyz'].includes(path)) {
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: 'ok' }
  }
  if (path === '/version') {
    return json(200, { major: '1', minor: '30', gitVersion: 'v1.30.0', platform: 'linux/amd64' })
  }
  if (path === '/api') return json(200, { kind: 'APIVersions', versions: ['v1'] })
  if (path === '/apis') return json(200, groups())
  const [, core, grouped] = /^\/(?:api\/(v1)|apis\/([^/]+\/[^/]+))$/.exec(path) ?? []
  const groupVersion = core ?? grouped
  const resources = RESOURCES.filter((one) => apiVersionOf(one) === groupVersion)
  if (resources.length === 0) return undefined
  return json(200, {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: resources.map((one) => ({
      name: one.plural,
      singularName: one.kind.toLowerCase(),
      namespaced: one.namespaced,
      kind: one.kind,
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update'],
    })),
  })
}

function groups() {
  const versions = [...new Set(RESOURCES.filter((one) => one.group !== '').map(apiVersionOf))]
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: versions.map((groupVersion) => {
      const [name = '', version = ''] = groupVersion.split('/')
      return { name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } }
    }),
  }
}
