import type { Clock } from '#shared/clock.ts'
import { type Config, isDemoProject, required } from '#shared/config.ts'
import { auditChainStore } from '#shared/firestore/audit-chain.ts'
import { tokenBuckets } from '#shared/http/token-bucket.ts'
import { metadataTokens } from '#shared/metadata-token.ts'
import { cloudObjectStore } from '#shared/object-store.ts'
import { type Platform, type PlatformParts, wirePlatform } from '#shared/wiring.ts'
import { accessKeyring, EVENTS } from './adapters/access-keyring.ts'
import { announceRevocations } from './adapters/announce-revocations.ts'
import { firestoreApiKeys } from './adapters/api-key-store.ts'
import { firestoreAuditTenants, ringHeadSigner, ringPublicKeys } from './adapters/audit-trail.ts'
import { firestoreAuthPolicies } from './adapters/auth-policy-store.ts'
import { firestoreBindingStore, firestoreFindBinding } from './adapters/binding-store.ts'
import { clientAssertions } from './adapters/client-assertions.ts'
import { firestoreClientRegister } from './adapters/client-register.ts'
import { firestoreClientStore, firestoreCredentials } from './adapters/client-store.ts'
import { cloudKms } from './adapters/cloud-kms.ts'
import { firestoreErasure } from './adapters/erasure-store.ts'
import { failedLoginCount } from './adapters/failed-login-count.ts'
import { failureWatch } from './adapters/failure-watch.ts'
import { foreignKeys } from './adapters/foreign-keys.ts'
import { firestoreGroupStore } from './adapters/group-store.ts'
import { guardedFetch } from './adapters/guarded-fetch.ts'
import { identityProviders } from './adapters/identity-providers.ts'
import { firestoreInvitationStore } from './adapters/invitation-store.ts'
import { keptCredentials } from './adapters/kept-credentials.ts'
import { firestoreKeyLedger } from './adapters/key-ledger.ts'
import { kmsCheck } from './adapters/kms-check.ts'
import { logoutTokens } from './adapters/logout-tokens.ts'
import { pepperStore } from './adapters/pepper-store.ts'
import { personalData } from './adapters/personal-data.ts'
import { firestoreReplayStore } from './adapters/replay-store.ts'
import { firestoreRevocationLedger } from './adapters/revocation-ledger.ts'
import { firestoreRoleStore } from './adapters/role-store.ts'
import { firestoreSessionStore } from './adapters/session-store.ts'
import {
  firestoreConnectionStore,
  firestoreDomainStore,
  firestoreFlowStore,
  firestoreSignOnReader,
} from './adapters/sign-on-store.ts'
import { firestoreTenantStates } from './adapters/tenant-state-store.ts'
import { firestoreTokenRevocations } from './adapters/token-revocations.ts'
import { dnsTxtResolver, fileTxtResolver } from './adapters/txt-resolver.ts'
import { firestoreUserStore } from './adapters/user-store.ts'
import { waitingRoom } from './adapters/waiting-room.ts'
import type { AuthDeps } from './deps.ts'
import type { Kms } from './ports/kms.ts'
import type { GuardedFetch } from './ports/outbound.ts'
import type { TxtResolver } from './ports/sign-on.ts'

/** What a test puts in place of the usual parts. */
export type AuthParts = PlatformParts & {
  readonly kms?: Kms
  readonly outbound?: GuardedFetch
  readonly txt?: TxtResolver
}

