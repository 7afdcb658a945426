import { ROUTES } from '../catalogue/routes.ts'
import { ok, type Result, refuse } from '../result.ts'
import type { VerifiedToken } from '../tenancy/proofs.ts'
import { checkDpopProof } from '../tokens/dpop-proof.ts'
import type { Platform } from '../wiring.ts'
import type { ApiRequest } from './types.ts'

export type SentToken = { readonly scheme: 'Bearer' | 'DPoP'; readonly token: string }

/** An access token as it was sent, or undefined for other credentials and none (RFC 6750 §2.1, RFC 9449 §7.1). */
export function sentToken(authorization: string | undefined): SentToken | undefined {
  const [, scheme = '', token = ''] = /^(Bearer|DPoP) ([^\s]+)$/i.exec(authorization ?? '') ?? []
  if (token === '') return undefined
  return { scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer', token }
}

/** Whoever sent a token that is good, and where it is bound to a key, has proven to hold the key. */
export type Holder = {
  readonly token: VerifiedToken
  /**
   * Takes the proof as used, or refuses it as used before. For when the holder's share of requests has been
   * counted: nobody fills the memory of proofs faster than that.
   */
  useProof(): Result<void>
}

/**
 * Verifies the access token of a request, and where it is bound to a key, the proof that came with it:
 * of that key, for this method, URL and token, made just now.
 *
 * `userInfo` is the gateway's copy of the payload, on routes where the gateway has verified the token.
 * Throws when the state of the tenant cannot be read.
 */
export async function verifyHolder(
  platform: Pick<Platform, 'config' | 'proofs' | 'verifyToken'>,
  request: Pick<ApiRequest, 'authorization' | 'header' | 'nowMs' | 'operationId' | 'path'>,
  userInfo: string | undefined,
): Promise<Result<Holder>> {
  const sent = sentToken(request.authorization)
  if (sent === undefined) {
    return refuse('token.invalid', 'no access token', 'Send Authorization: Bearer <token>.')
  }
  if (sent.scheme === 'Bearer') {
    const bearer = await platform.verifyToken(sent.token, userInfo)
    return bearer.ok ? ok({ token: bearer.value, useProof: () => ok(undefined) }) : bearer
  }
  const text = request.header('dpop')
  if (text === undefined) return refuse('token.proof_invalid', 'no proof', 'Send a DPoP proof.')
  const proof = await checkDpopProof(text, {
    method: ROUTES[request.operationId].method,
    url: `${platform.config.PUBLIC_BASE_URL}${request.path}`,
    nowMs: request.nowMs,
    accessToken: sent.token,
  })
  if (!proof.ok) return { ...proof, code: 'token.proof_invalid' }
  const verified = await platform.verifyToken(sent.token, userInfo, { jkt: proof.value.jkt })
  if (!verified.ok) return verified
  const { id } = proof.value
  return ok({
    token: verified.value,
    useProof: () =>
      platform.proofs.isFirstUse(id, request.nowMs)
        ? ok(undefined)
        : refuse('token.proof_invalid', 'proof used before', 'Make a new DPoP proof for each request.'),
  })
}
