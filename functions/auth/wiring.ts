import { type Config, isDemoProject } from '#shared/config.ts'
import { tokenBuckets } from '#shared/http/token-bucket.ts'
import { type PlatformParts, wirePlatform } from '#shared/wiring.ts'
import { accessKeyring } from './adapters/access-keyring.ts'
import { clientAssertions } from './adapters/client-assertions.ts'
import { firestoreClientStore, firestoreCredentials } from './adapters/client-store.ts'
import { pepperStore } from './adapters/pepper-store.ts'
import { firestoreReplayStore } from './adapters/replay-store.ts'
import { firestoreTenantStates } from './adapters/tenant-state-store.ts'
import type { AuthDeps } from './deps.ts'

/** Builds the group's parts from the configuration; nothing connects before it is first used. */
export function wireAuth(config: Config, parts: PlatformParts = {}): AuthDeps {
  const platform = wirePlatform(config, 'auth', {
    // Auth verifies with its own ring: asking our own JWKS would be a call to ourselves.
    keys:
      ({ clock }) =>
      (kid) =>
        keyring.keySource(kid, clock.now()),
    ...parts,
  })
  const keyring = accessKeyring(platform)
  return {
    platform,
    issuer: config.PUBLIC_BASE_URL,
    ids: platform.ids,
    credentials: firestoreCredentials(platform.database),
    keyring,
    peppers: pepperStore(platform),
    tokenRate: tokenBuckets(),
    replay: firestoreReplayStore(platform.tenants),
    assertions: clientAssertions(config.PUBLIC_BASE_URL),
    clients: firestoreClientStore(platform.tenants),
    presetsAllowed: isDemoProject(config.GOOGLE_CLOUD_PROJECT),
    tenantStates: firestoreTenantStates(platform.tenants),
  }
}
