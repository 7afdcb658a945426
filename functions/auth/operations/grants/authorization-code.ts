import { type Result, refuse } from '#shared/result.ts'
import type { GrantRequest, TokenAnswer } from '../grant-request.ts'
import type { MintDeps } from '../mint-access-token.ts'

export type AuthorizationCodeDeps = MintDeps

export async function authorizationCodeGrant(
  _deps: AuthorizationCodeDeps,
  _request: GrantRequest,
): Promise<Result<TokenAnswer>> {
  return refuse('grant.unsupported', 'not there yet', 'This grant_type is not supported.')
}
