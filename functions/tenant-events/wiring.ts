import { FUNCTIONS } from '#shared/catalogue/functions.ts'
import { type Config, required } from '#shared/config.ts'
import { signalAfter } from '#shared/deadline.ts'
import { tenantIndex } from '#shared/firestore/tenant-index.ts'
import type { HealthCheck } from '#shared/health.ts'
import type { TenantId } from '#shared/ids.ts'
import { metadataTokens } from '#shared/metadata-token.ts'
import { publishCheck } from '#shared/observability/dependency-checks.ts'
import { deadLetterDesk } from '#shared/pubsub/dead-letter-desk.ts'
import { openDeadLetters } from '#shared/pubsub/dead-letters.ts'
import { type Platform, type PlatformParts, wirePlatform } from '#shared/wiring.ts'
import { firestoreCertificates } from './adapters/certificates.ts'
import { cloudPorts } from './adapters/cloud.ts'
import { clusterRoutes } from './adapters/cluster-routes.ts'
import { kubernetesCluster } from './adapters/kubernetes.ts'
import { kubernetesTransport } from './adapters/kubernetes-transport.ts'
import { firestoreLifecycleStore } from './adapters/lifecycle-store.ts'
import { firestoreTenantDirectory } from './adapters/tenant-directory.ts'
import { firestoreTenantHistory } from './adapters/tenant-history.ts'
import { firestoreTimerBook } from './adapters/timer-book.ts'
import { pubsubWorkQueue } from './adapters/work-queue.ts'
import type { ApiDeps } from './http/deps.ts'
import type { CloudPorts } from './ports/cloud.ts'
import type { World } from './ports.ts'

export type Lifecycle = {
  readonly platform: Platform
  readonly deps: ApiDeps
  readonly checks: Readonly<Record<string, HealthCheck>>
}

/** What an invocation keeps for its last step and commit before the platform ends it. */
const RESERVE_MS = 60_000

/** Builds the group's parts from the configuration; nothing connects before it is used. */
export function wireLifecycle(config: Config, parts: PlatformParts = {}): Lifecycle {
  const platform = wirePlatform(config, 'lifecycle', parts)
  const { clock, database, ids, log, publisher, system, tenants } = platform
  const tokens = metadataTokens(config.GCE_METADATA_HOST, clock)
  const cluster = kubernetesCluster(
    kubernetesTransport({
      url: required('KUBERNETES_API_URL', config.KUBERNETES_API_URL),
      caFile: config.KUBERNETES_CA_FILE,
    }),
    tokens,
  )
  const cloud = cloudPorts(config, tokens)
  const deps: ApiDeps = {
    store: firestoreLifecycleStore(tenants, system),
    directory: firestoreTenantDirectory(tenantIndex(database, 'lifecycle'), log),
    queue: pubsubWorkQueue(publisher),
    timers: firestoreTimerBook(system),
    world: notWired({ ...cloud, certificates: firestoreCertificates(system) }),
    history: firestoreTenantHistory(tenants),
    deadLetters: deadLetterDesk((topic) =>
      openDeadLetters(
        { project: config.GOOGLE_CLOUD_PROJECT, emulatorHost: config.PUBSUB_EMULATOR_HOST },
        topic,
      ),
    ),
    ...{ publisher, tenants },
    clusterNamed: clusterRoutes({ shared: { name: config.DEFAULT_CLUSTER, cluster }, cloud, tokens, clock }),
    clock,
    ids,
    // Real time on purpose: the platform ends an invocation by it, whatever our clock says.
    elapsedMs: () => performance.now(),
    budgetMs: FUNCTIONS['tenant-events'].timeoutSeconds * 1000 - RESERVE_MS,
    defaultCluster: config.DEFAULT_CLUSTER,
  }
  return {
    platform,
    deps,
    checks: {
      firestore: () => platform.system.ping(),
      kubernetes: () => cluster.ping(),
      ...(config.KMS_KEY_RING === undefined ? {} : { kms: keysAnswer(cloud) }),
      pubsub: publishCheck(publisher, 'tenant-work'),
    },
  }
}

/** Until all adapters are there: a step that reaches for one that is not fails, and says for which. */
function notWired(wired: Partial<World>): World {
  return new Proxy(wired as World, {
    get: (world, port) => {
      if (!Object.hasOwn(world, port)) throw new Error(`${String(port)} is not wired`)
      return Reflect.get(world, port)
    },
  })
}

/** No tenant has an id with a capital letter: that there is no such key is the answer hoped for. */
function keysAnswer(cloud: CloudPorts): HealthCheck {
  return async () => {
    const found = await cloud.kms.find('Health' as TenantId, signalAfter(2_000))
    if (!found.ok) throw new Error(found.failure.code)
  }
}
