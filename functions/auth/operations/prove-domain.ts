import type { Ids } from '#shared/ids.ts'
import { type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { challengeOf, isProven, parseDomainName } from '../domain/email-domain.ts'
import { checkRoomForConnection } from '../domain/new-connection.ts'
import { domainIdOf, type ProvenDomain } from '../domain/proven-domain.ts'
import type { DomainStore, TxtResolver } from '../ports/sign-on.ts'

export type ProveDomainDeps = {
  readonly ids: Ids
  readonly domains: DomainStore
  readonly txt: TxtResolver
}

/**
 * The tenant's claim on a domain, with the record that proves it. Asked again it answers the same.
 *
 * Nothing is said of whether another tenant has it: whoever cannot set a record there learns nothing.
 */
export async function claimDomain(
  deps: ProveDomainDeps,
  ctx: TenantContext,
  text: string,
  nowMs: number,
): Promise<Result<ProvenDomain>> {
  const domain = parseDomainName(text)
  if (!domain.ok) return domain
  const domainId = domainIdOf(domain.value)
  const wanted: ProvenDomain = {
    domainId,
    domain: domain.value,
    token: deps.ids.bytes(20).toString('base64url'),
    status: 'pending',
    createdAt: nowMs,
    provenAt: null,
  }
  return deps.domains.findOrCreate(ctx, wanted, (state) => {
    if (state === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
    return checkRoomForConnection(state.tier, 0)
  })
}

/** Looks for the record, and makes the domain the tenant's when it is there. Throws when DNS does not answer. */
export async function verifyDomain(
  deps: ProveDomainDeps,
  ctx: TenantContext,
  domainId: string,
  nowMs: number,
): Promise<Result<ProvenDomain>> {
  const claimed = await deps.domains.find(ctx, domainId)
  if (claimed === undefined) return refuse('resource.not_found', 'no such domain')
  if (claimed.status === 'pending') {
    const { name, value } = challengeOf(claimed.domain, claimed.token)
    if (!isProven(await deps.txt.txt(name), value)) {
      return refuse('domain.unproven', 'no record', `The TXT record at ${name} is not there yet.`)
    }
  }
  return deps.domains.prove(ctx, domainId, nowMs)
}
