import type { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import type { Clock } from './clock.ts'
import { CALL_DEADLINE_MS, withDeadline } from './deadline.ts'

/** Secret Manager, as far as we need it. Payloads never reach a log. */
export type SecretStore = {
  /** The payload of a version. A numbered version never changes and is kept five minutes; `latest` is always asked. */
  access(name: string, version: string): Promise<Buffer>
  /** Adds a version and returns its number. */
  addVersion(name: string, payload: Uint8Array): Promise<string>
  /** Creates the secret unless it is there. */
  ensureSecret(name: string): Promise<void>
  /** All versions there are, in no order. */
  versions(name: string): Promise<readonly SecretVersion[]>
  /** Makes a version unreadable until somebody enables it; one that is disabled or destroyed stays so. */
  disableVersion(name: string, version: string): Promise<void>
  /** Destroys what a version holds, for good; a destroyed one stays so. */
  destroyVersion(name: string, version: string): Promise<void>
}

export type SecretVersion = {
  readonly version: string
  readonly state: 'ENABLED' | 'DISABLED' | 'DESTROYED'
  readonly createdAtMs: number
}

const KEPT_MS = 300_000
const ALREADY_EXISTS = 6
const FAILED_PRECONDITION = 9

/** The official client, loaded on first use. */
export function secretManagerStore(options: {
  readonly project: string
  readonly emulatorHost?: string | undefined
  readonly clock: Clock
}): SecretStore {
  const parent = `projects/${options.project}`
  const open = secretManager(options.emulatorHost)
  const kept = new Map<string, { untilMs: number; payload: Promise<Buffer> }>()
  const read = async (path: string): Promise<Buffer> => {
    const [version] = await withDeadline(
      'secrets.access',
      CALL_DEADLINE_MS,
      (await open()).accessSecretVersion({ name: path }),
    )
    const data = version.payload?.data
    if (data === undefined || data === null) throw new Error(`${path} has no payload`)
    return Buffer.from(data)
  }
  return {
    access: (name, version) => {
      const path = `${parent}/secrets/${name}/versions/${version}`
      if (version === 'latest') return read(path)
      const cached = kept.get(path)
      if (cached !== undefined && cached.untilMs > options.clock.now()) return cached.payload
      const payload = read(path)
      kept.set(path, { untilMs: options.clock.now() + KEPT_MS, payload })
      payload.catch(() => kept.delete(path))
      return payload
    },
    addVersion: async (name, payload) => {
      const request = { parent: `${parent}/secrets/${name}`, payload: { data: Buffer.from(payload) } }
      const [version] = await withDeadline(
        'secrets.addVersion',
        CALL_DEADLINE_MS,
        (await open()).addSecretVersion(request),
      )
      const number = version.name?.split('/').at(-1)
      if (number === undefined) throw new Error('Secret Manager answered without a version name')
      return number
    },
    ensureSecret: async (name) => {
      const request = { parent, secretId: name, secret: { replication: { automatic: {} } } }
      try {
        await withDeadline('secrets.create', CALL_DEADLINE_MS, (await open()).createSecret(request))
      } catch (error) {
        if (!hasCode(error, ALREADY_EXISTS)) throw error
      }
    },
    versions: async (name) => {
      const listing = (await open()).listSecretVersions({ parent: `${parent}/secrets/${name}` })
      const [versions] = await withDeadline('secrets.listVersions', CALL_DEADLINE_MS, listing)
      return versions.map((version) => ({
        version: version.name?.split('/').at(-1) ?? '',
        state: stateOf(version.state),
        createdAtMs: Number(version.createTime?.seconds ?? 0) * 1000,
      }))
    },
    disableVersion: async (name, version) => {
      const path = `${parent}/secrets/${name}/versions/${version}`
      kept.delete(path)
      const work = (await open()).disableSecretVersion({ name: path })
      await unlessOver(withDeadline('secrets.disableVersion', CALL_DEADLINE_MS, work))
    },
    destroyVersion: async (name, version) => {
      const path = `${parent}/secrets/${name}/versions/${version}`
      kept.delete(path)
      const work = (await open()).destroySecretVersion({ name: path })
      await unlessOver(withDeadline('secrets.destroyVersion', CALL_DEADLINE_MS, work))
    },
  }
}

/** Google's client as it is, for those who need more of the service than its payloads. */
export type SecretManager = SecretManagerServiceClient

/** Loads the client with the first call, and once; a load that fails is not kept. */
export function secretManager(emulatorHost: string | undefined): () => Promise<SecretManager> {
  let client: Promise<SecretManager> | undefined
  return () => {
    client ??= load(emulatorHost).catch((error: unknown) => {
      client = undefined
      throw error
    })
    return client
  }
}

function stateOf(state: unknown): SecretVersion['state'] {
  if (state === 'ENABLED' || state === 'DISABLED' || state === 'DESTROYED') return state
  throw new Error(`Secret Manager answered with the version state ${String(state)}`)
}

/** Secret Manager refuses to change a destroyed version: what was asked for holds already. */
async function unlessOver(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!hasCode(error, FAILED_PRECONDITION)) throw error
  }
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

async function load(emulatorHost: string | undefined): Promise<SecretManagerServiceClient> {
  const { SecretManagerServiceClient } = await import('@google-cloud/secret-manager')
  if (emulatorHost === undefined) return new SecretManagerServiceClient()
  const { credentials } = await import('@grpc/grpc-js')
  const { hostname, port } = new URL(`http://${emulatorHost}`)
  return new SecretManagerServiceClient({
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
  })
}
