import type { AuthorizationRequest } from './authorization-request.ts'
import type { Connection } from './connection.ts'
import { challengeOfVerifier } from './sign-in-flow.ts'

/** No sign-in rests on a session at the provider that is older. */
const OLDEST_SIGN_IN_SECONDS = 30 * 24 * 3_600

/**
 * Where the browser goes to sign in. Our own nonce and PKCE go with it, whatever the client sent: its
 * are between it and us.
 */
export function signInUrl(
  connection: Connection,
  request: Pick<AuthorizationRequest, 'loginHint' | 'prompt' | 'maxAge' | 'acrValues'>,
  ours: {
    readonly callbackUri: string
    readonly state: string
    readonly nonce: string
    readonly verifier: string
  },
): string {
  const url = new URL(connection.metadata.authorizationEndpoint)
  const parameters: Readonly<Record<string, string | undefined>> = {
    response_type: 'code',
    client_id: connection.clientId,
    redirect_uri: ours.callbackUri,
    scope: connection.scopes.join(' '),
    state: ours.state,
    nonce: ours.nonce,
    code_challenge: challengeOfVerifier(ours.verifier),
    code_challenge_method: 'S256',
    login_hint: request.loginHint,
    prompt: request.prompt,
    // With an age of any length, a provider says when the person signed in (OpenID Connect Core §2).
    max_age: String(request.maxAge ?? OLDEST_SIGN_IN_SECONDS),
    acr_values: request.acrValues.length === 0 ? undefined : request.acrValues.join(' '),
    // Google shows only accounts of the organisation then; it is checked in the ID token all the same.
    hd: connection.hd ?? undefined,
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  return url.href
}
