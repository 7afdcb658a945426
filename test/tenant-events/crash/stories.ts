import { asRecord } from '#shared/json.ts'
import { tenantClusterName } from '../../../functions/tenant-events/domain/cloud-names.ts'
import { USED_BYTES } from '../../../functions/tenant-events/domain/volume.ts'
import { ACME } from '../world.ts'
import { command, create, dunning, meanwhile } from './asks.ts'
import type { Beginning, Story } from './story.ts'
import { clusterOf, type Ground, SHARED_CLUSTER } from './world.ts'

const upTo = (toTier: 'premium', effective: 'now' | 'period_end' = 'now') =>
  command({ name: 'tier-change', toTier, effective })
const downTo = (toTier: 'basic', effective: 'now' | 'period_end' = 'now') =>
  command({ name: 'tier-change', toTier, effective })
const suspend = (mode: 'soft' | 'hard') => command({ name: 'suspend', mode, reason: 'admin' })
const resume = command({ name: 'resume' })
const offboard = (graceDays: number, exported = false) =>
  command({ name: 'offboard', graceDays, export: exported })
const cancel = command({ name: 'offboard-cancel' })
const exportAll = command({ name: 'export', scope: 'all' })
const purge = [
  command({ name: 'purge', approver: 'one', reason: 'the contract ended' }),
  command({ name: 'purge', approver: 'two', reason: 'the contract ended' }),
] as const
const reconcile = command({ name: 'reconcile' })
const hold = (on: boolean) => command({ name: 'legal-hold', on, reference: 'case 7' })

/** One object is refused for good, as long as the operation does not turn round. */
function refusing(path: string): (ground: Ground) => void {
  return (ground) => {
    const { operations, tenants } = ground.documents
    clusterOf(ground, SHARED_CLUSTER).fail = (call) => {
      const [tenant] = tenants.values()
      const { status } = operations.get(tenant?.op?.operationId ?? '') ?? {}
      if (call !== path || status !== 'running') return undefined
      return { kind: 'permanent', code: 'cluster.invalid', text: 'no' }
    }
  }
}

/** Somebody opens the tenant's network with kubectl. */
function drifted(ground: Ground): void {
  clusterOf(ground, SHARED_CLUSTER).edit(
    'NetworkPolicy/tenant-acme/default-deny',
    (body) => {
      body['spec'] = { podSelector: {}, policyTypes: [] }
    },
    'kubectl',
  )
}

/** The tenant stores more than the smallest tier does. */
function full(ground: Ground): void {
  const { objects } = clusterOf(ground, SHARED_CLUSTER)
  const path = 'PersistentVolumeClaim/tenant-acme/tenant-data'
  const live = objects.get(path)
  if (live === undefined) throw new Error('the tenant has no volume')
  const metadata = asRecord(live.body['metadata'])
  const annotations = { ...asRecord(metadata?.['annotations']), [USED_BYTES]: '20Gi' }
  objects.set(path, { ...live, body: { ...live.body, metadata: { ...metadata, annotations } } })
}

const active: Beginning = { asks: [create()] }
const dedicated: Beginning = { asks: [create({ deploymentModel: 'dedicated' })] }
const suspended: Beginning = { asks: [create(), suspend('hard')] }

const PROVISIONING: readonly Story[] = [
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
    setting: refusing('apply ResourceQuota/tenant-objects'),
    ends: 'PROVISION_FAILED',
  },
  {
    name: 'provision hybrid',
    asks: [create({ deploymentModel: 'hybrid' })],
    setting: ({ cloud }) => cloud.register(tenantClusterName(ACME), ACME),
    ends: 'ACTIVE',
  },
  { name: 'provision dedicated', asks: [create({ deploymentModel: 'dedicated' })], ends: 'ACTIVE' },
]

