import { durationMs, seconds, toTimestamp } from '../pubsub/wire.ts'
import type { SecretConfig } from './model.ts'
import { declareSecret, getSecret, type SecretDeps } from './secrets.ts'

/** A notification as Secret Manager publishes it: the secret as JSON, the event in the attributes. */
export type SecretNotification = {
  /** `projects/P/topics/T`. */
  readonly topic: string
  readonly data: Buffer
  readonly attributes: Readonly<Record<string, string>>
}

type Publish = (notification: SecretNotification) => Promise<unknown>

/** What tells listeners that a secret is to be rotated; the secret itself is theirs to change. */
export type Rotations = {
  /** Sends SECRET_ROTATE now, as if the secret's next rotation time had come. */
  rotateNow(secretName: string): Promise<void>
  /**
   * Sends SECRET_ROTATE for every secret whose rotation time has come; answers their names. One that
   * could not be sent keeps nobody else's: it is thrown when all were tried, and stays due.
   */
  rotateDue(): Promise<string[]>
  /** When the next secret falls due, in milliseconds since 1970. */
  nextRotationMs(): number | undefined
  /** Makes a secret rotate, and the secret if it is missing; one that rotates already stays as it is. */
  declareRotation(secretName: string, rotation: { readonly topic: string; readonly periodMs: number }): void
}

export function openRotations(deps: SecretDeps, publish: Publish): Rotations {
  const configs = (): SecretConfig[] => [...deps.store.all()].map((secret) => secret.config)
  return {
    rotateNow: (name) => rotate(deps, publish, name),
    rotateDue: async () => {
      const due = configs().filter((config) => isDue(config, deps.now()))
      const failures: unknown[] = []
      for (const config of due) {
        await rotate(deps, publish, config.name).catch((error: unknown) => failures.push(error))
      }
      if (failures.length > 0) throw new AggregateError(failures, `rotation not sent: ${failures.join('; ')}`)
      return due.map((config) => config.name)
    },
    nextRotationMs: () =>
      configs().reduce<number | undefined>((earliest, config) => {
        const next = dueMs(config)
        return next !== undefined && (earliest === undefined || next < earliest) ? next : earliest
      }, undefined),
    declareRotation: (name, { topic, periodMs }) => {
      const rotation = {
        nextRotationTime: toTimestamp(deps.now() + periodMs),
        rotationPeriod: seconds(periodMs / 1000),
      }
      declareSecret(deps, name, { topics: [{ name: topic }], rotation })
    },
  }
}

function dueMs(config: SecretConfig): number | undefined {
  const next = config.rotation?.nextRotationTime
  return next ? durationMs(next) : undefined
}

function isDue(config: SecretConfig, nowMs: number): boolean {
  const next = dueMs(config)
  return next !== undefined && next <= nowMs
}

/**
 * The schedule moves on only after every topic has the notification: at least once, never none.
 * A period moves from the due time by whole periods, so that a late rotation keeps the rhythm.
 */
async function rotate(deps: SecretDeps, publish: Publish, name: string): Promise<void> {
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
