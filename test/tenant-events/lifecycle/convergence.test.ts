import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TenantState } from '#shared/contracts/events/tenant-fact.ts'
import type { Command, CommandOrigin } from '../../../functions/tenant-events/domain/command.ts'
import type { Operation } from '../../../functions/tenant-events/domain/operation.ts'
import type { StepOutcome } from '../../../functions/tenant-events/domain/saga.ts'
import { mayStart } from '../../../functions/tenant-events/domain/state-table.ts'
import { aMachine, HOUR_MS, type Machine, REFUSED } from './machine.ts'

const DAY_MS = 24 * HOUR_MS
const RUNS = Number(process.env['LIFECYCLE_RUNS'] ?? 400)

/** What can happen to a tenant, in any order. */
type Happening =
  | { readonly what: 'order'; readonly command: Command }
  | { readonly what: 'billing'; readonly name: 'suspend' | 'resume'; readonly seq: number }
  | { readonly what: 'work'; readonly steps: number; readonly outcome: StepOutcome | undefined }
  | { readonly what: 'pass'; readonly ms: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    name: fc.constant('tier-change' as const),
    toTier: fc.constantFrom('basic', 'standard', 'premium', 'enterprise'),
    effective: fc.constantFrom('now', 'period_end'),
  }),
  fc.record({
    name: fc.constant('suspend' as const),
    mode: fc.constantFrom('soft', 'hard'),
    reason: fc.constantFrom('abuse', 'admin'),
  }),
  fc.constant({ name: 'resume' } as const),
  fc.record({
    name: fc.constant('offboard' as const),
    graceDays: fc.constantFrom(0, 1, 30),
    export: fc.boolean(),
  }),
  fc.constant({ name: 'offboard-cancel' } as const),
  fc.constant({ name: 'export', scope: 'all' } as const),
  fc.constant({ name: 'reconcile' } as const),
  fc.record({
    name: fc.constant('purge' as const),
    approver: fc.constantFrom('ada', 'grace'),
    reason: fc.constant('asked for'),
  }),
  fc.record({
    name: fc.constant('legal-hold' as const),
    on: fc.boolean(),
    reference: fc.constant('case 7'),
  }),
  fc.record({
    name: fc.constant('retry' as const),
    operationId: fc.constantFrom('op_0001', 'op_0002', 'op_0003', 'op_0004'),
  }),
)

const failed = (kind: 'transient' | 'permanent' | 'wait'): StepOutcome => ({
  kind: 'failed',
  failure: { kind, code: 'test.failed', text: kind },
})

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ what: fc.constant('order' as const), command }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('billing' as const),
      name: fc.constantFrom('suspend', 'resume'),
      seq: fc.nat(9),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('work' as const),
      steps: fc.constantFrom(0, 1, 2, 5, 30),
      outcome: fc.oneof(
        { weight: 6, arbitrary: fc.constant(undefined) },
        {
          weight: 2,
          arbitrary: fc.constantFrom<StepOutcome>(
            REFUSED,
            failed('transient'),
            failed('permanent'),
            failed('wait'),
            { kind: 'waiting', waitingFor: 'billing' },
            { kind: 'waiting', waitingFor: 'key', dueAtMs: 40 * DAY_MS },
          ),
        },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('pass' as const),
      ms: fc.constantFrom(1_000, HOUR_MS, DAY_MS, 40 * DAY_MS),
    }),
  },
)

/** A tier change for the end of the period has its day ten days after it was charged. */
function scheduling(machine: Machine) {
  return (operation: Operation, key: string): StepOutcome | undefined =>
    key === 'charge-tier' && operation.request.effective === 'period_end' && operation.status === 'running'
      ? { kind: 'done', scheduleAtMs: machine.nowMs + 10 * DAY_MS }
      : undefined
}

function happen(machine: Machine, next: Happening): void {
  if (machine.tenant.state === 'PURGED') return
  const usual = scheduling(machine)
  if (next.what === 'order') machine.order(next.command)
  if (next.what === 'pass') machine.pass(next.ms)
  if (next.what === 'work') {
    machine.work(next.steps, (operation, key) => next.outcome ?? usual(operation, key))
  }
  if (next.what === 'billing') {
    const origin: CommandOrigin = { by: 'billing', commandSeq: BigInt(next.seq) }
    const suspension = { name: 'suspend', mode: 'soft', reason: 'payment_failed' } as const
    machine.order(next.name === 'suspend' ? suspension : { name: 'resume' }, origin)
  }
  consistent(machine)
}

const REST: readonly TenantState[] = [
  'ACTIVE',
  'SUSPENDED',
  'GRACE',
  'PROVISION_FAILED',
  'REJECTED',
  'PURGED',
]
const OVER = ['succeeded', 'failed', 'superseded', 'cancelled']

