import { describe, expect, test } from 'vitest'
import type { CommandOrigin } from '../../../functions/tenant-events/domain/command.ts'
import { aTenantIn, COMMANDS, HOUR_MS, type Machine, OPERATOR, ordered, REFUSED } from './machine.ts'

const DAY_MS = 24 * HOUR_MS
const billing = (commandSeq: bigint): CommandOrigin => ({ by: 'billing', commandSeq })
const kinds = (machine: Machine, from = 0) => machine.facts.slice(from).map(({ kind }) => kind)
const statusOf = (machine: Machine, operationId: string | null) =>
  machine.operations.get(operationId ?? '')?.status

describe('a suspension', () => {
  test('is in force from the commit that accepts it, though an export still has a step in hand', () => {
    const machine = aTenantIn('ACTIVE')
    ordered(machine, COMMANDS.reconcile)
    const tell = machine.hold()

    const { operationId } = ordered(machine, COMMANDS.suspend)

    expect(machine.tenant).toMatchObject({ state: 'SUSPENDING', op: { kind: 'reconcile' } })
    expect(machine.facts.at(-1)).toEqual({ kind: 'suspend-started', state: 'SUSPENDING', operationId })
    tell({ kind: 'done' })
    machine.rest()
    expect(machine.tenant.state).toBe('SUSPENDED')
    expect(kinds(machine, 2)).toEqual(['suspend-started', 'suspended'])
    expect([...machine.operations.values()].every(({ status }) => status === 'succeeded')).toBe(true)
  })

  // An operator who reads with If-None-Match would go on seeing the reason that is no longer true.
  test.each([
    ['for another reason', 'SUSPENDED', { ...COMMANDS.suspend, reason: 'security' }, OPERATOR],
    ['by a second holder', 'SUSPENDED', COMMANDS.suspend, billing(1n)],
    [
      'for another reason while it is being suspended',
      'SUSPENDING',
      { ...COMMANDS.suspend, reason: 'security' },
      OPERATOR,
    ],
  ] as const)(
    'asked for once more %s is another revision; the very same is none',
    (_how, state, command, origin) => {
      const machine = aTenantIn(state)
      const before = machine.tenant.revision

      ordered(machine, command, origin)
      const after = machine.tenant
      ordered(machine, command, origin)

      expect(after.revision).toBe(before + 1)
      expect(machine.tenant.revision).toBe(after.revision)
    },
  )

  // A worker may sleep through its lease, and wake when the operation has long gone on without it.
  test('lets the operation that it interrupted go on with fences that no former worker had', () => {
    const machine = aTenantIn('ACTIVE')
    const { operationId } = ordered(machine, COMMANDS.reconcile)
    machine.hold()
    const fence = machine.tenant.op?.fence ?? 0
    machine.nowMs += 90_000
    ordered(machine, COMMANDS.suspend)
    while (machine.tenant.op?.operationId !== operationId || machine.tenant.state !== 'SUSPENDED') {
      machine.work(1)
    }
    machine.work(0)
    expect(machine.tenant.op?.operationId).toBe(operationId)
    expect(machine.tenant.op?.fence).toBeGreaterThan(fence)
    machine.rest()
    expect(statusOf(machine, operationId)).toBe('succeeded')
  })

  test.each(['SUSPENDING', 'SUSPENDED', 'RESUMING'] as const)(
    'that is harder takes over in %s, a softer one never',
    (state) => {
      const machine = aTenantIn(state)
      const hard = ordered(machine, { ...COMMANDS.suspend, mode: 'hard', reason: 'abuse' })
      machine.rest()
      expect(machine.tenant.observed.suspension).toEqual({ mode: 'hard', reason: 'abuse' })
      expect(statusOf(machine, hard.operationId)).toBe('succeeded')

      ordered(machine, COMMANDS.suspend)
      machine.rest()
      expect(machine.tenant.observed.suspension?.mode).toBe('hard')
      expect(machine.tenant.desired.suspension).toEqual({ mode: 'hard', reason: 'abuse' })
    },
  )

  test('is the last word of those that came while another operation ran', () => {
    const machine = aTenantIn('TIER_CHANGING')
    const first = ordered(machine, COMMANDS.suspend)
    ordered(machine, COMMANDS.resume)
    expect(statusOf(machine, first.operationId)).toBe('superseded')
    machine.rest()
    expect(machine.tenant.state).toBe('ACTIVE')

    const other = aTenantIn('TIER_CHANGING')
    ordered(other, COMMANDS.resume)
    ordered(other, COMMANDS.suspend)
    other.rest()
    expect(other.tenant.state).toBe('SUSPENDED')
  })

  test('turned round and round ends with the last word', () => {
    const machine = aTenantIn('SUSPENDING')
    ordered(machine, COMMANDS.resume)
    ordered(machine, COMMANDS.suspend)
    machine.rest()
    expect(machine.tenant.state).toBe('SUSPENDED')
    ordered(machine, COMMANDS.resume)
    ordered(machine, COMMANDS.suspend)
    ordered(machine, COMMANDS.resume)
    machine.rest()
    expect(machine.tenant).toMatchObject({ state: 'ACTIVE', desired: { suspension: null } })
  })

  test('of one that is stuck is turned round at once: nobody waits for what never comes', () => {
    const machine = aTenantIn('SUSPENDING')
    machine.nowMs += 60_000 * 6
    machine.work(undefined, () => REFUSED)
    ordered(machine, COMMANDS.resume)
    expect(machine.tenant.op?.dueAtMs).toBeLessThanOrEqual(machine.nowMs)
    expect(machine.work()).toBe(true)
    machine.rest()
    expect(machine.tenant.state).toBe('ACTIVE')
  })
})

