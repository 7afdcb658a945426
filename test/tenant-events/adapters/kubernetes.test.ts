import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Loopback } from '#local/bind-loopback.ts'
import { type Kubernetes, startKubernetes } from '#local/kubernetes/index.ts'
import { type Answer, type Call, json, serveLoopback } from '#local/loopback.ts'
import { TIERS } from '#shared/catalogue/tiers.ts'
import { systemClock } from '#shared/clock.ts'
import { kubernetesCluster } from '../../../functions/tenant-events/adapters/kubernetes.ts'
import { kubernetesTransport } from '../../../functions/tenant-events/adapters/kubernetes-transport.ts'
import {
  type ClusterObject,
  identityObjects,
  namespaceObject,
} from '../../../functions/tenant-events/domain/kubernetes-objects.ts'
import { guardrailObjects } from '../../../functions/tenant-events/domain/tenant-objects.ts'
import type { Cluster, ClusterAnswer } from '../../../functions/tenant-events/ports.ts'
import { ACME } from '../world.ts'

const ACCOUNT = 'tenant-events@demo-energent.iam.gserviceaccount.com'
const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace' } as const
const QUOTA = { apiVersion: 'v1', kind: 'ResourceQuota', namespace: 'tenant-acme' } as const
const spec = { tenantId: ACME, tier: 'standard', specRevision: 1 } as const
const signal = AbortSignal.timeout(60_000)

let kubernetes: Kubernetes
let cluster: Cluster

const tokens = (token: string) => ({ token: async () => token, forget: () => {} })

beforeAll(async () => {
  kubernetes = await startKubernetes({
    now: () => systemClock.now(),
    provisioner: ACCOUNT,
    authenticate: (token) =>
      token === 'ours'
        ? { user: ACCOUNT, groups: [] }
        : token === 'admin'
          ? { user: 'admin', groups: ['system:masters'] }
          : undefined,
  })
  cluster = kubernetesCluster(kubernetesTransport({ url: kubernetes.url }), tokens('ours'))
})
afterAll(() => kubernetes.close())
beforeEach(() => {
  kubernetes.setFault(undefined)
  kubernetes.reset()
})

function got<T>(answer: ClusterAnswer<T>): T {
  if (!answer.ok) throw new Error(`${answer.failure.code}: ${answer.failure.text}`)
  return answer.value
}

const codeOf = (answer: ClusterAnswer<unknown>) =>
  answer.ok ? 'ok' : `${answer.failure.kind} ${answer.failure.code}`

async function asAdmin(method: string, path: string, body: unknown): Promise<number> {
  const headers = { authorization: 'Bearer admin', 'content-type': 'application/apply-patch+yaml' }
  const response = await fetch(`${kubernetes.url}${path}`, { method, headers, body: JSON.stringify(body) })
  await response.text()
  return response.status
}

