import { describe, expect, test } from 'vitest'
import { approve, aTenantIn, COMMANDS, HOUR_MS, type Machine, ordered } from './machine.ts'

const DAY_MS = 24 * HOUR_MS
const statusOf = (machine: Machine, operationId: string | null) =>
  machine.operations.get(operationId ?? '')?.status

describe('a departure', () => {
  test('goes back to the state it came from', () => {
    const machine = aTenantIn('SUSPENDED')
    ordered(machine, COMMANDS.offboard)
    machine.rest()
    ordered(machine, COMMANDS['offboard-cancel'])
    machine.rest()
    expect(machine.tenant).toMatchObject({ state: 'SUSPENDED', before: null, graceEndsAtMs: null })
    expect(machine.facts.at(-1)).toMatchObject({ kind: 'offboarding-cancelled', state: 'SUSPENDED' })
  })

  test('ends in a purge when its time is over, however often the timer is heard', () => {
    const machine = aTenantIn('GRACE')
    machine.pass(30 * DAY_MS - HOUR_MS)
    expect(machine.tenant.state).toBe('GRACE')
    machine.pass(2 * HOUR_MS)
    expect(machine.tenant.state).toBe('PURGING')
    machine.pass(DAY_MS)
    expect([...machine.operations.values()].filter(({ kind }) => kind === 'purge')).toHaveLength(1)
    machine.rest()
    machine.pass(DAY_MS)
    expect(machine.tenant.state).toBe('PURGED')
    expect(machine.timers.size).toBe(0)
  })

  test('that is cancelled is not purged by the timer that was set for it', () => {
    const machine = aTenantIn('GRACE')
    machine.pass(29 * DAY_MS)
    ordered(machine, COMMANDS['offboard-cancel'])
    machine.rest()
    machine.pass(60 * DAY_MS)
    expect(machine.tenant.state).toBe('ACTIVE')
    expect(machine.timers.size).toBe(0)
  })

  test('and another one after it each have a time of their own', () => {
    const machine = aTenantIn('GRACE')
    machine.pass(20 * DAY_MS)
    ordered(machine, COMMANDS['offboard-cancel'])
    machine.rest()
    ordered(machine, COMMANDS.offboard)
    machine.rest()
    machine.pass(29 * DAY_MS)
    expect(machine.timers.size).toBe(1)
    expect(machine.tenant.state).toBe('GRACE')
    machine.pass(2 * DAY_MS)
    expect(machine.tenant.state).toBe('PURGING')
  })

  test.each(['OFFBOARDING', 'GRACE'] as const)('in %s is never made shorter', (state) => {
    const machine = aTenantIn(state)
    expect(machine.order({ ...COMMANDS.offboard, graceDays: 3 })).toMatchObject({
      code: 'tenant.state_conflict',
    })
    expect(machine.order({ ...COMMANDS.offboard, graceDays: 90 }).ok).toBe(true)
  })

  test('that waits is taken back before it began', () => {
    const machine = aTenantIn('TIER_CHANGING')
    const { operationId } = ordered(machine, COMMANDS.offboard)
    ordered(machine, COMMANDS['offboard-cancel'])
    expect(statusOf(machine, operationId)).toBe('superseded')
    machine.rest()
    expect(machine.tenant).toMatchObject({ state: 'ACTIVE', observed: { tier: 'premium' } })
  })
})

