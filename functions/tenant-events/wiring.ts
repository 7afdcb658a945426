import { FUNCTIONS } from '#shared/catalogue/functions.ts'
import { type Config, required } from '#shared/config.ts'
import { signalAfter } from '#shared/deadline.ts'
import { auditChainStore } from '#shared/firestore/audit-chain.ts'
import { tenantIndex } from '#shared/firestore/tenant-index.ts'
import type { HealthCheck } from '#shared/health.ts'
import type { TenantId } from '#shared/ids.ts'
import { type AccessTokenSource, metadataTokens } from '#shared/metadata-token.ts'
import { cloudObjectStore } from '#shared/object-store.ts'
import { publishCheck } from '#shared/observability/dependency-checks.ts'
import { deadLetterDesk } from '#shared/pubsub/dead-letter-desk.ts'
import { openDeadLetters } from '#shared/pubsub/dead-letters.ts'
import { type Platform, type PlatformParts, wirePlatform } from '#shared/wiring.ts'
import { firestoreCertificates } from './adapters/certificates.ts'
import { cloudPorts } from './adapters/cloud.ts'
import { clusterRoutes } from './adapters/cluster-routes.ts'
import { evidenceSigner } from './adapters/evidence-signer.ts'
import { kubernetesCluster } from './adapters/kubernetes.ts'
import { kubernetesTransport } from './adapters/kubernetes-transport.ts'
import { firestoreLifecycleStore } from './adapters/lifecycle-store.ts'
import { firestoreOwnDocuments } from './adapters/own-documents.ts'
import { firestoreTenantDirectory } from './adapters/tenant-directory.ts'
import { firestoreTenantHistory } from './adapters/tenant-history.ts'
import { firestoreTimerBook } from './adapters/timer-book.ts'
import { pubsubWorkQueue } from './adapters/work-queue.ts'
import type { ApiDeps } from './deps.ts'
import type { CloudPorts } from './ports/cloud.ts'
import type { PurgePorts, Signer } from './ports/purge.ts'

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
    world: {
      ...cloud,
      ...leavingPorts(platform, tokens),
      certificates: firestoreCertificates(system),
    },
    history: firestoreTenantHistory(tenants),
    auditChain: auditChainStore(database, 'lifecycle'),
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

/** What leaving needs: the bucket, where there is one, lifecycle's own documents, and the evidence key. */
function leavingPorts(
  { clock, config, database, ids, system, tenants }: Platform,
  tokens: AccessTokenSource,
): Omit<PurgePorts, 'certificates'> {
  const { KMS_API_URL, KMS_KEY_RING, STORAGE_API_URL, STORAGE_BUCKET: bucket } = config
  return {
    documents: firestoreOwnDocuments({ database, tenants, system, ids, clock }),
    objects: bucket === undefined ? undefined : cloudObjectStore({ apiUrl: STORAGE_API_URL, bucket, tokens }),
    signer:
      KMS_KEY_RING === undefined
        ? noSigner
        : evidenceSigner({ apiUrl: KMS_API_URL, keyRing: KMS_KEY_RING, tokens }),
  }
}

/** Without a key ring nothing is signed, and so nobody is purged. */
const noSigner: Signer = {
  sign: () => Promise.reject(new Error('KMS_KEY_RING is missing')),
  key: () => Promise.reject(new Error('KMS_KEY_RING is missing')),
  keys: () => Promise.resolve([]),
}

/** No tenant has an id with a capital letter: that there is no such key is the answer hoped for. */
function keysAnswer(cloud: CloudPorts): HealthCheck {
  return async () => {
    const found = await cloud.kms.find('Health' as TenantId, signalAfter(2_000))
    if (!found.ok) throw new Error(found.failure.code)
  }
}
