import { z } from 'zod'
import { type Branded, hashedId, type Ids, parseTenantId, type TenantId, ulid } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { checksumOf, withoutChecksum } from './checksum.ts'
import type { Sealed } from './personal-data.ts'
import type { UserId } from './user.ts'

/** `din_{tenantId}_` + 43 base64url characters (256 bits) + checksum: handed out once, stored as a hash. */
export type InvitationToken = Branded<'InvitationToken'>

/** An offer to a person, by their address, to have a role; stored in `auth_invitations/{invitationId}`. */
export type Invitation = {
  readonly invitationId: string
  readonly tenantId: TenantId
  readonly emailSealed: Sealed
  readonly emailHash: string
  readonly role: string
  readonly tokenHash: string
  readonly status: 'pending' | 'accepted' | 'withdrawn'
  readonly acceptedBy: UserId | null
  readonly createdAt: number
  readonly expiresAt: number
}

export const INVITATION_LIFE_MS = 7 * 24 * 3_600_000
/** Pending ones of one tenant: nobody writes to the whole world in a tenant's name. */
export const MOST_PENDING_INVITATIONS = 500

const TOKEN = /^din_([a-z][a-z0-9-]{1,38}[a-z0-9])_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/
const INVITATION_ID = /^inv_[0-9A-HJKMNP-TV-Z]{26}$/
const TOKEN_BYTES = 32

export function newInvitationId(ids: Ids, nowMs: number): string {
  return `inv_${ulid(ids, nowMs)}`
}

export function isInvitationId(value: unknown): value is string {
  return typeof value === 'string' && INVITATION_ID.test(value)
}

export function newInvitationToken(ids: Ids, tenantId: TenantId): InvitationToken {
  const body = `din_${tenantId}_${ids.bytes(TOKEN_BYTES).toString('base64url')}`
  return `${body}${checksumOf(body)}` as InvitationToken
}

/** The tenant of a token, or undefined for what cannot be one; nothing is read for that. */
export function readInvitationToken(
  value: unknown,
): { readonly tenantId: TenantId; readonly tokenHash: string } | undefined {
  const match = typeof value === 'string' ? TOKEN.exec(value) : null
  const tenantId = parseTenantId(match?.[1])
  if (match === null || !tenantId.ok || withoutChecksum(match[0]) === undefined) return undefined
  return { tenantId: tenantId.value, tokenHash: hashInvitationToken(match[0] as InvitationToken) }
}

/** What is stored of a token. It has 256 bits of chance: nobody finds it by trying, so it needs no pepper. */
export function hashInvitationToken(token: InvitationToken): string {
  return hashedId('invitation', token)
}

export function isOpen(invitation: Invitation, nowMs: number): boolean {
  return invitation.status === 'pending' && invitation.expiresAt > nowMs
}

export const parseInvitation = parser<Invitation>(
  z.object({
    invitationId: z.string(),
    tenantId: z.string().transform((value) => value as TenantId),
    emailSealed: z.string().transform((value) => value as Sealed),
    emailHash: z.string(),
    role: z.string(),
    tokenHash: z.string(),
    status: z.enum(['pending', 'accepted', 'withdrawn']),
    acceptedBy: z
      .string()
      .transform((value) => value as UserId)
      .nullable(),
    createdAt: z.number().int(),
    expiresAt: z.number().int(),
  }),
)
