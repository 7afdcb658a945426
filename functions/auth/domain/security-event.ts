import { sign } from 'node:crypto'
import type { Revocation } from '#shared/contracts/revocation.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Signer } from './access-token.ts'

/** A security event token (RFC 8417): no `exp` and no `sub`, so that nobody takes it for another token. */
export type SecurityEvent = {
  readonly iss: string
  readonly aud: string
  readonly iat: number
  readonly jti: string
  readonly sub_id: SubjectId
  readonly events: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** A subject identifier (RFC 9493; `complex` and `jwt_id` of the Shared Signals Framework). */
type SubjectId = { readonly format: string } & Readonly<Record<string, unknown>>

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type'
/** Types of our own, for what CAEP has no word for. */
const OWN = 'https://energent.ai/secevent/event-type'

/** What a revocation is called, and what its receivers are told besides. */
const EVENTS: Readonly<Record<Revocation['kind'], readonly [uri: string, more: Record<string, string>]>> = {
  session: [`${CAEP}/session-revoked`, {}],
  user: [`${CAEP}/session-revoked`, {}],
  client: [`${CAEP}/credential-change`, { credential_type: 'oauth-client', change_type: 'revoke' }],
  apiKey: [`${CAEP}/credential-change`, { credential_type: 'api-key', change_type: 'revoke' }],
  token: [`${OWN}/token-revoked`, {}],
  tenant: [`${OWN}/tenant-revoked`, {}],
  signingKey: [`${OWN}/signing-key-revoked`, {}],
}

/** The event that tells others of a revocation. `jti` is the id of its fact, so that a copy is known as one. */
export function securityEvent(
  issuer: string,
  tenantId: TenantId,
  revocation: Revocation,
  { jti, nowMs }: { readonly jti: string; readonly nowMs: number },
): SecurityEvent {
  const [uri, more] = EVENTS[revocation.kind]
  const nowSeconds = Math.floor(nowMs / 1000)
  return {
    iss: issuer,
    aud: `${issuer}/security-events`,
    iat: nowSeconds,
    jti,
    sub_id: subjectOf(issuer, tenantId, revocation),
    events: {
      [uri]: {
        event_timestamp: nowSeconds,
        initiating_entity: 'system',
        ...more,
        ...(revocation.reason === undefined ? {} : { reason_admin: { en: revocation.reason } }),
        // Ours: the last second whose tokens are refused.
        before: revocation.before,
      },
    },
  }
}

function subjectOf(issuer: string, tenantId: TenantId, { kind, id }: Revocation): SubjectId {
  const opaque = (value: string): SubjectId => ({ format: 'opaque', id: value })
  const tenant = opaque(tenantId)
  switch (kind) {
    case 'token':
      return { format: 'jwt_id', iss: issuer, jti: id }
    case 'session':
      return { format: 'complex', session: opaque(id), tenant }
    case 'user':
      return { format: 'complex', user: { format: 'iss_sub', iss: issuer, sub: id }, tenant }
    case 'client':
      return { format: 'complex', application: { format: 'iss_sub', iss: issuer, sub: id }, tenant }
    case 'apiKey':
    case 'signingKey':
      return { format: 'complex', application: opaque(id), tenant }
    case 'tenant':
      return { format: 'complex', tenant }
  }
}

/** Signs with a key of the ring `events`: another type and another audience than any token we accept. */
export function signSecurityEvent(event: SecurityEvent, signer: Signer): string {
  const signed = `${encode({ alg: 'ES256', typ: 'secevent+jwt', kid: signer.kid })}.${encode(event)}`
  const key = { key: signer.key, dsaEncoding: 'ieee-p1363' } as const
  return `${signed}.${sign('sha256', Buffer.from(signed, 'ascii'), key).toString('base64url')}`
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url')
}
