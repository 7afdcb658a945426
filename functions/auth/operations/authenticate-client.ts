import { ok, type Result, refuse } from '#shared/result.ts'
import { openByCredential } from '#shared/tenancy/credential.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import type { Client } from '../domain/client.ts'
import { matchesSecret } from '../domain/client-secret.ts'
import type { PresentedClient } from '../domain/presented-client.ts'
import type { ClientAssertions, Credentials, PepperStore, ReplayStore } from '../ports.ts'
import type { ProvenClient } from './grant-request.ts'

export type AuthenticateClientDeps = {
  readonly issuer: string
  readonly credentials: Credentials
  readonly peppers: PepperStore
  readonly assertions: ClientAssertions
  readonly replay: ReplayStore
}

/**
 * Proves who a client is, for every endpoint where clients authenticate.
 *
 * One refusal for an unknown client, a wrong proof, another way than the registered one, a disabled
 * client and a tenant without access; and the same work is done for a client that is not there. Reads
 * once; only an assertion is written down, so that it counts once. Throws when the store is down.
 */
export async function authenticateClient(
  deps: AuthenticateClientDeps,
  presented: PresentedClient,
  nowMs: number,
): Promise<Result<ProvenClient>> {
  const [found] = await Promise.all([
    deps.credentials.find(presented.tenantId, presented.clientId),
    deps.peppers.all([]),
  ])
  const { client, state } = found
  const proof = await checkProof(deps, presented, client, nowMs)
  if (client === undefined) return refuse('client.invalid', 'unknown client')
  if (!proof.ok) return proof
  if (client.status !== 'active') return refuse('client.invalid', 'disabled client')
  if (state === undefined) return refuse('client.invalid', 'unknown tenant')
  if (ACCESS_BY_STATE[state.status].kind === 'none') {
    return refuse('client.invalid', `tenant is ${state.status}`)
  }
  const ctx = openByCredential(client.tenantId, 'client', client.clientId)
  const { once } = proof.value
  // Last, so that nobody but the client can fill the store with assertions.
  if (once !== undefined && !(await deps.replay.claimOnce(ctx, { kind: 'assertion', ...once }))) {
    return refuse('client.invalid', 'assertion used before')
  }
  return ok({ client, state, ctx, method: presented.method })
}

/** What of a proof must never count again. */
type Proof = {
  readonly once?: { readonly issuer: string; readonly jti: string; readonly expSeconds: number }
}

async function checkProof(
  deps: AuthenticateClientDeps,
  presented: PresentedClient,
  client: Client | undefined,
  nowMs: number,
): Promise<Result<Proof>> {
  const registered = client?.authMethod
  switch (presented.method) {
    case 'none':
      return registered === 'none' ? ok({}) : refuse('client.invalid', 'not a public client')
    case 'private_key_jwt': {
      const checked = await deps.assertions.check(
        presented.assertion,
        presented.clientId,
        registered === 'private_key_jwt' ? client : undefined,
        nowMs,
      )
      return checked.ok ? ok({ once: { issuer: presented.clientId, ...checked.value } }) : checked
    }
    default: {
      const secrets = registered?.startsWith('client_secret_') === true ? (client?.secrets ?? []) : []
      const peppers = await deps.peppers.all(secrets.map((secret) => secret.pepperVersion))
      return matchesSecret(presented.secret, secrets, peppers, nowMs)
        ? ok({})
        : refuse('client.invalid', 'wrong or expired secret')
    }
  }
}
