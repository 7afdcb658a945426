import { FUNCTIONS } from '#shared/catalogue/functions.ts'
import { type Config, required } from '#shared/config.ts'
import { tenantIndex } from '#shared/firestore/tenant-index.ts'
import type { HealthCheck } from '#shared/health.ts'
import { metadataTokens } from '#shared/metadata-token.ts'
import { publishCheck } from '#shared/observability/dependency-checks.ts'
import { type Platform, type PlatformParts, wirePlatform } from '#shared/wiring.ts'
import { kubernetesCluster } from './adapters/kubernetes.ts'
import { kubernetesTransport } from './adapters/kubernetes-transport.ts'
import { firestoreLifecycleStore } from './adapters/lifecycle-store.ts'
import { firestoreTenantDirectory } from './adapters/tenant-directory.ts'
import { firestoreTimerBook } from './adapters/timer-book.ts'
import { pubsubWorkQueue } from './adapters/work-queue.ts'
import type { LifecycleDeps, World } from './ports.ts'

export type Lifecycle = {
  readonly platform: Platform
  readonly deps: LifecycleDeps
  readonly checks: Readonly<Record<string, HealthCheck>>
}

/** What an invocation keeps for its last step and commit before the platform ends it. */
const RESERVE_MS = 60_000

/** Builds the group's parts from the configuration; nothing connects before it is used. */
export function wireLifecycle(config: Config, parts: PlatformParts = {}): Lifecycle {
  const platform = wirePlatform(config, 'lifecycle', parts)
  const { clock, database, ids, log, publisher, system, tenants } = platform
  const cluster = kubernetesCluster(
    kubernetesTransport({
      url: required('KUBERNETES_API_URL', config.KUBERNETES_API_URL),
      caFile: config.KUBERNETES_CA_FILE,
    }),
    metadataTokens(config.GCE_METADATA_HOST, clock),
  )
  const deps: LifecycleDeps = {
    store: firestoreLifecycleStore(tenants, system),
    directory: firestoreTenantDirectory(tenantIndex(database, 'lifecycle'), log),
    queue: pubsubWorkQueue(publisher),
    timers: firestoreTimerBook(system),
    world: notWired(),
    clusterNamed: (name) => (name === config.DEFAULT_CLUSTER ? cluster : undefined),
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
      pubsub: publishCheck(publisher, 'tenant-work'),
    },
  }
}

/** Until the adapters of the cloud are there: a step that reaches for one fails, and says for which. */
function notWired(): World {
  return new Proxy({} as World, {
    get: (_world, port) => {
      throw new Error(`${String(port)} is not wired`)
    },
  })
}