describe('a legal hold', () => {
  test('keeps a tenant whose time is over, and lets it go afterwards', () => {
    const machine = aTenantIn('GRACE')
    ordered(machine, { name: 'legal-hold', on: true, reference: 'case 7' })
    machine.pass(90 * DAY_MS)
    expect(machine.tenant.state).toBe('GRACE')
    ordered(machine, { name: 'legal-hold', on: false, reference: '' })
    machine.pass(2 * HOUR_MS)
    expect(machine.tenant.state).toBe('PURGING')
  })

  test.each(['ACTIVE', 'SUSPENDED', 'GRACE', 'PROVISION_FAILED', 'TIER_CHANGING'] as const)(
    'lets nobody purge a tenant that is %s',
    (state) => {
      const machine = aTenantIn(state)
      ordered(machine, { name: 'legal-hold', on: true, reference: 'case 7' })
      expect(approve(machine)).toMatchObject({ code: 'tenant.legal_hold' })
      expect(machine.order(COMMANDS.purge)).toMatchObject({ code: 'tenant.legal_hold' })
    },
  )

  // The detail of a refusal is logged, and a reference may name a case and its people.
  test('keeps its reference out of the refusal', () => {
    const machine = aTenantIn('GRACE')
    ordered(machine, { name: 'legal-hold', on: true, reference: 'Smith/Acme-7' })

    const refused = approve(machine)

    expect(refused).toMatchObject({ code: 'tenant.legal_hold' })
    expect(JSON.stringify(refused)).not.toContain('Smith')
  })

  test('cancels a purge that has not begun, and two people decide anew', () => {
    const machine = aTenantIn('OFFBOARDING')
    const approved = approve(machine)
    const operationId = approved.ok ? approved.value.operationId : null
    expect(statusOf(machine, operationId)).toBe('queued')
    ordered(machine, { name: 'legal-hold', on: true, reference: 'case 7' })
    expect(statusOf(machine, operationId)).toBe('cancelled')
    ordered(machine, { name: 'legal-hold', on: false, reference: '' })
    machine.rest()
    expect(machine.tenant.state).toBe('GRACE')
    expect(ordered(machine, COMMANDS.purge).operationId).toBeNull()
  })

  test('over a tenant that is being unmade leaves one that can be made again', () => {
    const machine = aTenantIn('PROVISIONING')
    const [making] = machine.operations.keys()
    ordered(machine, COMMANDS.offboard)
    machine.nowMs += 90_000
    machine.work(0)
    expect(statusOf(machine, making ?? '')).toBe('compensating')
    ordered(machine, { name: 'legal-hold', on: true, reference: 'case 7' })
    machine.rest()
    expect(machine.tenant).toMatchObject({ state: 'PROVISION_FAILED', queue: [] })
    expect(statusOf(machine, making ?? '')).toBe('superseded')
    ordered(machine, { name: 'retry', operationId: making ?? '' })
    machine.rest()
    expect(machine.tenant.state).toBe('ACTIVE')
  })

  test('comes too late once the purge has begun', () => {
    const machine = aTenantIn('PURGING')
    const held = machine.order({ name: 'legal-hold', on: true, reference: 'case 7' })
    expect(held).toMatchObject({ code: 'tenant.state_conflict' })
  })
})

describe('a purge', () => {
  test('takes two people: one of them twice is one', () => {
    const machine = aTenantIn('ACTIVE')
    expect(ordered(machine, COMMANDS.purge).operationId).toBeNull()
    expect(machine.order(COMMANDS.purge)).toMatchObject({ code: 'purge.same_approver' })
    expect(machine.tenant.state).toBe('ACTIVE')
    const { operationId } = ordered(machine, { ...COMMANDS.purge, approver: 'ada' })
    expect(machine.tenant).toMatchObject({ state: 'PURGING', purgeApprovals: [] })
    // For the certificate: who agreed is a part of the order, for good.
    expect(machine.operations.get(operationId ?? '')?.request.approvals).toMatchObject([
      { approver: COMMANDS.purge.approver },
      { approver: 'ada' },
    ])
    expect(machine.facts.at(-1)).toMatchObject({ kind: 'purge-started', state: 'PURGING' })
  })

  test('takes two people within a week of each other', () => {
    const machine = aTenantIn('ACTIVE')
    ordered(machine, COMMANDS.purge)
    machine.nowMs += 7 * DAY_MS
    expect(ordered(machine, { ...COMMANDS.purge, approver: 'ada' }).operationId).toBeNull()
    machine.nowMs += DAY_MS
    ordered(machine, COMMANDS.purge)
    expect(machine.tenant.state).toBe('PURGING')
  })

  test('that two people have ordered is not undone by one who cancels the offboarding', () => {
    const machine = aTenantIn('OFFBOARDING')
    approve(machine)
    expect(machine.order(COMMANDS['offboard-cancel'])).toMatchObject({ code: 'tenant.state_conflict' })
    machine.rest()
    expect(machine.tenant.state).toBe('PURGED')
  })

  test('ends all that waits', () => {
    const machine = aTenantIn('TIER_CHANGING')
    const waiting = [COMMANDS.suspend, COMMANDS.offboard, COMMANDS.export, COMMANDS.reconcile].map(
      (command) => ordered(machine, command).operationId,
    )
    approve(machine)
    machine.rest()
    expect(machine.tenant).toMatchObject({ state: 'PURGED', queue: [], op: null })
    expect(waiting.map((id) => statusOf(machine, id))).toEqual(waiting.map(() => 'cancelled'))
  })
})
