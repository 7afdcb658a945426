import { ok, type Result, refuse } from '#shared/result.ts'
import { WORKLOAD_TOKEN_LIFE_SECONDS } from '../../domain/access-token.ts'
import { isFor, readWorkload, type WorkloadIdentity } from '../../domain/foreign-claims.ts'
import type { ExchangeParty } from '../../domain/token-exchange.ts'
import { bindingIdOf, subjectOfBinding, type WorkloadBinding } from '../../domain/workload-binding.ts'
import type { FindBinding, TrustedIssuers } from '../../ports/exchange.ts'
import type { KnownState } from '../../ports.ts'
import { type ForeignTokenDeps, readForeignToken, verifyForeignToken } from './foreign-token.ts'

export type WorkloadDeps = ForeignTokenDeps & {
  readonly issuer: string
  readonly trusted: TrustedIssuers
  readonly findBinding: FindBinding
}

export type ProvenWorkload = {
  readonly identity: WorkloadIdentity
  readonly binding: WorkloadBinding
  readonly state: KnownState
  readonly party: ExchangeParty
}

/** What kubelet asks for at most; it replaces a token long before. */
const LONGEST_LIFE_SECONDS = 3_600

/**
 * Proves a workload by the token that its cluster projected into the pod.
 *
 * The cluster must be one we know, the token for us alone, the namespace a tenant's, and the account
 * bound by that tenant. The same token counts as often as it is presented until it expires: a pod has
 * one at a time.
 */
export async function proveWorkload(
  deps: WorkloadDeps,
  token: string,
  nowMs: number,
): Promise<Result<ProvenWorkload>> {
  const parts = readForeignToken(token)
  if (!parts.ok) return parts
  const cluster = clusterOfIssuer(deps.trusted, parts.value.issuer)
  if (cluster === undefined) return refuse('token.invalid', 'not a cluster of ours')
  if (!isFor(parts.value.payload, deps.issuer)) return refuse('token.invalid', 'aud')
  const identity = readWorkload(parts.value.payload)
  if (!identity.ok) return identity
  const { tenantId, ns, sa, pod } = identity.value
  const bound = { cluster: cluster.cluster, ns, sa }
  const find = () => deps.findBinding(tenantId, bindingIdOf(bound))
  // Names can be made up in any number: keys are fetched only from a cluster that somebody is bound in.
  if (cluster.dedicated && (await find()).binding === undefined) {
    return refuse('token.invalid', 'account is not bound')
  }
  const rules = {
    keys: { jwksUri: cluster.jwksUri, scope: 'platform' },
    algs: ['RS256'] as const,
    longestLifeSeconds: LONGEST_LIFE_SECONDS,
  }
  const verified = await verifyForeignToken(deps, token, parts.value, rules, nowMs)
  if (!verified.ok) return verified
  const { binding, state } = await find()
  if (binding === undefined || 'email' in binding) return refuse('token.invalid', 'account is not bound')
  if (state === undefined) return refuse('token.invalid', 'unknown tenant')
  const party: ExchangeParty = {
    subject: subjectOfBinding(tenantId, binding),
    scopes: binding.scopes,
    roles: [],
    expiresAt: verified.value.expiresAt,
    lifeSeconds: WORKLOAD_TOKEN_LIFE_SECONDS,
    watermarks: [],
    claims: { wl: { ...bound, ...(pod === undefined ? {} : { pod }) } },
    act: undefined,
    clientId: undefined,
    jkt: undefined,
  }
  return ok({ identity: identity.value, binding, state, party })
}

/** How dedicated clusters are named, after `/LOCATION/clusters/`. */
const DEDICATED = /^\/[a-z0-9-]{1,40}\/clusters\/(t-[a-z0-9-]{1,38})$/

/** The cluster whose issuer it is: one of the list, or one that was made for a tenant in our own project. */
function clusterOfIssuer({ clusters, dedicated }: TrustedIssuers, issuer: string) {
  const listed = clusters.find((one) => one.issuer === issuer)
  if (listed !== undefined) return { ...listed, dedicated: false }
  if (dedicated === undefined || !issuer.startsWith(dedicated)) return undefined
  const cluster = DEDICATED.exec(issuer.slice(dedicated.length))?.[1]
  return cluster === undefined ? undefined : { cluster, issuer, jwksUri: `${issuer}/jwks`, dedicated: true }
}
