import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { requestClaim } from '#shared/firestore/claim.ts'
import { closeDatabase, openDatabase } from '#shared/firestore/database.ts'
import { createOutbox } from '#shared/firestore/outbox.ts'
import { systemFirestore } from '#shared/firestore/system.ts'
import { tenantFirestore } from '#shared/firestore/tenant-store.ts'
import { systemIds, type TenantId } from '#shared/ids.ts'
import { asRecord } from '#shared/json.ts'
import { silentLogger } from '#shared/log.ts'
import { ok, type Result } from '#shared/result.ts'
import { firestoreLifecycleStore } from '../../../functions/tenant-events/adapters/lifecycle-store.ts'
import type { Command, CommandOrigin } from '../../../functions/tenant-events/domain/command.ts'
import { requestCommand } from '../../../functions/tenant-events/operations/request-command.ts'
import { resumeDue } from '../../../functions/tenant-events/operations/resume-due.ts'
import type { LifecycleStore } from '../../../functions/tenant-events/ports.ts'
import { manualClockAt } from '../messages.ts'
import { contextOf, TRACE } from '../world.ts'
import { aTenantIn, COMMANDS, type Machine, ordered } from './machine.ts'

const clock = manualClockAt('2026-11-23T09:00:00Z')
let engine: FirestoreEngine
const processes: ReturnType<typeof aProcess>[] = []
let made = 0

beforeAll(async () => {
  engine = await startFirestoreEngine({ now: clock.now })
  for (let n = 0; n < 2; n += 1) processes.push(aProcess())
})
beforeEach(() => engine.reset())
afterAll(async () => {
  for (const { database } of processes) await closeDatabase(database)
  await engine.close()
})

/** A function instance with a connection of its own. */
function aProcess() {
  const database = openDatabase({
    project: 'demo-test',
    databaseId: '(default)',
    emulatorHost: engine.host,
  })
  const system = systemFirestore(database, 'lifecycle')
  const outbox = createOutbox({
    group: 'lifecycle',
    system,
    publisher: { publish: async () => 'id' },
    clock,
    log: silentLogger,
  })
  const tenants = tenantFirestore({ database, group: 'lifecycle', clock, ids: systemIds, outbox })
  return { database, tenants, store: firestoreLifecycleStore(tenants, system) }
}

type Racer = (store: LifecycleStore, tenantId: TenantId) => Promise<Result<unknown>>

const order =
  (command: Command, origin: CommandOrigin = { by: 'operator' }, key?: string): Racer =>
  (store, tenantId) =>
    requestCommand(
      { store, ids: systemIds },
      {
        ctx: contextOf(tenantId),
        command,
        origin,
        claim: key === undefined ? undefined : requestClaim('me', command.name, `${key} ${tenantId}`, 'd'),
        nowMs: clock.now(),
        trace: TRACE,
      },
    )

/** The end of the time in which the tenant can come back. */
const timer: Racer = async (store, tenantId) => {
  const [offboarding] = operationsOf(tenantId).filter(({ data }) => data['kind'] === 'offboard')
  const operationId = String(offboarding?.data['operationId'])
  return resumeDue({ store, clock, ids: systemIds }, { ctx: contextOf(tenantId), operationId, trace: TRACE })
}

const billing = (commandSeq: bigint): CommandOrigin => ({ by: 'billing', commandSeq })
const dunned = { ...COMMANDS.suspend, reason: 'payment_failed' } as const