/** What is so at every moment, whatever has happened. */
function consistent({ tenant, operations }: Machine): void {
  const { op, queue } = tenant
  const alive = [...queue.map(({ operationId }) => operationId), ...(op === null ? [] : [op.operationId])]
  expect(new Set(alive).size).toBe(alive.length)
  expect(new Set(queue.map(({ kind }) => kind)).size).toBe(queue.length)
  for (const operation of operations.values()) {
    const { operationId, status } = operation
    expect([operationId, OVER.includes(status)]).toEqual([operationId, !alive.includes(operationId)])
    expect([operationId, operation.endedAtMs !== null]).toEqual([operationId, OVER.includes(status)])
  }
  if (op !== null) {
    expect(['running', 'compensating']).toContain(operations.get(op.operationId)?.status)
  } else expect(REST).toContain(tenant.state)
}

/** What is so once nothing happens any more and every step succeeds. */
function atRest({ tenant, operations, facts }: Machine): void {
  expect(tenant.op).toBeNull()
  expect(REST).toContain(tenant.state)
  // What still waits waits for a day or for a command, and nothing else.
  for (const { kind, notBeforeMs } of tenant.queue) {
    expect([kind, notBeforeMs !== null || !mayStart(tenant.state, kind)]).toEqual([kind, true])
  }
  if (tenant.state === 'ACTIVE') {
    expect(tenant.desired.suspension).toBeNull()
    expect(tenant.observed.suspension).toBeNull()
    const later = tenant.queue.some(({ kind }) => kind === 'tier-change')
    if (!later) expect(tenant.desired.tier).toBe(tenant.observed.tier)
  }
  if (tenant.state === 'SUSPENDED') {
    const failedResume = [...operations.values()].some(
      ({ kind, status }) => kind === 'resume' && status === 'failed',
    )
    if (!failedResume) expect(tenant.desired.suspension).not.toBeNull()
  }
  if (tenant.state === 'PURGED') expect(facts.slice(-2).map(({ kind }) => kind)).toEqual(LAST_WORDS)
  expect(facts.filter(({ kind }) => kind === 'purge-started').length).toBeLessThanOrEqual(1)
}

const LAST_WORDS = ['purged', 'deletion-certificate-issued']

describe('whatever is ordered, and in whatever order', () => {
  test('the tenant comes to rest where its orders lead, and no operation is lost', () => {
    fc.assert(
      fc.property(fc.array(happening, { minLength: 1, maxLength: 40 }), (happenings) => {
        const machine = aMachine()
        for (const next of happenings) happen(machine, next)

        machine.rest(scheduling(machine))
        machine.pass(HOUR_MS)
        machine.rest(scheduling(machine))

        consistent(machine)
        atRest(machine)
      }),
      { numRuns: RUNS },
    )
  })

  test('a tenant whose days have all passed waits for nothing but a command', () => {
    fc.assert(
      fc.property(fc.array(happening, { minLength: 1, maxLength: 25 }), (happenings) => {
        const machine = aMachine()
        for (const next of happenings) happen(machine, next)
        for (let month = 0; month < 5; month += 1) {
          machine.rest(scheduling(machine))
          machine.pass(35 * DAY_MS)
        }
        machine.rest(scheduling(machine))
        machine.pass(2 * HOUR_MS)

        expect(machine.tenant.queue.every(({ notBeforeMs }) => notBeforeMs === null)).toBe(true)
        if (machine.tenant.state === 'GRACE') expect(machine.tenant.legalHold).not.toBeNull()
        else expect(machine.timers.size).toBe(0)
      }),
      { numRuns: RUNS / 2 },
    )
  })

  test('an operator’s last word about working is the one that holds', () => {
    const word = fc.constantFrom<Command>(
      { name: 'suspend', mode: 'soft', reason: 'admin' },
      { name: 'suspend', mode: 'hard', reason: 'abuse' },
      { name: 'resume' },
      { name: 'tier-change', toTier: 'premium', effective: 'now' },
      { name: 'tier-change', toTier: 'basic', effective: 'now' },
      { name: 'reconcile' },
    )
    const said = fc.array(fc.tuple(word, fc.constantFrom(0, 0, 1, 3)), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(said, (words) => {
        const machine = aMachine()
        for (const [next, steps] of words) {
          expect(machine.order(next).ok).toBe(true)
          machine.work(steps)
        }
        machine.rest()
        const lastOf = (names: readonly string[]) =>
          words.map(([next]) => next).findLast(({ name }) => names.includes(name))
        const held = lastOf(['suspend', 'resume'])?.name === 'suspend'
        expect(machine.tenant.state).toBe(held ? 'SUSPENDED' : 'ACTIVE')
        machine.order({ name: 'resume' })
        machine.rest()
        const tier = lastOf(['tier-change'])
        expect(machine.tenant.observed.tier).toBe(tier?.name === 'tier-change' ? tier.toTier : 'standard')
      }),
      { numRuns: RUNS },
    )
  })
})