describe('billing', () => {
  test('commands by number: a copy and a latecomer change nothing, also after any inbox has expired', () => {
    const machine = aTenantIn('ACTIVE')
    const dunned = { ...COMMANDS.suspend, reason: 'payment_failed' } as const
    ordered(machine, dunned, billing(7n))
    machine.rest()
    ordered(machine, COMMANDS.resume, billing(8n))
    machine.rest()
    expect(machine.tenant.state).toBe('ACTIVE')
    machine.nowMs += 400 * DAY_MS
    const before = { ...machine.tenant }
    for (const seq of [7n, 6n, 8n, 0n]) ordered(machine, dunned, billing(seq))
    expect(machine.tenant).toEqual(before)
    expect(before.commandSeq).toEqual({ billing: '8' })
  })

  test('compares numbers as numbers', () => {
    const machine = aTenantIn('ACTIVE')
    ordered(machine, COMMANDS.suspend, billing(9n))
    ordered(machine, COMMANDS.resume, billing(10n))
    machine.rest()
    expect(machine.tenant.state).toBe('ACTIVE')
    ordered(machine, COMMANDS.suspend, billing(9_007_199_254_740_993n))
    ordered(machine, COMMANDS.resume, billing(9_007_199_254_740_992n))
    machine.rest()
    expect(machine.tenant.state).toBe('SUSPENDED')
  })

  test('frees nobody whom an operator holds: a paid bill is no answer to abuse', () => {
    const machine = aTenantIn('ACTIVE')
    ordered(machine, { ...COMMANDS.suspend, reason: 'payment_failed' }, billing(1n))
    ordered(machine, { ...COMMANDS.suspend, reason: 'abuse' })
    machine.rest()
    ordered(machine, COMMANDS.resume, billing(2n))
    machine.rest()
    expect(machine.tenant).toMatchObject({ state: 'SUSPENDED', desired: { suspension: { reason: 'abuse' } } })
    ordered(machine, COMMANDS.resume)
    machine.rest()
    expect(machine.tenant.state).toBe('ACTIVE')
  })

  test('is told of a refusal by a fact, and its number counts all the same', () => {
    const machine = aTenantIn('OFFBOARDING')
    const before = machine.facts.length
    expect(machine.order(COMMANDS.resume, billing(3n))).toMatchObject({ code: 'tenant.state_conflict' })
    expect(machine.facts.slice(before)).toEqual([
      { kind: 'command-rejected', state: 'OFFBOARDING', operationId: undefined },
    ])
    expect(machine.tenant.commandSeq).toEqual({ billing: '3' })
  })

  test('makes no operation for what changes nothing', () => {
    const machine = aTenantIn('SUSPENDED')
    const { operationId } = ordered(machine, COMMANDS.suspend, billing(1n))
    expect(operationId).toBeNull()
    expect(machine.tenant.queue).toEqual([])
  })
})

