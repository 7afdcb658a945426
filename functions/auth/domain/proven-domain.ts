import { z } from 'zod'
import { hashedId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { challengeOf, type DomainName } from './email-domain.ts'

/** A domain that a tenant wants to prove, or has, as stored in `auth_domains/{domainId}`. */
export type ProvenDomain = {
  readonly domainId: string
  readonly domain: DomainName
  /** Says in DNS that the domain is this tenant's: random, and of no use to anybody else. */
  readonly token: string
  readonly status: 'pending' | 'proven'
  readonly createdAt: number
  readonly provenAt: number | null
}

/** Domains of one tenant, proven or not. */
export const MOST_DOMAINS = 100

export function domainIdOf(domain: DomainName): string {
  return hashedId('domain', domain)
}

export const parseProvenDomain = parser<ProvenDomain>(
  z.object({
    domainId: z.string(),
    domain: z.string().transform((value) => value as DomainName),
    token: z.string(),
    status: z.enum(['pending', 'proven']),
    createdAt: z.number().int(),
    provenAt: z.number().int().nullable(),
  }),
)

/** A domain as it is shown: with the record to set for as long as it is not proven. */
export function viewOfDomain(domain: ProvenDomain) {
  const { domainId, status, token } = domain
  return {
    domainId,
    domain: domain.domain,
    status,
    txtRecord: status === 'pending' ? challengeOf(domain.domain, token) : null,
    createdAt: new Date(domain.createdAt).toISOString(),
    provenAt: domain.provenAt === null ? null : new Date(domain.provenAt).toISOString(),
  }
}