describe('on an API server of the 1.30 line, with the rights of our account', () => {
  test.each(TIERS)(
    'every object of %s is accepted, twice, and reads back as it was applied',
    async (tier) => {
      const all = { ...spec, tier }
      const objects = [namespaceObject(all), ...guardrailObjects(all), ...identityObjects(all)]
      for (const _time of [1, 2]) {
        for (const object of objects) {
          expect(got(await cluster.apply(object, signal)).takenFrom).toEqual([])
        }
      }
      const quotas = got(await cluster.list(QUOTA, signal))
      expect(quotas.map(({ name }) => name).sort()).toEqual([
        'deny-other-priority',
        'tenant-compute',
        'tenant-objects',
        'tenant-system',
      ])
    },
  )

  test('fields that somebody else took are named and taken back', async () => {
    got(await cluster.apply(namespaceObject(spec), signal))
    const quota = guardrailObjects(spec).find(({ metadata }) => metadata.name === 'tenant-compute')
    if (quota === undefined) throw new Error('no quota')
    got(await cluster.apply(quota, signal))
    const path =
      '/api/v1/namespaces/tenant-acme/resourcequotas/tenant-compute?fieldManager=kubectl-edit&force=true'
    const theirs = { hard: { 'requests.cpu': '64' } }
    expect(await asAdmin('PATCH', path, { ...quota, spec: theirs })).toBe(200)

    const applied = got(await cluster.apply(quota, signal))

    expect(applied.takenFrom).toEqual(['kubectl-edit'])
    expect(applied.object.body['spec']).toMatchObject({ hard: { 'requests.cpu': '2' } })
  })

  test('a namespace is deleted only with its own uid, and its successor is not taken for it', async () => {
    const { uid } = got(await cluster.apply(namespaceObject(spec), signal)).object
    const wrong = '00000000-0000-0000-0000-000000000000'
    expect(codeOf(await cluster.delete(NAMESPACE, 'tenant-acme', wrong, signal))).toBe(
      'transient cluster.conflict',
    )
    expect(got(await cluster.find(NAMESPACE, 'tenant-acme', signal))?.terminating).toBe(false)

    got(await cluster.delete(NAMESPACE, 'tenant-acme', uid, signal))

    const left = got(await cluster.find(NAMESPACE, 'tenant-acme', signal))
    expect(left === undefined || left.terminating).toBe(true)
  })

  test('deleting or finding what is not there is no failure', async () => {
    got(await cluster.delete(NAMESPACE, 'tenant-gone', 'any', signal))
    expect(got(await cluster.find(NAMESPACE, 'tenant-gone', signal))).toBeUndefined()
  })

  test('a field the server does not know is our mistake although it answers 500', async () => {
    got(await cluster.apply(namespaceObject(spec), signal))
    const [object] = guardrailObjects(spec)
    const wrong = { ...object, spec: { podSelektor: {} } } as unknown as ClusterObject
    const answer = await cluster.apply(wrong, signal)
    expect(answer).toMatchObject({ ok: false, failure: { kind: 'permanent' } })
  })

  test('an object in a namespace that is being deleted is waited for', async () => {
    const { uid } = got(await cluster.apply(namespaceObject(spec), signal)).object
    got(await cluster.delete(NAMESPACE, 'tenant-acme', uid, signal))
    const [policy] = guardrailObjects(spec)
    if (policy === undefined) throw new Error('no policy')
    const code = codeOf(await cluster.apply(policy, signal))
    expect(code.startsWith('wait')).toBe(true)
  })

  test('a namespace outside tenant-* is refused for good', async () => {
    const object = namespaceObject(spec)
    const system = { ...object, metadata: { ...object.metadata, name: 'kube-system' } }
    expect(await cluster.apply(system, signal)).toMatchObject({ ok: false, failure: { kind: 'permanent' } })
  })

  test('a spec-rev that falls is refused for good', async () => {
    got(await cluster.apply(namespaceObject({ ...spec, specRevision: 2 }), signal))
    const stale = await cluster.apply(namespaceObject(spec), signal)
    expect(stale).toMatchObject({ ok: false, failure: { kind: 'permanent' } })
  })

  test('roles are asked in the order of the questions, and a dry run leaves nothing behind', async () => {
    got(await cluster.apply(namespaceObject(spec), signal))
    for (const object of identityObjects(spec)) {
      const would = got(await cluster.preview(object, signal))
      expect(would.object.body['metadata']).toMatchObject({ name: object.metadata.name })
    }
    expect(got(await cluster.review([{ ...QUESTION, resource: 'pods' }], signal))).toEqual([false])
    for (const object of identityObjects(spec)) got(await cluster.apply(object, signal))
    const questions = ['secrets', 'pods', 'pods/exec', 'configmaps'].map((resource) => ({
      ...QUESTION,
      resource,
    }))
    expect(got(await cluster.review(questions, signal))).toEqual([false, true, false, true])
  })

  test.each([
    [{ mode: 'refuse' as const }, 'transient cluster.unreachable'],
    [{ mode: 'lostAnswer' as const }, 'transient cluster.unreachable'],
    [{ mode: 'error' as const, code: 503 }, 'transient'],
    [{ mode: 'error' as const, code: 429 }, 'transient'],
  ])('%j may pass', async (fault, expected) => {
    kubernetes.setFault(() => fault)
    expect(codeOf(await cluster.find(NAMESPACE, 'tenant-acme', signal)).startsWith(expected)).toBe(true)
  })

  test('a token nobody knows is permanent', async () => {
    const stranger = kubernetesCluster(kubernetesTransport({ url: kubernetes.url }), tokens('stranger'))
    expect(codeOf(await stranger.find(NAMESPACE, 'tenant-acme', signal))).toBe(
      'permanent cluster.unauthorized',
    )
  })

  test('says whether the server is ready', async () => {
    await expect(cluster.ping()).resolves.toBeUndefined()
    kubernetes.setFault(() => ({ mode: 'error', code: 503 }))
    await expect(cluster.ping()).rejects.toThrow()
  })
})

const QUESTION = {
  account: { namespace: 'tenant-acme', name: 'tenant-workload' },
  verb: 'get',
  group: '',
  resource: 'secrets',
  namespace: 'tenant-acme',
}

