import { pause } from '#shared/deadline.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Revocations } from '#shared/tokens/revocations.ts'
import { WAITING_TICK_MS, type WaitingRoom } from '../ports/revocations.ts'

/** Of the 80 requests an instance takes at once; no tenant's workloads can have all of them. */
const PLACES = { inAll: 32, perTenant: 4 }

/** The feed is read for all who wait together, and not at all while nobody does. */
export function waitingRoom(revocations: Pick<Revocations, 'refresh'>, places = PLACES): WaitingRoom {
  const perTenant = new Map<TenantId, number>()
  let inAll = 0
  let tick: Promise<void> | undefined
  const read = async (): Promise<void> => {
    await pause(WAITING_TICK_MS)
    try {
      await revocations.refresh()
    } catch {
      // Whoever waits looks at the view themselves, which says for how long it is still good.
    } finally {
      tick = undefined
    }
  }
  return {
    enter: (tenantId, signal) => {
      const own = perTenant.get(tenantId) ?? 0
      if (inAll >= places.inAll || own >= places.perTenant) return undefined
      inAll += 1
      perTenant.set(tenantId, own + 1)
      const left = untilAborted(signal)
      return {
        nextTick: () => {
          tick ??= read()
          return Promise.race([tick, left])
        },
        leave: () => {
          inAll -= 1
          const remaining = (perTenant.get(tenantId) ?? 1) - 1
          if (remaining === 0) perTenant.delete(tenantId)
          else perTenant.set(tenantId, remaining)
        },
      }
    },
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
