import type { ClientId } from '../../../functions/auth/domain/client-id.ts'
import type { Session } from '../../../functions/auth/domain/session.ts'
import type { SessionId } from '../../../functions/auth/domain/session-id.ts'

export const START_MS = 1_700_000_000_000
const DAY_MS = 24 * 3_600_000

/** A session that has just begun, with its first refresh token. */
export function aSession(more: Partial<Session> = {}): Session {
  return {
    sessionId: 'ses_01KAR6Z1B0V7D8E9F0G1H2J3K4' as SessionId,
    userId: 'usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E',
    clientId: 'cid_acme_0000000000000001' as ClientId,
    salt: Buffer.alloc(16, 3).toString('base64url'),
    counter: 1,
    pepperVersion: 1,
    rotatedAt: START_MS,
    rotatedScopes: ['tenant:read', 'usage:read'],
    scopes: ['tenant:read', 'usage:read'],
    openid: false,
    jkt: null,
    connectionId: 'con_corporate',
    idpSid: null,
    acr: null,
    amr: [],
    authTime: START_MS / 1000,
    issuedAt: START_MS / 1000,
    createdAt: START_MS,
    idleUntil: START_MS + 7 * DAY_MS,
    absoluteUntil: START_MS + 30 * DAY_MS,
    status: 'active',
    endedAt: null,
    endReason: null,
    ...more,
  }
}
