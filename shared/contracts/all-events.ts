import type { EventContract } from './define-event.ts'
import { apiKeyCreated } from './events/api-key-created.ts'
import { apiKeyRevoked } from './events/api-key-revoked.ts'
import { authErased } from './events/auth-erased.ts'
import { billingErased } from './events/billing-erased.ts'
import { chargeRefused } from './events/charge-refused.ts'
import { charged } from './events/charged.ts'
import { clientCreated } from './events/client-created.ts'
import { clientDeleted } from './events/client-deleted.ts'
import { clientSecretRotated } from './events/client-secret-rotated.ts'
import { connectionChanged } from './events/connection-changed.ts'
import { EXPORT_REQUESTED, EXPORTED } from './events/export-requested.ts'
import { INVOICE_FACTS } from './events/invoice-fact.ts'
import { KEY_FACTS } from './events/key-fact.ts'
import { lockout } from './events/lockout.ts'
import { loginFailed } from './events/login-failed.ts'
import { resumeRequested } from './events/resume-requested.ts'
import { revocationRequested } from './events/revocation-requested.ts'
import { revoked } from './events/revoked.ts'
import { sessionCreated } from './events/session-created.ts'
import { sessionRevoked } from './events/session-revoked.ts'
import { slotsDrained } from './events/slots-drained.ts'
import { slotsFreezeRequested } from './events/slots-freeze-requested.ts'
import { slotsHeld } from './events/slots-held.ts'
import { stepContinue } from './events/step-continue.ts'
import { subscriptionCancelRequested } from './events/subscription-cancel-requested.ts'
import { subscriptionReady } from './events/subscription-ready.ts'
import { subscriptionRequested } from './events/subscription-requested.ts'
import { suspendRequested } from './events/suspend-requested.ts'
import { TENANT_FACTS } from './events/tenant-fact.ts'
import { tierChargeRequested } from './events/tier-charge-requested.ts'
import { tokenRevoked } from './events/token-revoked.ts'
import { userDisabled } from './events/user-disabled.ts'
import { userRolesChanged } from './events/user-roles-changed.ts'
import { workRequested } from './events/work-requested.ts'

/** Every event contract there is: for the documentation and the tests that walk over all of them. */
export const EVENT_CONTRACTS: readonly EventContract<object>[] = [
  clientCreated,
  clientSecretRotated,
  clientDeleted,
  apiKeyCreated,
  apiKeyRevoked,
  tokenRevoked,
  revocationRequested,
  revoked,
  connectionChanged,
  userDisabled,
  userRolesChanged,
  authErased,
  EXPORT_REQUESTED.auth,
  EXPORTED.auth,
  ...Object.values(KEY_FACTS),
  lockout,
  loginFailed,
  sessionCreated,
  sessionRevoked,
  subscriptionRequested,
  subscriptionCancelRequested,
  tierChargeRequested,
  slotsFreezeRequested,
  EXPORT_REQUESTED.billing,
  EXPORTED.billing,
  subscriptionReady,
  charged,
  chargeRefused,
  slotsDrained,
  slotsHeld,
  billingErased,
  ...Object.values(INVOICE_FACTS),
  workRequested,
  suspendRequested,
  resumeRequested,
  stepContinue,
  ...Object.values(TENANT_FACTS),
]