describe('a tier change', () => {
  test('replaces the one that runs, and what that one did is undone first', () => {
    const machine = aTenantIn('TIER_CHANGING')
    const first = machine.tenant.op?.operationId ?? ''
    const before = machine.facts.length
    const second = ordered(machine, { ...COMMANDS['tier-change'], toTier: 'enterprise' })
    machine.rest()
    expect(machine.tenant).toMatchObject({ state: 'ACTIVE', observed: { tier: 'enterprise' } })
    expect(machine.facts.slice(before)).toEqual([
      { kind: 'tier-change-failed', state: 'ACTIVE', operationId: first },
      { kind: 'tier-changed', state: 'ACTIVE', operationId: second.operationId },
    ])
    expect(statusOf(machine, first)).toBe('superseded')
  })

  test('back to the tier that the tenant has ends the one that runs', () => {
    const machine = aTenantIn('TIER_CHANGING')
    const back = ordered(machine, { ...COMMANDS['tier-change'], toTier: 'standard' })
    machine.rest()
    expect(machine.tenant).toMatchObject({
      state: 'ACTIVE',
      desired: { tier: 'standard' },
      observed: { tier: 'standard' },
    })
    expect(statusOf(machine, back.operationId)).toBe('succeeded')
  })

  test('ordered on what somebody saw is refused when they have not seen the last of it', () => {
    const machine = aTenantIn('ACTIVE')
    const seen = machine.tenant.revision
    const stale = { ...COMMANDS['tier-change'], expectedRevision: seen - 1 }
    expect(machine.order(stale)).toMatchObject({ code: 'tenant.revision_conflict' })
    expect(machine.order({ ...stale, expectedRevision: seen }).ok).toBe(true)
  })

  test('of a tenant that could not be made is what a retry makes', () => {
    const machine = aTenantIn('PROVISION_FAILED')
    const [failed] = machine.operations.keys()
    ordered(machine, COMMANDS['tier-change'])
    const again = ordered(machine, { name: 'retry', operationId: failed ?? '' })
    expect(machine.tenant).toMatchObject({ state: 'PROVISIONING', op: { operationId: again.operationId } })
    machine.rest()
    expect(machine.tenant).toMatchObject({ state: 'ACTIVE', observed: { tier: 'premium' } })
  })
})

