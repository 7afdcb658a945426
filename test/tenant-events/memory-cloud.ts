import type { TenantId } from '#shared/ids.ts'
import type { Failure } from '../../functions/tenant-events/domain/operation.ts'
import type {
  CloudAnswer,
  CloudCluster,
  CloudPorts,
  KeyVersion,
  TenantKey,
} from '../../functions/tenant-events/ports/cloud.ts'

const DAY_MS = 86_400_000

type MemoryVersion = { -readonly [Name in keyof KeyVersion]: KeyVersion[Name] }
type MemoryKey = { primary: number; versions: MemoryVersion[] }
type MemorySecret = { tenantId: TenantId | null; readers: Set<string> }
type MemoryMachine = { tenantId: string | null; readyAtMs: number; goneAtMs: number | null; broken: boolean }

export type MemoryCloud = CloudPorts & {
  readonly keys: Map<TenantId, MemoryKey>
  readonly secretsByName: Map<string, MemorySecret>
  readonly machines: Map<string, MemoryMachine>
  readonly fleet: Map<string, string | null>
  /** Every call, as `port.verb name`. */
  readonly calls: string[]
  /** Consulted before each call; a failure is the answer. */
  fail: (call: string) => Failure | undefined
  /** How long clusters take to come and to go. */
  clusterMs: number
  /** How long a key version waits for its destruction. */
  destroyAfterMs: number
  /** A customer's cluster enters the fleet. */
  register(name: string, tenantId: string | null): void
  /** What is left of a tenant, keys that are destroyed or on their way to it left out. */
  tracesOf(tenantId: TenantId): string[]
}

/** The cloud in memory, as far as the steps look at it; what takes time takes that of `now`. */
export function memoryCloud(now: () => number): MemoryCloud {
  const cloud: MemoryCloud = {
    keys: new Map(),
    secretsByName: new Map(),
    machines: new Map(),
    fleet: new Map(),
    calls: [],
    fail: () => undefined,
    clusterMs: 5 * 60_000,
    destroyAfterMs: 30 * DAY_MS,
    register: (name, tenantId) => void cloud.fleet.set(name, tenantId),
    tracesOf: (tenantId) => tracesOf(cloud, tenantId, now()),
    ...kmsOf(() => cloud, now),
    ...accessOf(() => cloud),
    ...clustersOf(() => cloud, now),
  }
  return cloud
}

type Open = () => MemoryCloud

/** Notes the call and answers `work`, unless a failure was ordered for it. */
async function answer<T>(cloud: MemoryCloud, call: string, work: () => T): Promise<CloudAnswer<T>> {
  cloud.calls.push(call)
  const failure = cloud.fail(call)
  if (failure !== undefined) return { ok: false, failure }
  try {
    return { ok: true, value: work() }
  } catch (error) {
    if (error instanceof Refused) return { ok: false, failure: error.failure }
    throw error
  }
}

class Refused extends Error {
  readonly failure: Failure
  constructor(kind: Failure['kind'], code: string) {
    super(code)
    this.failure = { kind, code, text: code }
  }
}

