import { createTenant } from '../../../functions/tenant-events/operations/create-tenant.ts'
import { ACME, aRequest, contextOf, TRACE } from '../world.ts'
import type { Ask, Story, TenantRequestBody } from './story.ts'
import { clusterOf, SHARED_CLUSTER } from './world.ts'

function create(fields: Partial<TenantRequestBody> = {}): Ask {
  return {
    name: 'create',
    when: 'quiet',
    send: (deps, claim) =>
      createTenant(deps, {
        ctx: contextOf(ACME),
        body: aRequest(fields),
        claim,
        nowMs: deps.clock.now(),
        trace: TRACE,
      }),
  }
}

/** Every saga, each in a life of its own. */
export const STORIES: readonly Story[] = [
  { name: 'provision', asks: [create()], ends: 'ACTIVE' },
  {
    name: 'provision refused',
    asks: [create()],
    refuses: { subscription: 'plan.unavailable' },
    ends: 'PROVISION_FAILED',
  },
  {
    name: 'provision taken back',
    asks: [create()],
    setting: (ground) => {
      clusterOf(ground, SHARED_CLUSTER).fail = (call) =>
        call === 'apply ResourceQuota/tenant-objects'
          ? { kind: 'permanent', code: 'cluster.invalid', text: 'no' }
          : undefined
    },
    ends: 'PROVISION_FAILED',
  },
]
