import type { Group } from './catalogue/functions.ts'
import { type Clock, fileClock, systemClock } from './clock.ts'
import type { Config } from './config.ts'
import { authStateSource } from './firestore/auth-state.ts'
import { type Database, openDatabase } from './firestore/database.ts'
import { createOutbox, type Outbox } from './firestore/outbox.ts'
import { revocationFeed } from './firestore/revocation-feed.ts'
import { type SystemFirestore, systemFirestore } from './firestore/system.ts'
import { type AnnounceRevocations, type TenantFirestore, tenantFirestore } from './firestore/tenant-store.ts'
import { type Tombstones, tombstones } from './firestore/tombstones.ts'
import { type Ids, systemIds } from './ids.ts'
import { createLogger, type Logger } from './log.ts'
import { createRegistry, type Metrics } from './metrics.ts'
import { measuredLog } from './observability/measured-log.ts'
import { METRICS } from './observability/metrics-table.ts'
import { type Publisher, pubsubPublisher } from './pubsub/publisher.ts'
import { firestoreQuarantine, type Quarantine } from './pubsub/quarantine.ts'
import { type SecretStore, secretManagerStore } from './secrets.ts'
import { type ProofMemory, proofMemory } from './tokens/proof-memory.ts'
import { type Revocations, revocations } from './tokens/revocations.ts'
import {
  accessTokenVerifier,
  type KeySource,
  remoteKeys,
  type TokenVerifier,
} from './tokens/verify-access-token.ts'
import { type CallerVerifier, callerVerifier } from './tokens/verify-caller.ts'

/** What every function is built from: made once per process, before the first request. */
export type Platform = {
  readonly config: Config
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly metrics: Metrics
  readonly database: Database
  readonly publisher: Publisher
  readonly secrets: SecretStore
  readonly system: SystemFirestore
  readonly tenants: TenantFirestore
  readonly tombstones: Tombstones
  readonly outbox: Outbox
  readonly quarantine: Quarantine
  readonly revocations: Revocations
  readonly verifyToken: TokenVerifier
  readonly verifyCaller: CallerVerifier
  /** The DPoP proofs that this process has seen. */
  readonly proofs: ProofMemory
}

/** What a test, a simulation or the auth function puts in place of the usual parts. */
export type PlatformParts = {
  readonly clock?: Clock
  readonly ids?: Ids
  readonly log?: Logger
  readonly database?: Database
  readonly publisher?: Publisher
  readonly secrets?: SecretStore
  /** What auth tells others of a revocation. */
  readonly announce?: AnnounceRevocations
  readonly keys?: (parts: {
    secrets: SecretStore
    system: SystemFirestore
    clock: Clock
    log: Logger
  }) => KeySource
}

/** Builds the parts; nothing connects and no client loads before it is first used. */
export function wirePlatform(config: Config, group: Group, parts: PlatformParts = {}): Platform {
  const clock = parts.clock ?? (config.CLOCK_FILE === undefined ? systemClock : fileClock(config.CLOCK_FILE))
  const ids = parts.ids ?? systemIds
  const project = config.GOOGLE_CLOUD_PROJECT
  const metrics = createRegistry(
    Object.fromEntries(Object.entries(METRICS).map(([name, { help }]) => [name, help])),
  )
  const log = measuredLog(
    parts.log ?? createLogger({ clock, project, service: config.FUNCTION_TARGET }),
    metrics,
  )
  const database =
    parts.database ??
    openDatabase({
      project,
      databaseId: config.FIRESTORE_DATABASE,
      emulatorHost: config.FIRESTORE_EMULATOR_HOST,
    })
  const publisher = parts.publisher ?? pubsubPublisher({ project, emulatorHost: config.PUBSUB_EMULATOR_HOST })
  const secrets =
    parts.secrets ?? secretManagerStore({ project, emulatorHost: config.SECRET_MANAGER_EMULATOR_HOST, clock })
  const system = systemFirestore(database, group)
  const purged = tombstones(database)
  const outbox = createOutbox({ group, system, publisher, clock, log })
  const revoked = revocations({ feed: revocationFeed(database), clock, log })
  const keys =
    parts.keys?.({ secrets, system, clock, log }) ??
    remoteKeys(config.JWKS_URI ?? `${config.PUBLIC_BASE_URL}/.well-known/jwks.json`)
  return {
    config,
    clock,
    ids,
    log,
    metrics,
    database,
    publisher,
    secrets,
    system,
    tenants: tenantFirestore({
      database,
      group,
      clock,
      ids,
      outbox,
      announce: parts.announce,
      onFeedWrite: revoked.expire,
    }),
    tombstones: purged,
    outbox,
    quarantine: firestoreQuarantine(group, system, ids, purged),
    revocations: revoked,
    verifyToken: accessTokenVerifier({
      issuer: config.PUBLIC_BASE_URL,
      audience: config.PUBLIC_BASE_URL,
      keys,
      authState: authStateSource(database, clock),
      revocations: revoked,
      clock,
    }),
    verifyCaller: callerVerifier(config, clock),
    proofs: proofMemory(),
  }
}