function kmsOf(open: Open, now: () => number): Pick<CloudPorts, 'kms'> {
  const named = (tenantId: TenantId, number: number): string => `keys/tenant-${tenantId}/${number}`
  const version = (name: string): MemoryVersion => {
    const found = [...open().keys.values()]
      .flatMap((key) => key.versions)
      .find((candidate) => candidate.name === name)
    if (found === undefined) throw new Refused('permanent', 'cloud.not_found')
    return settled(found, now())
  }
  const enabled = (name: string): MemoryVersion => ({ name, state: 'enabled', destroyAtMs: null })
  return {
    kms: {
      find: (tenantId) =>
        answer(open(), `kms.find ${tenantId}`, (): TenantKey | undefined => {
          const key = open().keys.get(tenantId)
          if (key === undefined) return undefined
          const versions = key.versions.map((each) => ({ ...settled(each, now()) }))
          const primary = key.primary === 0 ? null : named(tenantId, key.primary)
          return { keyName: `keys/tenant-${tenantId}`, primary, versions }
        }),
      create: (tenantId) =>
        answer(open(), `kms.create ${tenantId}`, () => {
          if (open().keys.has(tenantId)) return
          open().keys.set(tenantId, { primary: 1, versions: [enabled(named(tenantId, 1))] })
        }),
      addPrimary: (tenantId) =>
        answer(open(), `kms.addPrimary ${tenantId}`, () => {
          const key = open().keys.get(tenantId)
          if (key === undefined) throw new Refused('permanent', 'cloud.not_found')
          key.versions.push(enabled(named(tenantId, key.versions.length + 1)))
          key.primary = key.versions.length
        }),
      setEnabled: (name, on) =>
        answer(open(), `kms.setEnabled ${name}`, () => {
          const found = version(name)
          if (found.state !== 'enabled' && found.state !== 'disabled') {
            throw new Refused('permanent', 'cloud.failed_precondition')
          }
          found.state = on ? 'enabled' : 'disabled'
        }),
      destroy: (name) =>
        answer(open(), `kms.destroy ${name}`, () => {
          const found = version(name)
          if (found.state === 'destroyed' || found.state === 'destroy-scheduled') return
          found.state = 'destroy-scheduled'
          found.destroyAtMs = now() + open().destroyAfterMs
        }),
      deleteVersion: (name) =>
        answer(open(), `kms.deleteVersion ${name}`, () => {
          for (const key of open().keys.values()) {
            const found = key.versions.find((each) => each.name === name)
            if (found === undefined) continue
            if (settled(found, now()).state !== 'destroyed')
              throw new Refused('wait', 'cloud.failed_precondition')
            key.versions.splice(key.versions.indexOf(found), 1)
          }
        }),
      deleteKey: (tenantId) =>
        answer(open(), `kms.deleteKey ${tenantId}`, () => {
          if ((open().keys.get(tenantId)?.versions.length ?? 0) > 0) {
            throw new Refused('wait', 'cloud.failed_precondition')
          }
          open().keys.delete(tenantId)
        }),
      restore: (name) =>
        answer(open(), `kms.restore ${name}`, () => {
          const found = version(name)
          if (found.state !== 'destroy-scheduled') throw new Refused('permanent', 'cloud.failed_precondition')
          found.state = 'disabled'
          found.destroyAtMs = null
        }),
    },
  }
}

function settled(version: MemoryVersion, nowMs: number): MemoryVersion {
  if (version.state === 'destroy-scheduled' && (version.destroyAtMs ?? 0) <= nowMs)
    version.state = 'destroyed'
  return version
}

function accessOf(open: Open): Pick<CloudPorts, 'iam' | 'secrets'> {
  const member = (tenantId: TenantId): string => `principal:${tenantId}`
  const own = (tenantId: TenantId): [string, MemorySecret][] =>
    [...open().secretsByName].filter(([, secret]) => secret.tenantId === tenantId).sort()
  return {
    secrets: {
      list: (tenantId) =>
        answer(open(), `secrets.list ${tenantId}`, () => own(tenantId).map(([name]) => ({ name }))),
      ensure: (tenantId, secretId) =>
        answer(open(), `secrets.ensure ${secretId}`, () => {
          const name = `secrets/${secretId}`
          const found = open().secretsByName.get(name)
          if (found === undefined) open().secretsByName.set(name, { tenantId, readers: new Set() })
          else if (found.tenantId !== tenantId) throw new Refused('refused', 'cloud.secret_foreign')
        }),
      delete: (name) =>
        answer(open(), `secrets.delete ${name}`, () => void open().secretsByName.delete(name)),
    },
    iam: {
      isBound: (tenantId, secret) =>
        answer(
          open(),
          `iam.isBound ${secret}`,
          () => open().secretsByName.get(secret)?.readers.has(member(tenantId)) === true,
        ),
      bind: (tenantId, secret) =>
        answer(open(), `iam.bind ${secret}`, () => {
          const found = open().secretsByName.get(secret)
          if (found === undefined) throw new Refused('permanent', 'cloud.not_found')
          found.readers.add(member(tenantId))
        }),
      unbind: (tenantId, secret) =>
        answer(open(), `iam.unbind ${secret}`, () => {
          open().secretsByName.get(secret)?.readers.delete(member(tenantId))
        }),
    },
  }
}

