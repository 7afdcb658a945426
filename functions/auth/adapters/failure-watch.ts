import { createHmac } from 'node:crypto'
import { lockout } from '#shared/contracts/events/lockout.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import type { Ids, TenantId } from '#shared/ids.ts'
import { errorFields, type Logger } from '#shared/log.ts'
import { ok } from '#shared/result.ts'
import { openByCredential } from '#shared/tenancy/credential.ts'
import { afterFailure, type Failures, isLocked } from '../domain/lockout.ts'
import type { Attempt, FailureWatch } from '../ports/failures.ts'
import type { PepperStore } from '../ports.ts'

type FailureWatchDeps = {
  readonly tenants: TenantFirestore
  readonly peppers: Pick<PepperStore, 'current'>
  readonly ids: Ids
  readonly log: Logger
}

const MOST_KEPT = 10_000

/**
 * Counts wrong proofs in this process. A lock of a client that is there is told: a fact and an audit
 * entry, written beside the request, which does not wait for them.
 */
export function failureWatch(deps: FailureWatchDeps): FailureWatch {
  const kept = new Map<string, Failures>()
  const keyOf = ({ clientId, address }: Attempt): string => `${clientId} ${placeOf(address)}`
  return {
    lockedUntilMs: (attempt, nowMs) => {
      const failures = kept.get(keyOf(attempt))
      return isLocked(failures, nowMs) ? (failures?.lockedUntilMs ?? 0) : 0
    },
    failed: (attempt, nowMs) => {
      const key = keyOf(attempt)
      const before = kept.get(key)
      const failures = afterFailure(before, nowMs)
      // The one that was quiet for longest is forgotten first.
      kept.delete(key)
      kept.set(key, failures)
      const oldest = kept.size > MOST_KEPT ? kept.keys().next().value : undefined
      if (oldest !== undefined) kept.delete(oldest)
      const { tenantId } = attempt
      if (tenantId === undefined || failures.locks === (before?.locks ?? 0) || !isLocked(failures, nowMs))
        return
      tell(deps, { ...attempt, tenantId }, failures, nowMs).catch((error: unknown) =>
        deps.log.warn('lock-out not told', { tenantId, ...errorFields(error) }),
      )
    },
    proven: (attempt) => void kept.delete(keyOf(attempt)),
  }
}

async function tell(
  deps: FailureWatchDeps,
  { clientId, address, tenantId }: Attempt & { readonly tenantId: TenantId },
  failures: Failures,
  nowMs: number,
): Promise<void> {
  const { pepper } = await deps.peppers.current()
  const addressHash = createHmac('sha256', pepper).update(placeOf(address)).digest('base64url').slice(0, 16)
  const event = newEvent({
    id: `lockout:${deps.ids.uuid(nowMs)}`,
    source: '//energent.ai/auth',
    type: lockout.type,
    tenantId,
    nowMs,
    data: {
      tenantId,
      credential: 'client' as const,
      id: clientId,
      addressHash,
      failures: failures.count,
      until: new Date(failures.lockedUntilMs).toISOString(),
    },
  })
  const ctx = openByCredential(tenantId, 'attempt', clientId)
  await deps.tenants.optimistic(ctx, undefined, async () =>
    ok({
      value: undefined,
      writes: [],
      events: [{ topic: 'auth-facts', event }],
      audit: [{ action: 'auth.client.locked_out', target: clientId, outcome: `from ${addressHash}` }],
    }),
  )
}

/** Where an address is: of IPv6 the /64, since whoever has one has all of it. */
export function placeOf(address: string): string {
  // An IPv4 address is its own place, written as IPv6 too.
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1)
  if (!address.includes(':')) return address
  const [head = '', tail = ''] = address.split('::')
  const left = head.split(':').filter(Boolean)
  const right = tail.split(':').filter(Boolean)
  const missing = address.includes('::')
    ? Array.from({ length: 8 - left.length - right.length }, () => '0')
    : []
  return [...left, ...missing, ...right].slice(0, 4).join(':').toLowerCase()
}
