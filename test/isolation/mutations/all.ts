import { CLIENTS } from './clients.ts'
import { COMMIT_CHECKS } from './commits.ts'
import { EDGES } from './edges.ts'
import { GUARDS } from './guards.ts'
import { LIFECYCLE_CHECKS } from './lifecycle.ts'
import type { Mutation } from './mutation.ts'
import { OUTBOUND } from './outbound.ts'
import { PEOPLE } from './people.ts'
import { SCOPES } from './scopes.ts'
import { SESSIONS } from './sessions.ts'
import { STATE_MACHINE } from './state-machine.ts'
import { TENANCY } from './tenancy.ts'

/** Every check that keeps tenants apart or an effect single, each with what must notice when it is gone. */
export const MUTATIONS: readonly Mutation[] = [
  ...TENANCY,
  ...SCOPES,
  ...COMMIT_CHECKS,
  ...EDGES,
  ...GUARDS,
  ...SESSIONS,
  ...OUTBOUND,
  ...CLIENTS,
  ...PEOPLE,
  ...LIFECYCLE_CHECKS,
  ...STATE_MACHINE,
]
