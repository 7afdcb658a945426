import type { EventContract } from './define-event.ts'
import { authErased } from './events/auth-erased.ts'
import { chargeRefused } from './events/charge-refused.ts'
import { clientCreated } from './events/client-created.ts'
import { KEY_FACTS } from './events/key-fact.ts'
import { sessionCreated } from './events/session-created.ts'
import { sessionRevoked } from './events/session-revoked.ts'
import { stepContinue } from './events/step-continue.ts'
import { subscriptionCancelRequested } from './events/subscription-cancel-requested.ts'
import { subscriptionReady } from './events/subscription-ready.ts'
import { subscriptionRequested } from './events/subscription-requested.ts'
import { TENANT_FACTS } from './events/tenant-fact.ts'
import { userDisabled } from './events/user-disabled.ts'
import { userRolesChanged } from './events/user-roles-changed.ts'

/** Every event contract there is: for the documentation and the tests that walk over all of them. */
export const EVENT_CONTRACTS: readonly EventContract<object>[] = [
  clientCreated,
  userDisabled,
  userRolesChanged,
  authErased,
  ...Object.values(KEY_FACTS),
  sessionCreated,
  sessionRevoked,
  subscriptionRequested,
  subscriptionCancelRequested,
  subscriptionReady,
  chargeRefused,
  stepContinue,
  ...Object.values(TENANT_FACTS),
]
