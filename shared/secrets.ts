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
}

const KEPT_MS = 300_000
const ALREADY_EXISTS = 6

/** The official client, loaded on first use. */
export function secretManagerStore(options: {
  readonly project: string
  readonly emulatorHost?: string | undefined
  readonly clock: Clock
}): SecretStore {
  const parent = `projects/${options.project}`
  let client: Promise<SecretManagerServiceClient> | undefined
  const open = (): Promise<SecretManagerServiceClient> => {
    client ??= load(options.emulatorHost).catch((error: unknown) => {
      client = undefined
      throw error
    })
    return client
  }
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
        if (!(error instanceof Error && 'code' in error && error.code === ALREADY_EXISTS)) throw error
      }
    },
  }
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
