import { z } from 'zod'
import type { TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { Revocations } from '#shared/tokens/revocations.ts'
import { splitOwnJwt } from '#shared/tokens/strict-jwt.ts'
import type { TokenVerifier } from '#shared/tokens/verify-access-token.ts'
import { ACCESS_TOKEN_LIFE_SECONDS, type ActorClaim, type OptionalClaims } from '../../domain/access-token.ts'
import { isScope } from '../../domain/scope.ts'
import type { ExchangeParty } from '../../domain/token-exchange.ts'

export type OwnTokenDeps = {
  readonly verifyToken: TokenVerifier
  readonly revocations: Pick<Revocations, 'refresh'>
}

const actor: z.ZodType<ActorClaim> = z.lazy(() =>
  z.object({ sub: z.string(), client_id: z.string().optional(), act: actor.optional() }).transform(defined),
)

/** What the verifier does not hand on. The token is ours and verified, so this only gives it types. */
const parseCarried = parser(
  z.object({
    exp: z.number().int(),
    oexp: z.number().int().optional(),
    sid: z.string().optional(),
    auth_time: z.number().int().optional(),
    acr: z.string().optional(),
    amr: z.array(z.string()).optional(),
    wl: z
      .object({ cluster: z.string(), ns: z.string(), sa: z.string(), pod: z.string().optional() })
      .transform(defined)
      .optional(),
    act: actor.optional(),
    cnf: z.object({ jkt: z.string() }).optional(),
  }),
  'token.invalid',
)

/**
 * Proves an access token of ours, which must be of the client's own tenant.
 *
 * The feed of revocations is read first, not merely known to be two seconds old: the new token is
 * issued now, so a watermark set a moment ago would no longer reach it.
 */
export async function proveOwnToken(
  deps: OwnTokenDeps,
  tenantId: TenantId,
  token: string,
): Promise<Result<ExchangeParty>> {
  const parts = splitOwnJwt(token)
  if (!parts.ok) return parts
  await deps.revocations.refresh()
  // Whether its key is at hand is compared with the proof of this request, which binds the new one too.
  const verified = await deps.verifyToken(token, undefined, 'told-about')
  if (!verified.ok) return verified
  const { claims } = verified.value
  if (claims.tenant !== tenantId) return refuse('token.invalid', 'a token of another tenant')
  const carried = parseCarried(parts.value.payload)
  if (!carried.ok) return carried
  const { act, cnf, exp, oexp, ...rest } = carried.value
  return ok({
    subject: claims.subject,
    scopes: [...claims.scopes].filter(isScope),
    roles: claims.roles,
    expiresAt: Math.min(exp, oexp ?? exp),
    lifeSeconds: ACCESS_TOKEN_LIFE_SECONDS,
    watermarks: [],
    claims: defined(rest) as Omit<OptionalClaims, 'cnf' | 'act' | 'oexp'>,
    act,
    clientId: claims.clientId,
    jkt: cnf?.jkt,
  })
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> }

function defined<T extends object>(members: T): Defined<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Defined<T>
}