function clustersOf(open: Open, now: () => number): Pick<CloudPorts, 'clusters' | 'memberships'> {
  const machine = (name: string): MemoryMachine | undefined => {
    const found = open().machines.get(name)
    if (found?.goneAtMs !== undefined && found.goneAtMs !== null && found.goneAtMs <= now()) {
      open().machines.delete(name)
      return undefined
    }
    return found
  }
  return {
    clusters: {
      find: (name) =>
        answer(open(), `clusters.find ${name}`, () => {
          const found = machine(name)
          return found === undefined ? undefined : shown(name, found, now())
        }),
      create: ({ name, tenantId }) =>
        answer(open(), `clusters.create ${name}`, () => {
          if (machine(name) !== undefined) throw new Refused('transient', 'cloud.already_exists')
          const readyAtMs = now() + open().clusterMs
          open().machines.set(name, { tenantId, readyAtMs, goneAtMs: null, broken: false })
          return { operation: `create ${name}` }
        }),
      delete: (name) =>
        answer(open(), `clusters.delete ${name}`, () => {
          const found = machine(name)
          if (found === undefined) return null
          if (!found.broken && found.readyAtMs > now()) throw new Refused('wait', 'cloud.failed_precondition')
          found.goneAtMs ??= now() + open().clusterMs
          return { operation: `delete ${name}` }
        }),
      operation: (name) =>
        answer(open(), `clusters.operation ${name}`, () => {
          const [verb, cluster = ''] = name.split(' ')
          const found = machine(cluster)
          if (found === undefined) return verb === 'delete' ? { done: true, error: null } : undefined
          const done = verb === 'create' && (found.broken || found.readyAtMs <= now())
          return { done, error: found.broken ? 'the cluster could not be made' : null }
        }),
    },
    memberships: {
      find: (name) =>
        answer(open(), `memberships.find ${name}`, (): CloudCluster | undefined => {
          const tenantId = open().fleet.get(name)
          if (tenantId === undefined) return undefined
          const address = { url: `https://gateway/memberships/${name}`, caCertificate: null }
          return { name, state: 'running', tenantId, address }
        }),
      delete: (name) => answer(open(), `memberships.delete ${name}`, () => void open().fleet.delete(name)),
    },
  }
}

function shown(name: string, machine: MemoryMachine, nowMs: number): CloudCluster {
  const { broken, goneAtMs, readyAtMs, tenantId } = machine
  const going = goneAtMs !== null
  const state = going ? 'stopping' : broken ? 'error' : readyAtMs <= nowMs ? 'running' : 'provisioning'
  const address = state === 'running' ? { url: `https://${name}`, caCertificate: 'PEM' } : null
  return { name, state, tenantId, address }
}

function tracesOf(cloud: MemoryCloud, tenantId: TenantId, nowMs: number): string[] {
  const usable = ({ state }: KeyVersion): boolean => state !== 'destroyed' && state !== 'destroy-scheduled'
  const key = cloud.keys.get(tenantId)?.versions.filter((each) => usable(settled(each, nowMs)))
  return [
    ...(key ?? []).map(({ name, state }) => `${name} ${state}`),
    ...[...cloud.secretsByName].filter(([, secret]) => secret.tenantId === tenantId).map(([name]) => name),
    ...[...cloud.machines]
      .filter(([, each]) => each.tenantId === tenantId && (each.goneAtMs ?? Number.POSITIVE_INFINITY) > nowMs)
      .map(([name]) => `cluster ${name}`),
    ...[...cloud.fleet].filter(([, owner]) => owner === tenantId).map(([name]) => `membership ${name}`),
  ]
}