describe('against a server that misbehaves', () => {
  let server: Loopback | undefined
  const serving = async (handle: (call: Call) => Answer | Promise<Answer>): Promise<string> => {
    server = await serveLoopback(0, async (call) => handle(call))
    return server.url
  }
  const seen: Call[] = []
  beforeEach(async () => {
    seen.length = 0
    await server?.close()
  })
  afterAll(async () => void (await server?.close()))

  test('one new token is tried after a 401, and no more', async () => {
    let minted = 0
    const source = {
      token: async () => `t${minted}`,
      forget: () => {
        minted += 1
      },
    }
    const url = await serving((call) => {
      seen.push(call)
      return json(401, { kind: 'Status', reason: 'Unauthorized', message: 'no', code: 401 })
    })
    const own = kubernetesCluster(kubernetesTransport({ url }), source)

    expect(codeOf(await own.find(NAMESPACE, 'tenant-acme', signal))).toBe('permanent cluster.unauthorized')

    expect(seen.map((call) => call.headers.authorization)).toEqual(['Bearer t0', 'Bearer t1'])
  })

  // Without a length the body is dropped on the way and the namespace goes whatever its uid.
  test('a delete carries its precondition with a length', async () => {
    const url = await serving((call) => {
      seen.push(call)
      return json(200, {})
    })
    const own = kubernetesCluster(kubernetesTransport({ url }), tokens('x'))
    await own.delete(NAMESPACE, 'tenant-acme', 'u1', signal)

    // The server gives up when we do, so that nothing is deleted when nobody expects it any more.
    expect(seen[0]?.url.searchParams.get('timeout')).toBe('10s')
    expect(seen[0]?.headers['content-length']).toBe(String(seen[0]?.body.length))
    expect(JSON.parse(String(seen[0]?.body))).toMatchObject({ preconditions: { uid: 'u1' } })
  })

  test('Retry-After is passed on', async () => {
    const url = await serving(() => json(429, { reason: 'TooManyRequests' }, { 'retry-after': '7' }))
    const own = kubernetesCluster(kubernetesTransport({ url }), tokens('x'))
    expect(await own.list(QUOTA, signal)).toMatchObject({
      ok: false,
      failure: { kind: 'transient', retryAfterMs: 7000 },
    })
  })

  test('an answer that is no object is not taken for success', async () => {
    const url = await serving(() => ({ status: 200, body: '<html>' }))
    const own = kubernetesCluster(kubernetesTransport({ url }), tokens('x'))
    expect(codeOf(await own.apply(namespaceObject(spec), signal))).toBe('transient cluster.unreachable')
  })

  test('a list of many pages is read to its end', async () => {
    const item = (name: string) => ({ metadata: { name, uid: `u-${name}` } })
    const url = await serving((call) => {
      seen.push(call)
      const after = call.url.searchParams.get('continue')
      const next = after === null ? 'p2' : after === 'p2' ? 'p3' : ''
      return json(200, { metadata: { continue: next }, items: [item(after ?? 'p1')] })
    })
    const own = kubernetesCluster(kubernetesTransport({ url }), tokens('x'))

    const listed = got(await own.list({ ...QUOTA, labels: { 'energent.ai/tenant-id': 'acme' } }, signal))

    expect(listed.map(({ name }) => name)).toEqual(['p1', 'p2', 'p3'])
    expect(seen.map((call) => call.url.searchParams.get('labelSelector'))).toEqual(
      Array.from({ length: 3 }, () => 'energent.ai/tenant-id=acme'),
    )
  })

  // What is proven gone by a list is deleted for good elsewhere: a list that cannot be read proves nothing.
  test.each([
    ['no list', {}],
    ['items that are none', { items: {} }],
    ['an item without a uid', { items: [{ metadata: { name: 'x' } }] }],
    ['an item that is none', { items: [null] }],
  ])('%s is not taken for an empty list', async (_what, body) => {
    const url = await serving(() => json(200, body))
    const own = kubernetesCluster(kubernetesTransport({ url }), tokens('x'))
    expect(codeOf(await own.list(QUOTA, signal))).toBe('transient cluster.unreachable')
  })

  test('a list that expired while it was read is read anew, another time', async () => {
    const url = await serving((call) =>
      call.url.searchParams.has('continue')
        ? json(410, { kind: 'Status', reason: 'Expired', code: 410 })
        : json(200, { metadata: { continue: 'x' }, items: [] }),
    )
    const own = kubernetesCluster(kubernetesTransport({ url }), tokens('x'))
    expect(codeOf(await own.list(QUOTA, signal))).toBe('transient cluster.expired')
  })

  const status = (details?: object) => ({ kind: 'Status', reason: 'NotFound', code: 404, details })
  test.each([
    ['a page of a proxy', '<html>not here</html>'],
    ['an API that the server does not have', status()],
    ['another object', status({ name: 'tenant-other' })],
    ['a cluster that the gateway does not know', { error: { code: 404, status: 'NOT_FOUND' } }],
  ])('a 404 about %s is no proof that the object is gone', async (_what, body) => {
    const url = await serving(() => (typeof body === 'string' ? { status: 404, body } : json(404, body)))
    const own = kubernetesCluster(kubernetesTransport({ url }), tokens('x'))
    for (const answer of [
      await own.find(NAMESPACE, 'tenant-acme', signal),
      await own.delete(NAMESPACE, 'tenant-acme', 'u', signal),
    ]) {
      expect(answer).toMatchObject({ ok: false, failure: { kind: 'permanent' } })
    }
  })

  test.each([{}, { status: {} }, { status: { allowed: 'true' } }])(
    'a review that says %j is not taken for a verdict',
    async (body) => {
      const url = await serving(() => json(201, body))
      const own = kubernetesCluster(kubernetesTransport({ url }), tokens('x'))
      expect(codeOf(await own.review([QUESTION], signal))).toBe('transient cluster.unreachable')
    },
  )

  test('an aborted step ends its call', async () => {
    const url = await serving(() => new Promise(() => {}))
    const own = kubernetesCluster(kubernetesTransport({ url }), tokens('x'))
    const answer = await own.find(NAMESPACE, 'tenant-acme', AbortSignal.timeout(50))
    expect(codeOf(answer)).toBe('transient cluster.unreachable')
  })
})
