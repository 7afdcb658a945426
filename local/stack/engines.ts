import type { PubSub } from '@google-cloud/pubsub'
import type { FirestoreEngine } from '#local/engine/firestore/index.ts'
import type { PubsubEngine } from '#local/engine/pubsub/index.ts'
import type { SecretManagerEngine, SecretNotification } from '#local/engine/secrets/index.ts'
import { COMPOSITE_INDEXES, TTL_POLICIES } from '#shared/firestore/indexes.ts'
import { ACCESS_KEYS_SECRET } from '../../functions/auth/domain/access-key.ts'
import { type DataDir, opening } from './data-dir.ts'
import { type EngineName, StackError } from './options.ts'
import type { Ports } from './ports.ts'

/** How often the signing keys are rotated, as Terraform asks of Secret Manager. */
const ROTATION_PERIOD_MS = 30 * 24 * 3_600_000

/** The stores behind the functions. The embedded ones can be looked into; Google's emulators cannot. */
export type Engines = {
  readonly name: EngineName
  readonly firestoreHost: string
  readonly pubsubHost: string
  readonly secretsHost: string
  readonly secrets: SecretManagerEngine
  readonly firestore: FirestoreEngine | undefined
  readonly pubsub: PubsubEngine | undefined
  close(): Promise<void>
}

type EngineOptions = {
  readonly name: EngineName
  readonly project: string
  readonly ports: Ports
  readonly data: DataDir
  readonly now: () => number
}

export function startEngines(options: EngineOptions): Promise<Engines> {
  return options.name === 'embedded' ? startEmbedded(options) : startGoogle(options)
}

async function startEmbedded(options: EngineOptions): Promise<Engines> {
  const { data, now, ports } = options
  const [{ startFirestoreEngine }, { startPubsubEngine }, { getTopic }] = await Promise.all([
    import('#local/engine/firestore/index.ts'),
    import('#local/engine/pubsub/index.ts'),
    import('#local/engine/pubsub/lookup.ts'),
  ])
  const firestoreFile = data.file('firestore.sqlite')
  const pubsubFile = data.file('pubsub.sqlite')
  const firestore = await opening(firestoreFile, () =>
    startFirestoreEngine({
      port: ports.firestore,
      file: firestoreFile,
      now,
      // A query without its index fails here as it would in production.
      indexes: COMPOSITE_INDEXES,
      ttl: TTL_POLICIES,
    }),
  )
  const pubsub = await opening(pubsubFile, () =>
    startPubsubEngine({ port: ports.pubsub, file: pubsubFile, now }),
  )
  const secrets = await startSecrets(options, async ({ topic, data, attributes }) =>
    pubsub.broker.publish(getTopic(pubsub.broker, topic), [{ data, attributes, orderingKey: '' }]),
  )
  return {
    name: 'embedded',
    firestoreHost: firestore.host,
    pubsubHost: pubsub.host,
    secretsHost: secrets.host,
    secrets,
    firestore,
    pubsub,
    close: async () => {
      await Promise.all([firestore.close(), pubsub.close(), secrets.close()])
    },
  }
}

/** Google's emulators keep nothing over a restart, so neither does what stands beside them. */
async function startGoogle(options: EngineOptions): Promise<Engines> {
  const { startGoogleFirestore, startGooglePubsub } = await import('#local/engine/google.ts')
  const publisher = googlePublisher(options)
  const [firestore, pubsub, secrets] = await Promise.all([
    startGoogleFirestore({ port: options.ports.firestore }),
    startGooglePubsub({ port: options.ports.pubsub, project: options.project }),
    startSecrets(options, (notification) => publisher.publish(notification)),
  ])
  const stop = async (): Promise<void> => {
    await publisher.close()
    await Promise.all([firestore.emulator?.stop(), pubsub.emulator?.stop(), secrets.close()])
  }
  if (firestore.emulator === undefined || pubsub.emulator === undefined) {
    await stop()
    const reason = firestore.reason ?? pubsub.reason ?? 'unknown'
    throw new StackError(
      `Google's emulators cannot run here: ${reason}. Use the embedded engine (leave out --engine).`,
    )
  }
  return {
    name: 'google',
    firestoreHost: firestore.emulator.host,
    pubsubHost: pubsub.emulator.host,
    secretsHost: secrets.host,
    secrets,
    firestore: undefined,
    pubsub: undefined,
    close: stop,
  }
}

type Publish = (notification: SecretNotification) => Promise<unknown>

/** Publishes what Secret Manager says with the official client, loaded when there is something to say. */
function googlePublisher({ ports, project }: EngineOptions): {
  readonly publish: Publish
  close(): Promise<void>
} {
  let client: PubSub | undefined
  return {
    publish: async ({ topic, data, attributes }) => {
      const { PubSub: Client } = await import('@google-cloud/pubsub')
      client ??= new Client({
        projectId: project,
        apiEndpoint: `127.0.0.1:${ports.pubsub}`,
        emulatorMode: true,
      })
      await client.topic(topic).publishMessage({ data, attributes })
    },
    close: async () => client?.close(),
  }
}

async function startSecrets(options: EngineOptions, publish: Publish): Promise<SecretManagerEngine> {
  const { startSecretManagerEngine } = await import('#local/engine/secrets/index.ts')
  const file = options.data.file('secrets.sqlite')
  const secrets = await opening(file, () =>
    startSecretManagerEngine({ port: options.ports.secrets, file, now: options.now, publish }),
  )
  const { project } = options
  secrets.declareRotation(`projects/${project}/secrets/${ACCESS_KEYS_SECRET}`, {
    topic: `projects/${project}/topics/secret-rotation`,
    periodMs: ROTATION_PERIOD_MS,
  })
  return secrets
}