/** Builds the group's parts from the configuration; nothing connects before it is first used. */
export function wireAuth(config: Config, parts: AuthParts = {}): AuthDeps {
  const platform = wirePlatform(config, 'auth', {
    // Auth verifies with its own ring: asking our own JWKS would be a call to ourselves.
    keys:
      ({ clock }) =>
      (kid) =>
        keyring.keySource(kid, clock.now()),
    announce: (tenantId, revocations, commit) => announce(tenantId, revocations, commit),
    ...parts,
  })
  const keyring = accessKeyring(platform)
  const eventKeyring = accessKeyring(platform, EVENTS)
  const announce = announceRevocations({
    issuer: config.PUBLIC_BASE_URL,
    signer: eventKeyring.signer,
    log: platform.log,
  })
  const peppers = pepperStore(platform)
  const outbound = parts.outbound ?? guardedFetch(config)
  const kms = parts.kms ?? kmsOf(config, platform.clock)
  const exchange = exchangeParts(config, platform, outbound)
  return {
    platform,
    ...exchange,
    issuer: config.PUBLIC_BASE_URL,
    ids: platform.ids,
    credentials: keptCredentials(firestoreCredentials(platform.database)),
    keyring,
    eventKeyring,
    revocations: platform.revocations,
    waitingRoom: waitingRoom(platform.revocations),
    auditChain: auditChainStore(platform.database, 'auth'),
    auditTenants: firestoreAuditTenants(platform.tenants),
    headSigner: ringHeadSigner(eventKeyring),
    headKeys: ringPublicKeys(platform.system),
    revocationLedger: firestoreRevocationLedger(platform),
    keyRings: { access: keyring, events: eventKeyring },
    keyLedger: firestoreKeyLedger(platform.tenants),
    peppers,
    failures: failureWatch(),
    tenants: platform.tenants,
    log: platform.log,
    failedLogins: failedLoginCount(platform),
    tokenRate: tokenBuckets(),
    replay: firestoreReplayStore(platform.tenants),
    assertions: clientAssertions(config.PUBLIC_BASE_URL, exchange.foreignKeys),
    clients: firestoreClientStore(platform.tenants),
    clientRegister: firestoreClientRegister(platform.tenants),
    apiKeys: firestoreApiKeys(platform.tenants, platform.database),
    apiKeyRate: tokenBuckets(),
    introspectRate: tokenBuckets(),
    verifyToken: platform.verifyToken,
    proofs: platform.proofs,
    tokenRevocations: firestoreTokenRevocations(platform.tenants),
    presetsAllowed: isDemoProject(config.GOOGLE_CLOUD_PROJECT),
    authPolicies: firestoreAuthPolicies(platform.tenants),
    tenantStates: firestoreTenantStates(platform.tenants),
    sessions: firestoreSessionStore(platform.tenants),
    users: firestoreUserStore(platform.tenants),
    roles: firestoreRoleStore(platform.tenants),
    invitations: firestoreInvitationStore(platform.tenants),
    groups: firestoreGroupStore(platform.tenants),
    erasure: firestoreErasure(platform),
    objects: objectsOf(config, platform.clock),
    ...signOnParts(config, platform, exchange, parts.txt),
    checkKms: parts.kms === undefined && config.KMS_KEY_RING === undefined ? undefined : kmsCheck(kms),
    personalData: personalData({ ...platform, kms }),
  }
}

/** What a token exchange rests on: whom we trust, and what the tenants have bound and connected. */
function exchangeParts(config: Config, platform: Platform, outbound: GuardedFetch) {
  const clusters = config.CLUSTER_ISSUERS ?? []
  return {
    outbound,
    foreignKeys: foreignKeys({ fetch: outbound, log: platform.log }),
    trusted: {
      clusters: clusters.map((one) => ({ ...one, jwksUri: `${one.issuer}/jwks` })),
      dedicated: config.DEDICATED_CLUSTER_ISSUERS,
      google: { issuer: config.CALLER_ISSUER, jwksUri: config.CALLER_JWKS_URI },
    },
    findBinding: firestoreFindBinding(platform.database),
    bindings: firestoreBindingStore(platform.tenants),
    connections: firestoreConnectionStore(platform.tenants),
    verifyToken: platform.verifyToken,
    revocations: platform.revocations,
  }
}

/** What single sign-on rests on besides the connections; keys of others are kept once for both. */
function signOnParts(
  config: Config,
  platform: Platform,
  { outbound, foreignKeys: keys }: Pick<AuthDeps, 'foreignKeys'> & { readonly outbound: GuardedFetch },
  txt?: TxtResolver,
) {
  return {
    signOn: firestoreSignOnReader(platform.database),
    flows: firestoreFlowStore(platform.tenants),
    domains: firestoreDomainStore(platform.tenants, platform.system),
    providers: identityProviders({ fetch: outbound }),
    logoutTokens: logoutTokens({ foreignKeys: keys }),
    txt: txt ?? (config.DNS_FILE === undefined ? dnsTxtResolver() : fileTxtResolver(config.DNS_FILE)),
    signInRate: tokenBuckets(),
  }
}

/** Where a tenant's export is written to; without a bucket there is none. */
function objectsOf(config: Config, clock: Clock): AuthDeps['objects'] {
  const { STORAGE_BUCKET: bucket, STORAGE_API_URL: apiUrl, GCE_METADATA_HOST: host } = config
  if (bucket === undefined) return undefined
  return cloudObjectStore({ apiUrl, bucket, tokens: metadataTokens(host, clock) })
}

/** A demo project may do without, until somebody has personal data there. */
function kmsOf(config: Config, clock: Clock): Kms {
  const { GOOGLE_CLOUD_PROJECT: project, KMS_API_URL: apiUrl, KMS_KEY_RING: configured } = config
  const unset = `projects/${project}/locations/global/keyRings/none`
  const keyRing =
    configured === undefined && isDemoProject(project) ? unset : required<string>('KMS_KEY_RING', configured)
  return cloudKms({ apiUrl, keyRing, tokens: metadataTokens(config.GCE_METADATA_HOST, clock) })
}
