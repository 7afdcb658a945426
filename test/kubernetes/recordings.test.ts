import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Manifest } from '#local/kubernetes/cluster-setup.ts'
import { aCluster, type Cluster, type Reply, type TestObject } from './cluster.ts'

type Recording = {
  readonly id: string
  readonly what: string
  readonly request: {
    readonly as: string
    readonly method: string
    readonly path: string
    readonly contentType?: string
    readonly body?: TestObject
  }
  readonly response: {
    readonly status: number
    readonly reason?: string
    readonly message?: string
    readonly causes?: unknown
    readonly quotaStatus?: unknown
    readonly labelAfter?: string
    readonly nsStatus?: { readonly phase: string; readonly conditions: unknown }
  }
}

const file: { clusterSetup: Manifest[]; entries: Recording[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'recordings.json'), 'utf8'),
)
const NAMESPACE = 'tnt-01jd8k2m5qv7n9x3c6r8w1y4za'
const RECORDED_UID = '9aa7f753-52d6-4c1b-87eb-414827e7f73a'

/** What was done between two recordings and not recorded. */
const BETWEEN: Readonly<Record<string, (cluster: Cluster) => Promise<unknown>>> = {
  'OR-34': async (cluster) => {
    for (const name of ['w1', 'w2', 'w3']) {
      const { path, body } = recording('OR-34').request
      const pod = { ...body, metadata: { name, namespace: NAMESPACE } }
      expect((await cluster.call('cluster-admin', 'POST', path, pod)).status).toBe(201)
    }
  },
  'OR-49': (cluster) =>
    cluster.call('cluster-admin', 'POST', '/api/v1/namespaces/tnt-gone-rv/configmaps', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'held', finalizers: ['energent.ai/test'] },
    }),
  'OR-55': async (cluster) => {
    // The real API server answered 404 five seconds after the last finalizer had gone.
    const path = '/api/v1/namespaces/tnt-gone-rv/configmaps/held'
    const change = { metadata: { finalizers: null } }
    await cluster.call('cluster-admin', 'PATCH', path, change, 'application/merge-patch+json')
    cluster.clock.advance(5000)
  },
  'OR-56': async (cluster) => {
    const path = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings'
    const binding = recording('OR-56').request.body
    const fence = JSON.parse(
      JSON.stringify(binding).replaceAll('tenant-namespace-guard', 'tenant-events-fence'),
    )
    expect((await cluster.call('cluster-admin', 'POST', path, fence)).status).toBe(201)
  },
  'OR-58': (cluster) => applyWholeSet(cluster, '2'),
  'OR-60': (cluster) => applyWholeSet(cluster, '3'),
}

function recording(id: string): Recording {
  const found = file.entries.find((entry) => entry.id === id)
  if (found === undefined) throw new Error(`no recording ${id}`)
  return found
}

async function applyWholeSet(cluster: Cluster, revision: string): Promise<void> {
  for (const { request } of file.entries.slice(0, 17)) {
    const body = JSON.parse(
      JSON.stringify(request.body).replace(
        '"energent.ai/spec-rev":"1"',
        `"energent.ai/spec-rev":"${revision}"`,
      ),
    )
    const path = request.path.replace('force=false', 'force=true')
    expect((await cluster.call(request.as, 'PATCH', path, body, request.contentType)).status).toBe(200)
  }
}

// The file was recorded from a real API server of the 1.30 line; what we may rely on is what it did.
test('every recorded request is answered as the real API server answered it', async () => {
  const cluster = await aCluster({ manifests: file.clusterSetup, namespacePrefix: 'tnt-' })
  expect(file.entries).toHaveLength(63)

  for (const { id, request, response, what } of file.entries) {
    await BETWEEN[id]?.(cluster)
    const uid = await uidOf(cluster, 'tnt-gone-rv')
    const swap = (value: unknown): unknown =>
      value === undefined ? undefined : JSON.parse(JSON.stringify(value).replaceAll(RECORDED_UID, uid))

    const reply = await cluster.call(
      request.as,
      request.method,
      request.path,
      swap(request.body),
      request.contentType,
    )

    const { nsStatus, ...expected } = swap(response) as Recording['response']
    expect({ id, what, ...seen(reply, expected) }).toEqual({ id, what, ...expected })
    if (nsStatus !== undefined) {
      expect(withoutTimes(reply.body['status'])).toEqual(withoutTimes(nsStatus))
    }
    if (reply.status < 300) expect(reply.body['metadata']).toMatchObject(SHAPES)
  }
})

const SHAPES = {
  uid: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  resourceVersion: expect.stringMatching(/^\d+$/),
  creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
}

async function uidOf(cluster: Cluster, namespace: string): Promise<string> {
  const [object] = cluster.kubernetes.dump(namespace)
  return object?.kind === 'Namespace' ? (object.metadata.uid ?? '') : RECORDED_UID
}

/** The parts of the reply that the recording speaks of. */
function seen(reply: Reply, expected: Recording['response']): Record<string, unknown> {
  const { body } = reply
  const details = body['details'] as { causes?: unknown } | undefined
  const metadata = body['metadata'] as { labels?: Record<string, string> } | undefined
  const failed = reply.status >= 400
  return {
    status: reply.status,
    ...(failed && body['reason'] !== undefined ? { reason: body['reason'] } : {}),
    ...(failed ? { message: body['message'] } : {}),
    ...(details?.causes === undefined ? {} : { causes: details.causes }),
    ...('quotaStatus' in expected ? { quotaStatus: body['status'] } : {}),
    ...('labelAfter' in expected ? { labelAfter: metadata?.labels?.['kubernetes.io/metadata.name'] } : {}),
  }
}

function withoutTimes(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value).replace(/"lastTransitionTime":"[^"]*"/g, '"lastTransitionTime":"T"'),
  )
}