describe('a tier change for the end of the period', () => {
  const DUE_MS = 20 * DAY_MS
  const atPeriodEnd = { ...COMMANDS['tier-change'], toTier: 'basic', effective: 'period_end' } as const
  const schedule = (machine: Machine) => {
    const { operationId } = ordered(machine, atPeriodEnd)
    machine.work(undefined, (_operation, key) =>
      key === 'charge-tier' ? { kind: 'done', scheduleAtMs: DUE_MS } : undefined,
    )
    return operationId ?? ''
  }
  const laterDone = { 'charge-tier': { kind: 'done' } } as const

  test('leaves the tenant to others until its day, and goes on where it was', () => {
    const machine = aTenantIn('ACTIVE')
    const operationId = schedule(machine)
    expect(machine.tenant).toMatchObject({ state: 'ACTIVE', op: null, observed: { tier: 'standard' } })
    expect(statusOf(machine, operationId)).toBe('scheduled')
    ordered(machine, COMMANDS.suspend)
    machine.rest()
    ordered(machine, COMMANDS.resume)
    machine.rest()
    expect(machine.tenant.state).toBe('ACTIVE')
    machine.pass(DUE_MS - 1 - machine.nowMs)
    expect(statusOf(machine, operationId)).toBe('scheduled')

    machine.pass(2 * HOUR_MS)

    const tried: string[] = []
    machine.rest((_operation, key) => {
      tried.push(key)
      return key in laterDone ? laterDone[key as 'charge-tier'] : undefined
    })
    expect(tried).not.toContain('charge-tier')
    expect(machine.tenant).toMatchObject({ state: 'ACTIVE', observed: { tier: 'basic' }, queue: [] })
    machine.pass(2 * HOUR_MS)
    expect(machine.timers.size).toBe(0)
  })

  test('waits for a suspended tenant to be resumed', () => {
    const machine = aTenantIn('ACTIVE')
    const operationId = schedule(machine)
    ordered(machine, COMMANDS.suspend)
    machine.rest()
    machine.pass(DUE_MS)
    expect(machine.tenant).toMatchObject({ state: 'SUSPENDED', op: null })
    expect(statusOf(machine, operationId)).toBe('queued')
    ordered(machine, COMMANDS.resume)
    machine.rest()
    expect(machine.tenant).toMatchObject({ state: 'ACTIVE', observed: { tier: 'basic' } })
  })

  test('is replaced by a newer one, and billing hears that it came to nothing', () => {
    const machine = aTenantIn('ACTIVE')
    const operationId = schedule(machine)
    const before = machine.facts.length
    ordered(machine, COMMANDS['tier-change'])
    machine.rest()
    machine.pass(2 * DUE_MS)
    expect(kinds(machine, before)).toEqual(['tier-change-failed', 'tier-changed'])
    expect(statusOf(machine, operationId)).toBe('superseded')
    expect(machine.tenant.observed.tier).toBe('premium')
  })

  test('ends with the departure of the tenant', () => {
    const machine = aTenantIn('ACTIVE')
    const operationId = schedule(machine)
    ordered(machine, COMMANDS.offboard)
    expect(statusOf(machine, operationId)).toBe('cancelled')
    expect(kinds(machine).slice(-2)).toEqual(['offboarding-started', 'tier-change-failed'])
    expect(machine.tenant.desired.tier).toBe('standard')
    machine.rest()
    machine.pass(DUE_MS)
    expect(machine.tenant.state).toBe('GRACE')
  })
})

describe('a retry', () => {
  test('of an operation that is stuck tries at once, with fresh patience', () => {
    const machine = aTenantIn('SUSPENDING')
    machine.nowMs += 3_600_000
    machine.work(undefined, () => REFUSED)
    const operationId = machine.tenant.op?.operationId ?? ''
    expect(machine.work()).toBe(false)
    ordered(machine, { name: 'retry', operationId })
    expect(machine.operations.get(operationId)?.stuckAtMs).toBeNull()
    expect(machine.work()).toBe(true)
    machine.rest()
    expect(machine.tenant.state).toBe('SUSPENDED')
  })

  test('of a failed tier change is that tier change again', () => {
    const machine = aTenantIn('TIER_CHANGING')
    const failed = machine.tenant.op?.operationId ?? ''
    machine.rest(({ status }) => (status === 'running' ? REFUSED : undefined))
    const again = ordered(machine, { name: 'retry', operationId: failed })
    expect(again.operationId).not.toBe(failed)
    machine.rest()
    expect(machine.tenant.observed.tier).toBe('premium')
  })

  test('is refused for what is over, unknown, or waiting', () => {
    const machine = aTenantIn('ACTIVE')
    const [provisioned] = machine.operations.keys()
    expect(machine.order({ name: 'retry', operationId: provisioned ?? '' })).toMatchObject({
      code: 'tenant.state_conflict',
    })
    expect(machine.order({ name: 'retry', operationId: 'op_nobody' })).toMatchObject({
      code: 'resource.not_found',
    })
    const busy = aTenantIn('TIER_CHANGING')
    const { operationId } = ordered(busy, COMMANDS.export)
    expect(busy.order({ name: 'retry', operationId: operationId ?? '' }, OPERATOR)).toMatchObject({
      code: 'tenant.state_conflict',
    })
  })
})
