import { X509Certificate } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type ContainerServer, startContainer } from '#local/container/index.ts'
import { type SecretManagerEngine, startSecretManagerEngine } from '#local/engine/secrets/index.ts'
import type { Fault } from '#local/faults.ts'
import { type FleetServer, startFleet } from '#local/fleet/index.ts'
import { type KmsServer, startKms } from '#local/kms/index.ts'
import { manualClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import type { TenantId } from '#shared/ids.ts'
import { cloudPorts } from '../../../functions/tenant-events/adapters/cloud.ts'
import { clusterRoutes } from '../../../functions/tenant-events/adapters/cluster-routes.ts'
import { secretCalls } from '../../../functions/tenant-events/adapters/secret-client.ts'
import { tenantClusterName, workloadMember } from '../../../functions/tenant-events/domain/cloud-names.ts'
import type { CloudAnswer, CloudPorts } from '../../../functions/tenant-events/ports/cloud.ts'
import type { Cluster } from '../../../functions/tenant-events/ports/cluster.ts'

const PROJECT = 'demo-test'
const NUMBER = '100000000001'
const RING = `projects/${PROJECT}/locations/us-central1/keyRings/tenants`
const ACCOUNT = 'tenant-events@demo-energent.iam.gserviceaccount.com'
const ACME = 'acme' as TenantId
const GLOBEX = 'globex' as TenantId
const DAY_MS = 86_400_000
const READER = 'roles/secretmanager.secretAccessor'

const clock = manualClock(Date.parse('2026-11-23T09:00:00Z'))
const tokens = {
  token: async () => token,
  forget: () => {
    token = 'good'
  },
}
let token = 'good'
let kms: KmsServer
let secrets: SecretManagerEngine
let container: ContainerServer
let fleet: FleetServer
let cloud: CloudPorts
let ids = 0

beforeAll(async () => {
  const { now } = clock
  const authenticate = (given: string) => (given === 'good' ? ACCOUNT : undefined)
  const servers = {
    now,
    provisioner: ACCOUNT,
    authenticate: (given: string) => (given === 'good' ? { user: ACCOUNT, groups: [] } : undefined),
  }
  const shared = { now, project: PROJECT, authenticate, servers }
  kms = await startKms({ now, keyRing: RING, authenticate })
  secrets = await startSecretManagerEngine({ now })
  container = await startContainer(shared)
  fleet = await startFleet({ ...shared, projectNumber: NUMBER })
  const config = readConfig({
    GOOGLE_CLOUD_PROJECT: PROJECT,
    FUNCTION_TARGET: 'x',
    FUNCTION_URI: 'http://127.0.0.1:1',
    PUBLIC_BASE_URL: 'http://127.0.0.1:1',
    PROJECT_NUMBER: NUMBER,
    KMS_API_URL: kms.url,
    KMS_KEY_RING: RING,
    KMS_DESTROY_DAYS: '7',
    SECRET_MANAGER_EMULATOR_HOST: secrets.host,
    CONTAINER_API_URL: container.url,
    GKEHUB_API_URL: fleet.url,
    CONNECT_GATEWAY_URL: fleet.gateway.url,
    CLUSTER_AUTHORIZED_RANGE: '10.8.0.0/28',
  })
  cloud = cloudPorts(config, tokens)
})
afterAll(() => Promise.all([kms, secrets, container, fleet].map((server) => server?.close())))
afterEach(() => {
  for (const server of [kms, secrets, container, fleet]) server.setFault(undefined)
  container.setKubernetesFault(undefined)
  token = 'good'
})

const signal = () => AbortSignal.timeout(10_000)
const aTenant = () => {
  ids += 1
  return `tenant-no-${ids}` as TenantId
}
function taken<T>(answer: CloudAnswer<T>): T {
  if (!answer.ok) throw new Error(`${answer.failure.code}: ${answer.failure.text}`)
  return answer.value
}
/** The next call of that method goes wrong. */
const once = (fault: Fault, method: string) => {
  let left = 1
  return (operation: string) => {
    if (operation !== method || left === 0) return undefined
    left -= 1
    return fault
  }
}

describe('keys', () => {
  test('are made with their waiting time and label, and adopted when they are there', async () => {
    taken(await cloud.kms.create(ACME, signal()))
    taken(await cloud.kms.create(ACME, signal()))

    const key = taken(await cloud.kms.find(ACME, signal()))
    expect(key).toEqual({
      keyName: `${RING}/cryptoKeys/tenant-acme`,
      primary: `${RING}/cryptoKeys/tenant-acme/cryptoKeyVersions/1`,
      versions: [
        { name: `${RING}/cryptoKeys/tenant-acme/cryptoKeyVersions/1`, state: 'enabled', destroyAtMs: null },
      ],
    })
    const raw = await fetch(`${kms.url}/v1/${RING}/cryptoKeys/tenant-acme`, {
      headers: { authorization: 'Bearer good' },
    })
    expect(await raw.json()).toMatchObject({
      destroyScheduledDuration: '604800s',
      labels: { 'tenant-id': 'acme', 'managed-by': 'tenant-events' },
    })
  })

  test('go through their whole life: disabled, scheduled, restored, destroyed, deleted, never made again', async () => {
    const id = aTenant()
    taken(await cloud.kms.create(id, signal()))
    const version = `${RING}/cryptoKeys/tenant-${id}/cryptoKeyVersions/1`
    const state = async () => taken(await cloud.kms.find(id, signal()))?.versions[0]

    taken(await cloud.kms.setEnabled(version, false, signal()))
    expect(await state()).toMatchObject({ state: 'disabled' })
    taken(await cloud.kms.destroy(version, signal()))
    expect(await state()).toEqual({
      name: version,
      state: 'destroy-scheduled',
      destroyAtMs: clock.now() + 7 * DAY_MS,
    })
    taken(await cloud.kms.destroy(version, signal()))
    taken(await cloud.kms.restore(version, signal()))
    expect(await state()).toMatchObject({ state: 'disabled', destroyAtMs: null })
    expect(await cloud.kms.deleteVersion(version, signal())).toMatchObject({
      failure: { code: 'cloud.failed_precondition', kind: 'wait' },
    })
    taken(await cloud.kms.destroy(version, signal()))
    clock.advance(7 * DAY_MS)
    expect(await state()).toMatchObject({ state: 'destroyed', destroyAtMs: null })
    taken(await cloud.kms.destroy(version, signal()))
    expect(await cloud.kms.deleteKey(id, signal())).toMatchObject({
      failure: { code: 'cloud.failed_precondition' },
    })
    taken(await cloud.kms.deleteVersion(version, signal()))
    taken(await cloud.kms.deleteVersion(version, signal()))
    taken(await cloud.kms.deleteKey(id, signal()))
    taken(await cloud.kms.deleteKey(id, signal()))

    expect(taken(await cloud.kms.find(id, signal()))).toBeUndefined()
    taken(await cloud.kms.create(id, signal()))
    expect(taken(await cloud.kms.find(id, signal()))).toBeUndefined()
    expect(kms.dump().map(({ name }) => name)).not.toContain(`${RING}/cryptoKeys/tenant-${id}`)
  })

  test('of any number of versions are seen whole', async () => {
    const id = aTenant()
    taken(await cloud.kms.create(id, signal()))
    for (let more = 0; more < 119; more += 1) taken(await cloud.kms.addPrimary(id, signal()))

    const key = taken(await cloud.kms.find(id, signal()))

    expect(new Set(key?.versions.map(({ name }) => name)).size).toBe(120)
    expect(key?.primary?.endsWith('/120')).toBe(true)
  })

  test('whose creation lost its answer are there at the next look', async () => {
    const id = aTenant()
    kms.setFault(once({ mode: 'lostAnswer' }, 'CreateCryptoKey'))

    expect(await cloud.kms.create(id, signal())).toMatchObject({ failure: { code: 'cloud.unreachable' } })

    expect(taken(await cloud.kms.find(id, signal()))?.versions).toHaveLength(1)
  })

  test.each([
    [429, { kind: 'transient', code: 'cloud.resource_exhausted', retryAfterMs: 1000 }],
    [500, { kind: 'transient', code: 'cloud.internal' }],
    [503, { kind: 'transient', code: 'cloud.unavailable' }],
    [403, { kind: 'permanent', code: 'cloud.permission_denied' }],
  ])('answer %i as the failure that it is', async (code, failure) => {
    kms.setFault(once({ mode: 'error', code }, 'GetCryptoKey'))

    expect(await cloud.kms.find(ACME, signal())).toMatchObject({ ok: false, failure })
  })

  test('are asked for again with a new token when the old one was refused, once', async () => {
    token = 'stale'
    expect(taken(await cloud.kms.find(ACME, signal()))).toBeDefined()

    kms.setFault(() => ({ mode: 'error', code: 401 }))
    expect(await cloud.kms.find(ACME, signal())).toMatchObject({
      failure: { kind: 'permanent', code: 'cloud.unauthenticated' },
    })
  })
})

describe('secrets and their readers', () => {
  const member = (id: TenantId) => workloadMember({ id: PROJECT, number: NUMBER }, id)
  const policyOf = (name: string) => secrets.dump().find((secret) => secret.name === name)?.bindings

  test('are made labelled, listed by the label and deleted', async () => {
    const id = aTenant()
    taken(await cloud.secrets.ensure(id, `a-${id}`, signal()))
    taken(await cloud.secrets.ensure(id, `a-${id}`, signal()))
    taken(await cloud.secrets.ensure(GLOBEX, `b-${id}`, signal()))

    expect(await cloud.secrets.ensure(id, `b-${id}`, signal())).toMatchObject({
      failure: { kind: 'refused', code: 'cloud.secret_foreign' },
    })
    const name = `projects/${PROJECT}/secrets/a-${id}`
    expect(taken(await cloud.secrets.list(id, signal()))).toEqual([{ name }])
    taken(await cloud.secrets.delete(name, signal()))
    taken(await cloud.secrets.delete(name, signal()))
    expect(taken(await cloud.secrets.list(id, signal()))).toEqual([])
  })

  test('a workload is bound once, and unbound from every role', async () => {
    const id = aTenant()
    const name = `projects/${PROJECT}/secrets/bound-${id}`
    taken(await cloud.secrets.ensure(id, `bound-${id}`, signal()))
    expect(taken(await cloud.iam.isBound(id, name, signal()))).toBe(false)

    taken(await cloud.iam.bind(id, name, signal()))
    taken(await cloud.iam.bind(id, name, signal()))

    expect(policyOf(name)).toEqual([{ role: READER, members: [member(id)] }])
    expect(member(id)).toBe(
      `principal://iam.googleapis.com/projects/${NUMBER}/locations/global/workloadIdentityPools/${PROJECT}.svc.id.goog/subject/ns/tenant-${id}/sa/tenant-workload`,
    )
    expect(taken(await cloud.iam.isBound(id, name, signal()))).toBe(true)
    taken(await cloud.iam.unbind(id, name, signal()))
    taken(await cloud.iam.unbind(id, name, signal()))
    expect(policyOf(name)).toEqual([])
  })

  test('nobody’s change beside ours is lost, and a condition is not dropped', async () => {
    const id = aTenant()
    const name = `projects/${PROJECT}/secrets/shared-${id}`
    const call = secretCalls(secrets.host)
    const others = Array.from({ length: 4 }, (_none, at) => `serviceAccount:robot-${at}@demo.example`)
    const condition = { title: 'until', expression: 'request.time < timestamp("2027-01-01T00:00:00Z")' }
    taken(await cloud.secrets.ensure(id, `shared-${id}`, signal()))
    taken(
      await call('test', signal(), (client) =>
        client.setIamPolicy({
          resource: name,
          policy: { version: 3, bindings: [{ role: READER, members: ['user:ada@demo.example'], condition }] },
        }),
      ),
    )

    // Between our reading and our writing somebody else writes.
    let left = 2
    secrets.setFault((rpc) => {
      if (rpc !== 'SetIamPolicy' || left === 0) return undefined
      left -= 1
      return { mode: 'error', code: 10 }
    })
    taken(await cloud.iam.bind(id, name, signal()))
    secrets.setFault(undefined)
    await Promise.all(
      others.map(async (robot) => {
        for (let tries = 0; tries < 50; tries += 1) {
          const [policy] = taken(
            await call('test', signal(), (client) =>
              client.getIamPolicy({ resource: name, options: { requestedPolicyVersion: 3 } }),
            ),
          )
          const bindings = [...(policy.bindings ?? []), { role: 'roles/viewer', members: [robot] }]
          const written = await call('test', signal(), (client) =>
            client.setIamPolicy({ resource: name, policy: { ...policy, bindings } }),
          )
          if (written.ok) return
          expect(written.failure.code).toBe('cloud.aborted')
        }
        throw new Error('never written')
      }),
    )
    taken(await cloud.iam.unbind(id, name, signal()))

    expect(policyOf(name)).toEqual([
      { role: READER, members: ['user:ada@demo.example'], condition: expect.objectContaining(condition) },
      { role: 'roles/viewer', members: expect.arrayContaining(others) },
    ])
  })

  test('a policy that others keep writing is given up for now', async () => {
    const id = aTenant()
    taken(await cloud.secrets.ensure(id, `busy-${id}`, signal()))
    secrets.setFault((rpc) => (rpc === 'SetIamPolicy' ? { mode: 'error', code: 10 } : undefined))

    const name = `projects/${PROJECT}/secrets/busy-${id}`
    expect(await cloud.iam.bind(id, name, signal())).toMatchObject({
      failure: { kind: 'transient', code: 'cloud.aborted' },
    })
  })

  test('of a secret that is gone nobody is a reader', async () => {
    const name = `projects/${PROJECT}/secrets/never-there`
    taken(await cloud.iam.unbind(ACME, name, signal()))
    expect(taken(await cloud.iam.isBound(ACME, name, signal()))).toBe(false)
    expect(await cloud.iam.bind(ACME, name, signal())).toMatchObject({
      failure: { code: 'cloud.not_found' },
    })
  })
})

const SHARED = { name: 'energent-shared', cluster: {} as Cluster }
const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace' } as const
const place = (deploymentModel: 'dedicated' | 'hybrid') => ({ deploymentModel, region: 'us-central1' })
const aRoute = (name: string, model: 'dedicated' | 'hybrid'): Cluster => {
  const cluster = clusterRoutes({ shared: SHARED, cloud, tokens, clock })(name, place(model))
  if (cluster === undefined) throw new Error('no way')
  return cluster
}

describe('a dedicated cluster', () => {
  const order = (tenantId: TenantId) => ({
    tenantId,
    name: tenantClusterName(tenantId),
    location: 'us-central1',
  })
  const built = async (): Promise<TenantId> => {
    const id = aTenant()
    taken(await cloud.clusters.create(order(id), signal()))
    clock.advance(5_000)
    return id
  }

  test('comes after a while, is found by its name, and goes after a while', async () => {
    const id = aTenant()
    const { name, location } = order(id)
    const find = async () => taken(await cloud.clusters.find(name, location, signal()))
    const isDone = async (operation: string) =>
      taken(await cloud.clusters.operation(operation, location, signal()))

    const { operation } = taken(await cloud.clusters.create(order(id), signal()))
    expect(await cloud.clusters.create(order(id), signal())).toMatchObject({
      failure: { code: 'cloud.already_exists' },
    })
    expect(await isDone(operation)).toEqual({ done: false, error: null })
    expect(await find()).toEqual({ name, state: 'provisioning', tenantId: id, address: null })
    expect(await cloud.clusters.delete(name, location, signal())).toMatchObject({
      failure: { kind: 'wait', code: 'cloud.failed_precondition' },
    })
    clock.advance(5_000)
    expect(await isDone(operation)).toEqual({ done: true, error: null })
    const running = await find()
    expect(running).toMatchObject({
      state: 'running',
      address: { url: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/) },
    })
    expect(new X509Certificate(running?.address?.caCertificate ?? '').subject).toBe(`CN=${name}`)
    const deletion = taken(await cloud.clusters.delete(name, location, signal()))
    expect(await find()).toMatchObject({ state: 'stopping' })
    clock.advance(5_000)

    expect(await isDone(deletion?.operation ?? '')).toEqual({ done: true, error: null })
    expect(await find()).toBeUndefined()
    expect(taken(await cloud.clusters.delete(name, location, signal()))).toBeNull()
    expect(await isDone('operation-nobody-knows')).toBeUndefined()
  })

  test('is ordered private, labelled, in the fleet, and open to the connector alone', async () => {
    const id = await built()
    const raw = container.dump().clusters.find((cluster) => JSON.stringify(cluster).includes(`"${id}"`))
    expect(raw).toMatchObject({
      resourceLabels: { 'tenant-id': id, 'managed-by': 'tenant-events' },
      autopilot: { enabled: true },
      fleet: { project: PROJECT },
      networkConfig: { defaultEnablePrivateNodes: true },
      controlPlaneEndpointsConfig: {
        ipEndpointsConfig: {
          enabled: true,
          enablePublicEndpoint: false,
          authorizedNetworksConfig: { cidrBlocks: [{ cidrBlock: '10.8.0.0/28' }] },
        },
      },
    })
  })

  test('that could not be made says so, and can be deleted', async () => {
    container.breakNext('out of stock')
    const id = aTenant()
    const { name, location } = order(id)
    const { operation } = taken(await cloud.clusters.create(order(id), signal()))
    clock.advance(5_000)

    expect(taken(await cloud.clusters.operation(operation, location, signal()))).toEqual({
      done: true,
      error: 'out of stock',
    })
    expect(taken(await cloud.clusters.find(name, location, signal()))).toMatchObject({ state: 'error' })
    expect(taken(await cloud.clusters.delete(name, location, signal()))).not.toBeNull()
  })

  test('has an API server of its own, reached with its own authority pinned', async () => {
    const [first, second] = [await built(), await built()]
    const apply = (id: TenantId) =>
      aRoute(tenantClusterName(id), 'dedicated').apply(
        {
          ...NAMESPACE,
          metadata: {
            name: `tenant-${id}`,
            labels: { 'energent.ai/tenant-id': id },
            annotations: { 'energent.ai/spec-rev': '1' },
          },
        },
        signal(),
      )
    expect(await apply(first)).toMatchObject({ ok: true })

    const seen = await aRoute(tenantClusterName(first), 'dedicated').find(
      NAMESPACE,
      `tenant-${first}`,
      signal(),
    )
    const elsewhere = await aRoute(tenantClusterName(second), 'dedicated').find(
      NAMESPACE,
      `tenant-${first}`,
      signal(),
    )
    expect(seen).toMatchObject({ ok: true, value: { name: `tenant-${first}` } })
    expect(elsewhere).toEqual({ ok: true, value: undefined })
  })

  test('is not spoken to without the label of the tenant it is named after', async () => {
    const id = await built()
    const name = 'of-somebody-else'
    taken(await cloud.clusters.create({ ...order(id), name }, signal()))
    clock.advance(5_000)

    const seen = await aRoute(name, 'dedicated').find(NAMESPACE, 'x', signal())

    expect(seen).toMatchObject({
      failure: { kind: 'transient', text: expect.stringMatching(/does not carry the tenant's label/) },
    })
  })

  test('that is gone or was never there proves nothing about its objects', async () => {
    const seen = await aRoute('t-never-there', 'dedicated').find(NAMESPACE, 'x', signal())
    expect(seen).toMatchObject({ ok: false, failure: { code: 'cluster.unreachable' } })
  })

  test('is looked for again after a call without an answer', async () => {
    const id = await built()
    const cluster = aRoute(tenantClusterName(id), 'dedicated')
    await cluster.find(NAMESPACE, 'x', signal())
    let looked = 0
    container.setFault((operation) => {
      looked += operation === 'GetCluster' ? 1 : 0
      return undefined
    })
    expect(await cluster.find(NAMESPACE, 'x', signal())).toMatchObject({ ok: true })
    expect(looked).toBe(0)
    container.setKubernetesFault(once({ mode: 'lostAnswer' }, 'get namespaces'))

    expect(await cluster.find(NAMESPACE, 'x', signal())).toMatchObject({ ok: false })
    expect(await cluster.find(NAMESPACE, 'x', signal())).toMatchObject({ ok: true })

    expect(looked).toBe(1)
  })
})

describe('a cluster of a customer’s own', () => {
  const registered = async (): Promise<{ id: TenantId; name: string }> => {
    const id = aTenant()
    const name = tenantClusterName(id)
    await fleet.register(name, { 'tenant-id': id })
    return { id, name }
  }

  test('is found in the fleet, reached through the gateway, and leaves the fleet', async () => {
    const { id, name } = await registered()
    expect(taken(await cloud.memberships.find(name, signal()))).toEqual({
      name,
      state: 'running',
      tenantId: id,
      address: {
        url: `${fleet.gateway.url}/v1/projects/${NUMBER}/locations/global/memberships/${name}`,
        caCertificate: null,
      },
    })
    const cluster = aRoute(name, 'hybrid')
    expect(await cluster.find(NAMESPACE, 'tenant-x', signal())).toEqual({ ok: true, value: undefined })
    expect(await cluster.find(NAMESPACE, 'kube-system', signal())).toMatchObject({
      value: { name: 'kube-system' },
    })

    taken(await cloud.memberships.delete(name, signal()))
    expect(taken(await cloud.memberships.find(name, signal()))).toMatchObject({ state: 'stopping' })
    clock.advance(2_000)
    expect(taken(await cloud.memberships.find(name, signal()))).toBeUndefined()
    taken(await cloud.memberships.delete(name, signal()))
  })

  // The gateway answers for itself: what it does not find is not what the cluster does not have.
  test('whose agent is away, or which left, proves nothing about its objects', async () => {
    const { name } = await registered()
    const cluster = aRoute(name, 'hybrid')
    await cluster.find(NAMESPACE, 'tenant-x', signal())
    fleet.gateway.setConnected(name, false)
    expect(await cluster.find(NAMESPACE, 'tenant-x', signal())).toMatchObject({
      failure: { kind: 'transient' },
    })
    fleet.gateway.setConnected(name, true)
    taken(await cloud.memberships.delete(name, signal()))
    clock.advance(2_000)

    expect(await cluster.find(NAMESPACE, 'tenant-x', signal())).toMatchObject({ ok: false })
  })
})

test('the name of a cluster fits, follows from the id and is nobody else’s', () => {
  const ids = [
    'abc',
    'a'.repeat(29),
    'a'.repeat(30),
    'a'.repeat(40),
    `${'a'.repeat(39)}b`,
    `a${'-b'.repeat(19)}c`,
  ]
  const names = ids.map((id) => tenantClusterName(id as TenantId))
  expect(new Set(names).size).toBe(ids.length)
  for (const name of names) expect(name).toMatch(/^t-[a-z0-9-]{0,37}[a-z0-9]$/)
  expect(names[0]).toBe('t-abc')
  expect(Math.max(...names.map(({ length }) => length))).toBe(40)
})
