import type { OperationId } from './routes.ts'

const HOUR_SECONDS = 3_600

/**
 * Operations for which a person must have signed in not long ago, in seconds (RFC 9470): those that give
 * lasting access to others, take it from everybody, or give the data away. Whoever finds a computer unlocked, or steals a
 * session, can look and work with it, and cannot make themselves at home.
 *
 * It is about people alone: a machine has no sign-in, and proves itself for every token.
 */
export const FRESH_SIGN_IN: Readonly<Partial<Record<OperationId, number>>> = {
  createClient: HOUR_SECONDS,
  updateClient: HOUR_SECONDS,
  rotateClientSecret: HOUR_SECONDS,
  createApiKey: HOUR_SECONDS,
  createBinding: HOUR_SECONDS,
  createConnection: HOUR_SECONDS,
  changeConnection: HOUR_SECONDS,
  deleteConnection: HOUR_SECONDS,
  setAuthPolicy: HOUR_SECONDS,
  setUserRoles: HOUR_SECONDS,
  changeRole: HOUR_SECONDS,
  createInvitation: HOUR_SECONDS,
  endSessions: HOUR_SECONDS,
  changeTier: HOUR_SECONDS,
  suspendTenant: HOUR_SECONDS,
  resumeTenant: HOUR_SECONDS,
  offboardTenant: HOUR_SECONDS,
  cancelOffboarding: HOUR_SECONDS,
  exportTenant: HOUR_SECONDS,
  endLegalHold: HOUR_SECONDS,
  // Nothing brings back what is purged.
  approvePurge: HOUR_SECONDS / 4,
}