const RACES: readonly (readonly [string, () => Machine, Racer, Racer])[] = [
  [
    'suspend and resume',
    () => aTenantIn('SUSPENDED'),
    order({ ...COMMANDS.suspend, mode: 'hard' }),
    order(COMMANDS.resume),
  ],
  ['suspend and offboard', () => aTenantIn('ACTIVE'), order(COMMANDS.suspend), order(COMMANDS.offboard)],
  [
    'two tiers',
    () => aTenantIn('ACTIVE'),
    order(COMMANDS['tier-change']),
    order({ ...COMMANDS['tier-change'], toTier: 'basic' }),
  ],
  [
    'two commands of billing',
    () => aTenantIn('ACTIVE'),
    order(dunned, billing(7n)),
    order(COMMANDS.resume, billing(8n)),
  ],
  ['cancelling and the timer', () => aTenantIn('GRACE'), order(COMMANDS['offboard-cancel']), timer],
  ['two timers', () => aTenantIn('GRACE'), timer, timer],
  [
    'the second approval and a legal hold',
    () => {
      const machine = aTenantIn('GRACE')
      ordered(machine, { ...COMMANDS.purge, approver: 'ada' })
      return { ...machine, tenant: withFreshApproval(machine) }
    },
    order(COMMANDS.purge),
    order({ name: 'legal-hold', on: true, reference: 'case 7' }),
  ],
  [
    'two approvals',
    () => aTenantIn('ACTIVE'),
    order(COMMANDS.purge),
    order({ ...COMMANDS.purge, approver: 'ada' }),
  ],
  [
    'a turn round and a purge',
    () => aTenantIn('SUSPENDING'),
    order(COMMANDS.resume),
    order(COMMANDS.offboard),
  ],
  [
    'one request twice',
    () => aTenantIn('ACTIVE'),
    order(COMMANDS.suspend, undefined, 'key'),
    order(COMMANDS.suspend, undefined, 'key'),
  ],
]

describe('two functions at once', () => {
  test.each(RACES)(
    '%s: the tenant is as if one had come after the other',
    async (_what, make, one, other) => {
      const inOrder = [await run(make(), 'in turn', one, other), await run(make(), 'in turn', other, one)]
      for (let round = 0; round < 3; round += 1) {
        expect(inOrder).toContainEqual(await run(make(), 'at once', one, other))
      }
    },
  )
})

/** What came of it: answers and all that is stored, without the names of operations. */
async function run(machine: Machine, how: 'in turn' | 'at once', ...racers: Racer[]): Promise<unknown> {
  const tenantId = await stored(machine)
  const begin = async (racer: Racer, at: number): Promise<void> => {
    const [first, second] = processes
    const process = at === 0 ? first : second
    if (process === undefined) throw new Error('there is no process')
    await racer(process.store, tenantId)
  }
  if (how === 'at once') await Promise.all(racers.map(begin))
  else for (const [at, racer] of racers.entries()) await begin(racer, at)
  return whatIs(tenantId)
}

async function stored(machine: Machine): Promise<TenantId> {
  made += 1
  const tenantId = `race-${made}` as TenantId
  const [process] = processes
  if (process === undefined) throw new Error('there is no process')
  const created = await process.tenants.optimistic(contextOf(tenantId), undefined, async (db) =>
    ok({
      value: 0,
      writes: [
        db.create([], { ...machine.tenant, tenantId }),
        ...[...machine.operations.values()].map((operation) =>
          db.create(['lifecycle_operations', operation.operationId], { ...operation, tenantId }),
        ),
      ],
    }),
  )
  if (!created.ok) throw new Error(created.code)
  return tenantId
}

function whatIs(tenantId: TenantId): unknown {
  const path = `tenants/${tenantId}`
  const tenant = engine.dump(path).find((document) => document.path === path)?.data ?? {}
  const listed = (field: string): readonly unknown[] => {
    const value = tenant[field]
    return Array.isArray(value) ? value : []
  }
  const facts = engine
    .dump('lifecycle_outbox')
    .filter(({ data }) => data['tenantId'] === tenantId && data['topic'] === 'tenant-facts')
    .map(({ data }) => asRecord(JSON.parse(String(data['body']))) ?? {})
    .sort((left, right) => Number(left['sequence']) - Number(right['sequence']))
  return {
    state: tenant['state'],
    running: asRecord(tenant['op'])?.['kind'],
    queue: listed('queue').map((entry) => asRecord(entry)?.['kind']),
    desired: tenant['desired'],
    holds: tenant['holds'],
    commandSeq: tenant['commandSeq'],
    legalHold: asRecord(tenant['legalHold'])?.['reference'],
    approvals: listed('purgeApprovals').length,
    operations: operationsOf(tenantId)
      .map(({ data }) => `${String(data['kind'])} ${String(data['status'])}`)
      .sort(),
    facts: facts.map(({ type, sequence }) => `${String(sequence)} ${String(type)}`),
  }
}

function operationsOf(tenantId: TenantId) {
  return engine.dump(`tenants/${tenantId}/lifecycle_operations`)
}

/** The machine's time began long ago; this approval is of today. */
function withFreshApproval({ tenant }: Machine): Machine['tenant'] {
  return {
    ...tenant,
    purgeApprovals: tenant.purgeApprovals.map((approval) => ({ ...approval, atMs: clock.now() })),
  }
}
