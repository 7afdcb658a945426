import { PLATFORM_TENANT } from '#shared/ids.ts'
import { ok, type Result } from '#shared/result.ts'
import { narrowScopes } from '../../domain/scope.ts'
import type { GrantRequest, TokenAnswer } from '../grant-request.ts'
import { type MintDeps, mintAccessToken, scopesInState } from '../mint-access-token.ts'

/** A token for the client itself (RFC 6749 §4.4). No read, no write: the client was read to prove it. */
export async function clientCredentialsGrant(
  deps: MintDeps,
  request: GrantRequest,
): Promise<Result<TokenAnswer>> {
  const { client, state } = request.client
  const asked = narrowScopes(client.scopes, request.scopes)
  if (!asked.ok) return asked
  const scopes = scopesInState(state, client.roles, asked.value)
  if (!scopes.ok) return scopes
  // Only among operators does it matter whose machine it is.
  const owner = client.tenantId === PLATFORM_TENANT ? client.ownerUserId : null
  const { claims: _claims, ...minted } = await mintAccessToken(
    deps,
    {
      client: request.client,
      subject: client.clientId,
      scopes: scopes.value,
      roles: client.roles,
      jkt: request.jkt,
      ...(owner === null ? {} : { claims: { own: owner } }),
    },
    request.nowMs,
  )
  return ok(minted)
}
