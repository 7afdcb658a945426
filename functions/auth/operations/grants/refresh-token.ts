import { type Result, refuse } from '#shared/result.ts'
import type { GrantRequest, TokenAnswer } from '../grant-request.ts'
import type { MintDeps } from '../mint-access-token.ts'

export type RefreshTokenDeps = MintDeps

export async function refreshTokenGrant(
  _deps: RefreshTokenDeps,
  _request: GrantRequest,
): Promise<Result<TokenAnswer>> {
  return refuse('grant.unsupported', 'not there yet', 'This grant_type is not supported.')
}
