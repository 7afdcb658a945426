import type { FaultHook } from '#local/faults.ts'
import { systemClock } from '#shared/clock.ts'
import { startGrpcServer } from '../grpc.ts'
import { getService, loadServices } from '../protos.ts'
import type { Policy } from './model.ts'
import { policyHandlers } from './policies.ts'
import { openRotations, type Rotations, type SecretNotification } from './rotation.ts'
import { type SecretDeps, secretHandlers } from './secrets.ts'
import { openSecretStore } from './store.ts'
import { versionHandlers } from './versions.ts'

export type { SecretNotification } from './rotation.ts'

type SecretManagerOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number
  /** SQLite file; without one everything is forgotten at the end. */
  readonly file?: string
  readonly now?: () => number
  /** Sends a notification; without it rotations are recorded and nobody hears of them. */
  readonly publish?: (notification: SecretNotification) => Promise<unknown>
}

export type SecretManagerEngine = Rotations & {
  /** For SECRET_MANAGER_EMULATOR_HOST. */
  readonly host: string
  readonly port: number
  setFault(hook: FaultHook | undefined): void
  /** What the hook is asked about. */
  readonly rpcs: readonly string[]
  /** The secrets with their labels and readers, without anything they hold. */
  dump(): readonly SecretDump[]
  reset(): void
  close(): Promise<void>
}

/** What can be seen of a secret from outside. */
export type SecretDump = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly bindings: Policy['bindings']
}

/** Starts Secret Manager in this process for Google's unchanged client over plain-text gRPC. */
export async function startSecretManagerEngine(
  options: SecretManagerOptions = {},
): Promise<SecretManagerEngine> {
  const store = openSecretStore(options.file)
  const deps: SecretDeps = { store, now: options.now ?? systemClock.now }
  let fault: FaultHook | undefined
  const services = loadServices('@google-cloud/secret-manager')
  const server = await startGrpcServer({
    port: options.port ?? 0,
    fault: (rpc, request) => fault?.(rpc, request),
    services: [
      {
        definition: getService(services, 'google.cloud.secretmanager.v1.SecretManagerService'),
        handlers: { unary: { ...secretHandlers(deps), ...versionHandlers(deps), ...policyHandlers(deps) } },
      },
    ],
  })
  return {
    ...openRotations(deps, options.publish ?? (async () => undefined)),
    host: server.host,
    port: server.port,
    setFault: (hook) => {
      fault = hook
    },
    rpcs: server.rpcs,
    dump: () =>
      [...store.all()].map(({ config: { labels, name }, policy }) => ({
        name,
        labels,
        bindings: policy?.bindings ?? [],
      })),
    reset: store.reset,
    close: async () => {
      await server.close()
      store.close()
    },
  }
}
