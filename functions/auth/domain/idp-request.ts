import type { AuthorizationRequest } from './authorization-request.ts'
import type { Connection } from './connection.ts'
import { challengeOfVerifier } from './sign-in-flow.ts'

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
    max_age: request.maxAge === null ? undefined : String(request.maxAge),
    acr_values: request.acrValues.length === 0 ? undefined : request.acrValues.join(' '),
    // Google shows only accounts of the organisation then; it is checked in the ID token all the same.
    hd: connection.hd ?? undefined,
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  return url.href
}
