import type { FaultHook } from '#local/faults.ts'
import { systemClock } from '#shared/clock.ts'
import { startGrpcServer } from '../grpc.ts'
import { getService, loadServices } from '../protos.ts'
import { durationMs, toTimestamp } from '../pubsub/wire.ts'
import type { SecretConfig } from './model.ts'
import { getSecret, type SecretDeps, secretHandlers } from './secrets.ts'
import { openSecretStore } from './store.ts'
import { versionHandlers } from './versions.ts'

/** A notification as Secret Manager publishes it: the secret as JSON, the event in the attributes. */
export type SecretNotification = {
  /** `projects/P/topics/T`. */
  readonly topic: string
  readonly data: Buffer
  readonly attributes: Readonly<Record<string, string>>
}

type SecretManagerOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number
  /** SQLite file; without one everything is forgotten at the end. */
  readonly file?: string
  readonly now?: () => number
  /** Sends a notification; without it rotations are recorded and nobody hears of them. */
  readonly publish?: (notification: SecretNotification) => Promise<unknown>
}

export type SecretManagerEngine = {
  /** For SECRET_MANAGER_EMULATOR_HOST. */
  readonly host: string
  readonly port: number
  /** Sends SECRET_ROTATE now, as if the secret's next rotation time had come. */
  rotateNow(secretName: string): Promise<void>
  /** Sends SECRET_ROTATE for every secret whose rotation time has come; answers their names. */
  rotateDue(): Promise<string[]>
  setFault(hook: FaultHook | undefined): void
  /** What the hook is asked about. */
  readonly rpcs: readonly string[]
  reset(): void
  close(): Promise<void>
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
        handlers: { unary: { ...secretHandlers(deps), ...versionHandlers(deps) } },
      },
    ],
  })
  const publish = options.publish ?? (async () => undefined)
  return {
    host: server.host,
    port: server.port,
    rotateNow: (name) => rotate(deps, publish, name),
    rotateDue: async () => {
      const due = [...store.all()]
        .map((secret) => secret.config)
        .filter((config) => isDue(config, deps.now()))
      for (const config of due) await rotate(deps, publish, config.name)
      return due.map((config) => config.name)
    },
    setFault: (hook) => {
      fault = hook
    },
    rpcs: server.rpcs,
    reset: store.reset,
    close: async () => {
      await server.close()
      store.close()
    },
  }
}

function isDue(config: SecretConfig, nowMs: number): boolean {
  const next = config.rotation?.nextRotationTime
  return next ? durationMs(next) <= nowMs : false
}

/**
 * The schedule moves on only after every topic has the notification: at least once, never none.
 * A period moves from the due time by whole periods, so that a late rotation keeps the rhythm.
 */
async function rotate(
  deps: SecretDeps,
  publish: NonNullable<SecretManagerOptions['publish']>,
  name: string,
): Promise<void> {
  const { config } = getSecret(deps, name)
  const timestamp = new Date(deps.now()).toISOString()
  for (const topic of config.topics) {
    await publish({
      topic: topic.name,
      data: Buffer.from(JSON.stringify(describe(config))),
      attributes: {
        eventType: 'SECRET_ROTATE',
        secretId: config.name,
        dataFormat: 'JSON_API_V1',
        timestamp,
      },
    })
  }
  const { rotation } = config
  if (!rotation?.nextRotationTime || !isDue(config, deps.now())) return
  const current = getSecret(deps, name)
  deps.store.save({ ...current, config: { ...current.config, rotation: movedOn(rotation, deps.now()) } })
}

function movedOn(
  rotation: NonNullable<SecretConfig['rotation']>,
  nowMs: number,
): NonNullable<SecretConfig['rotation']> {
  const { nextRotationTime, rotationPeriod } = rotation
  if (!rotationPeriod || !nextRotationTime) return { ...rotation, nextRotationTime: null }
  const period = durationMs(rotationPeriod)
  const due = durationMs(nextRotationTime)
  const missed = Math.floor((nowMs - due) / period) + 1
  return { ...rotation, nextRotationTime: toTimestamp(due + missed * period) }
}

/** The secret in the JSON mapping of its proto, as far as a listener needs it. Never a payload. */
function describe(config: SecretConfig): object {
  const iso = (time: { seconds: string | number; nanos: number }) => new Date(durationMs(time)).toISOString()
  return {
    name: config.name,
    createTime: iso(config.createTime),
    labels: config.labels,
    topics: config.topics,
    etag: config.etag,
    ...(config.rotation?.nextRotationTime && {
      rotation: {
        nextRotationTime: iso(config.rotation.nextRotationTime),
        ...(config.rotation.rotationPeriod && {
          rotationPeriod: `${config.rotation.rotationPeriod.seconds}s`,
        }),
      },
    }),
  }
}
