import type { Mutant } from '../mutant.ts'
import {
  checkWithoutPrecondition,
  claimDeletedOnError,
  claimFirst,
  dedupeOnMessageId,
  effectFirst,
  errorSwallowed,
  noClaim,
} from './claims.ts'
import { namedByVerdict, readWithoutGuard } from './guards.ts'
import { outboxBeforeCommit } from './outbox.ts'
import { cacheWithoutTenant, tenantFromPayload } from './tenants.ts'
import { callWithoutDeadline, leaseWithoutFence } from './time.ts'

/** The bugs the harness must see. */
export const MUTANTS: readonly Mutant[] = [
  noClaim,
  claimFirst,
  effectFirst,
  claimDeletedOnError,
  dedupeOnMessageId,
  checkWithoutPrecondition,
  errorSwallowed,
  outboxBeforeCommit,
  tenantFromPayload,
  cacheWithoutTenant,
  callWithoutDeadline,
  leaseWithoutFence,
  readWithoutGuard,
  namedByVerdict,
]