const CHANGING: readonly Story[] = [
  { name: 'tier up', begins: active, asks: [upTo('premium')], ends: 'ACTIVE' },
  { name: 'tier down', begins: active, asks: [downTo('basic')], ends: 'ACTIVE' },
  {
    name: 'tier up at the end of the period',
    begins: active,
    asks: [upTo('premium', 'period_end')],
    ends: 'ACTIVE',
  },
  {
    name: 'tier down at the end of the period',
    begins: active,
    asks: [downTo('basic', 'period_end')],
    ends: 'ACTIVE',
  },
  {
    name: 'tier up refused',
    begins: active,
    asks: [upTo('premium')],
    refuses: { charge: 'credit.insufficient' },
    ends: 'ACTIVE',
  },
  {
    name: 'tier up taken back',
    begins: active,
    asks: [upTo('premium')],
    setting: refusing('apply LimitRange/tenant-limits'),
    ends: 'ACTIVE',
  },
  {
    name: 'tier up, then down meanwhile',
    begins: active,
    asks: [upTo('premium'), meanwhile(downTo('basic'))],
    ends: 'ACTIVE',
  },
  { name: 'tier down, too full', begins: active, asks: [downTo('basic')], setting: full, ends: 'ACTIVE' },
  {
    name: 'tier down refused',
    begins: active,
    asks: [downTo('basic')],
    refuses: { charge: 'plan.unavailable' },
    ends: 'ACTIVE',
  },
  {
    name: 'tier for the end of the period, replaced',
    begins: active,
    asks: [upTo('premium', 'period_end'), downTo('basic')],
    ends: 'ACTIVE',
  },
  {
    name: 'tier for the end of the period, replaced meanwhile',
    begins: active,
    asks: [upTo('premium', 'period_end'), meanwhile(downTo('basic', 'period_end'))],
    ends: 'ACTIVE',
  },
  {
    name: 'tier for the end of the period, suspended and resumed',
    begins: active,
    asks: [upTo('premium', 'period_end'), suspend('soft'), resume],
    ends: 'ACTIVE',
  },
  {
    name: 'tier for the end of the period, offboarded and back',
    begins: active,
    asks: [upTo('premium', 'period_end'), offboard(30), cancel],
    ends: 'ACTIVE',
  },
  { name: 'suspend softly', begins: active, asks: [suspend('soft')], ends: 'SUSPENDED' },
  { name: 'suspend hard', begins: active, asks: [suspend('hard')], ends: 'SUSPENDED' },
  {
    name: 'suspend softly, hard meanwhile',
    begins: active,
    asks: [suspend('soft'), meanwhile(suspend('hard'))],
    ends: 'SUSPENDED',
  },
  {
    name: 'suspend and resume meanwhile',
    begins: active,
    asks: [suspend('soft'), meanwhile(resume)],
    ends: 'ACTIVE',
  },
  { name: 'resume', begins: suspended, asks: [resume], ends: 'ACTIVE' },
  {
    name: 'resume and suspend meanwhile',
    begins: suspended,
    asks: [resume, meanwhile(suspend('soft'))],
    ends: 'SUSPENDED',
  },
  {
    name: 'tier change while suspended, then resume',
    begins: suspended,
    asks: [upTo('premium'), resume],
    ends: 'ACTIVE',
  },
  {
    name: 'tier change, suspended meanwhile',
    begins: active,
    asks: [upTo('premium'), meanwhile(suspend('hard'))],
    ends: 'SUSPENDED',
  },
  { name: 'provision, suspended meanwhile', asks: [create(), meanwhile(suspend('hard'))], ends: 'SUSPENDED' },
  { name: 'provision, another tier meanwhile', asks: [create(), meanwhile(upTo('premium'))], ends: 'ACTIVE' },
  {
    name: 'provision, offboarded meanwhile',
    asks: [create(), meanwhile(offboard(0))],
    ends: 'PURGED REJECTED',
  },
  { name: 'offboard with grace', begins: active, asks: [offboard(30)], ends: 'PURGED' },
  { name: 'offboard with export', begins: active, asks: [offboard(30, true)], ends: 'PURGED' },
  {
    name: 'offboard, cancelled meanwhile',
    begins: active,
    asks: [offboard(30, true), meanwhile(cancel)],
    ends: 'ACTIVE',
  },
  { name: 'offboard, cancelled in grace', begins: active, asks: [offboard(30), cancel], ends: 'ACTIVE' },
  {
    name: 'offboard while suspended, cancelled',
    begins: suspended,
    asks: [offboard(30), cancel],
    ends: 'SUSPENDED',
  },
  {
    name: 'offboard, suspended meanwhile',
    begins: active,
    asks: [offboard(30), meanwhile(suspend('hard'))],
    ends: 'PURGED',
  },
  { name: 'export', begins: active, asks: [exportAll], ends: 'ACTIVE' },
  {
    name: 'export, suspended meanwhile',
    begins: active,
    asks: [exportAll, meanwhile(suspend('hard'))],
    ends: 'SUSPENDED',
  },
  { name: 'purge', begins: active, asks: [...purge], ends: 'PURGED' },
  { name: 'purge of a suspended tenant', begins: suspended, asks: [...purge], ends: 'PURGED' },
  { name: 'purge of a dedicated tenant', begins: dedicated, asks: [...purge], ends: 'PURGED' },
  {
    name: 'purge during a tier change',
    begins: active,
    asks: [purge[0], upTo('premium'), meanwhile(purge[1])],
    ends: 'PURGED',
  },
  {
    name: 'purge during an offboarding',
    begins: active,
    asks: [purge[0], offboard(30), meanwhile(purge[1])],
    ends: 'PURGED',
  },
  {
    name: 'grace outlasted by a legal hold',
    begins: active,
    asks: [hold(true), offboard(1), hold(false)],
    ends: 'PURGED',
  },
  { name: 'reconcile', begins: active, asks: [reconcile], setting: drifted, ends: 'ACTIVE' },
  {
    name: 'reconcile, suspended meanwhile',
    begins: active,
    asks: [reconcile, meanwhile(suspend('soft'))],
    setting: drifted,
    ends: 'SUSPENDED',
  },
]

const DUNNING: readonly Story[] = [
  {
    name: 'dunning, paid meanwhile',
    begins: active,
    asks: [dunning('suspend', 7), meanwhile(dunning('resume', 8))],
    ends: 'ACTIVE',
  },
  {
    name: 'dunning in the wrong order',
    begins: active,
    asks: [dunning('resume', 8), meanwhile(dunning('suspend', 7))],
    ends: 'ACTIVE',
  },
  {
    name: 'dunning of a tenant that an operator has suspended',
    begins: suspended,
    asks: [dunning('suspend', 7), dunning('resume', 8)],
    ends: 'SUSPENDED',
  },
]

/** Every saga, each in a life of its own. */
export const STORIES: readonly Story[] = [...PROVISIONING, ...CHANGING, ...DUNNING]
