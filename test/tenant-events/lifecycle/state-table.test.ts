import { describe, expect, test } from 'vitest'
import { TENANT_STATES, type TenantState } from '#shared/contracts/events/tenant-fact.ts'
import type { Command } from '../../../functions/tenant-events/domain/command.ts'
import { STATE_TABLE, TABLE_COMMANDS } from '../../../functions/tenant-events/domain/state-table.ts'
import { approve, aTenantIn, COMMANDS, type Machine, REFUSED } from './machine.ts'

type Asked = keyof typeof COMMANDS

/**
 * The table of the specification, in words of its own: what a command makes of a tenant at once, and where
 * the tenant comes to rest when nothing else is ordered and every step succeeds.
 *
 * `=` changes nothing and is answered as done; `!` is refused; `A > B` is A with the answer and B at rest.
 */
const CELLS: Readonly<Record<TenantState, Readonly<Record<Asked, string>>>> = {
  REQUESTED: cells({
    'tier-change': 'REQUESTED > ACTIVE premium',
    suspend: 'REQUESTED > SUSPENDED',
    resume: '=',
    offboard: 'REJECTED > REJECTED',
    'offboard-cancel': '=',
    purge: 'REJECTED > REJECTED',
    export: '!',
    reconcile: '=',
  }),
  PROVISIONING: cells({
    'tier-change': 'PROVISIONING > ACTIVE premium',
    suspend: 'PROVISIONING > SUSPENDED',
    resume: '=',
    offboard: 'PROVISIONING > PURGED',
    'offboard-cancel': '=',
    purge: 'PROVISIONING > PURGED',
    export: '!',
    reconcile: '=',
  }),
  PROVISION_FAILED: cells({
    'tier-change': 'PROVISION_FAILED > PROVISION_FAILED',
    suspend: 'PROVISION_FAILED > PROVISION_FAILED',
    resume: '=',
    offboard: 'PURGING > PURGED',
    'offboard-cancel': '=',
    purge: 'PURGING > PURGED',
    export: '!',
    reconcile: '!',
  }),
  REJECTED: all('!'),
  ACTIVE: cells({
    'tier-change': 'TIER_CHANGING > ACTIVE premium',
    suspend: 'SUSPENDING > SUSPENDED',
    resume: '=',
    offboard: 'OFFBOARDING > GRACE',
    'offboard-cancel': '=',
    purge: 'PURGING > PURGED',
    export: 'ACTIVE > ACTIVE',
    reconcile: 'ACTIVE > ACTIVE',
  }),
  TIER_CHANGING: cells({
    // The tenant was on its way to premium: that order is the one it has.
    'tier-change': '=',
    suspend: 'TIER_CHANGING > SUSPENDED premium',
    resume: '=',
    offboard: 'TIER_CHANGING > GRACE premium',
    'offboard-cancel': '=',
    purge: 'TIER_CHANGING > PURGED',
    export: 'TIER_CHANGING > ACTIVE premium',
    reconcile: 'TIER_CHANGING > ACTIVE premium',
  }),
  SUSPENDING: cells({
    'tier-change': 'SUSPENDING > SUSPENDED',
    suspend: '=',
    resume: 'SUSPENDING > ACTIVE',
    offboard: 'SUSPENDING > GRACE',
    'offboard-cancel': '=',
    purge: 'SUSPENDING > PURGED',
    export: 'SUSPENDING > SUSPENDED',
    reconcile: 'SUSPENDING > SUSPENDED',
  }),
  SUSPENDED: cells({
    'tier-change': 'SUSPENDED > SUSPENDED',
    suspend: '=',
    resume: 'RESUMING > ACTIVE',
    offboard: 'OFFBOARDING > GRACE',
    'offboard-cancel': '=',
    purge: 'PURGING > PURGED',
    export: 'SUSPENDED > SUSPENDED',
    reconcile: 'SUSPENDED > SUSPENDED',
  }),
  RESUMING: cells({
    'tier-change': 'RESUMING > ACTIVE premium',
    suspend: 'RESUMING > SUSPENDED',
    resume: '=',
    offboard: 'RESUMING > GRACE',
    'offboard-cancel': '=',
    purge: 'RESUMING > PURGED',
    export: 'RESUMING > ACTIVE',
    reconcile: 'RESUMING > ACTIVE',
  }),
  OFFBOARDING: cells({
    'tier-change': '!',
    suspend: '=',
    resume: '!',
    offboard: '=',
    'offboard-cancel': 'OFFBOARDING > ACTIVE',
    purge: 'OFFBOARDING > PURGED',
    export: 'OFFBOARDING > GRACE',
    reconcile: 'OFFBOARDING > GRACE',
  }),
  GRACE: cells({
    'tier-change': '!',
    suspend: '=',
    resume: '!',
    offboard: '=',
    'offboard-cancel': 'RESUMING > ACTIVE',
    purge: 'PURGING > PURGED',
    export: 'GRACE > GRACE',
    reconcile: 'GRACE > GRACE',
  }),
  PURGING: cells({
    'tier-change': '!',
    suspend: '=',
    resume: '!',
    offboard: '=',
    'offboard-cancel': '!',
    purge: '=',
    export: '!',
    reconcile: '!',
  }),
  PURGED: { ...all('!'), purge: '=' },
}

const EVERY_CELL = TENANT_STATES.flatMap((state) =>
  (Object.keys(COMMANDS) as Asked[]).map((name) => [state, name, CELLS[state][name]] as const),
)

describe('the state table', () => {
  test('has every state and every command', () => {
    expect(Object.keys(STATE_TABLE)).toEqual(expect.arrayContaining([...TENANT_STATES]))
    for (const state of TENANT_STATES) {
      expect(Object.keys(STATE_TABLE[state]).sort()).toEqual([...TABLE_COMMANDS].sort())
    }
  })

  test.each(EVERY_CELL)('%s × %s: %s', (state, name, cell) => {
    const machine = aTenantIn(state)
    const calm = aTenantIn(state)
    calm.rest()

    const answer = give(machine, name)

    if (cell === '!') {
      expect(answer).toMatchObject({ ok: false, code: 'tenant.state_conflict' })
      expect(answer).toHaveProperty('hint', expect.stringContaining(state))
      expect(machine.tenant).toEqual(aTenantIn(state).tenant)
      return
    }
    expect(answer).toMatchObject({ ok: true })
    const [at, then] = (cell === '=' ? `${state} > ${calm.tenant.state}` : cell).split(' > ')
    expect(machine.tenant.state).toBe(at)
    machine.rest()
    const [rest, tier] = (then ?? '').split(' ')
    expect(machine.tenant.state).toBe(rest)
    if (tier !== undefined) expect(machine.tenant.observed.tier).toBe(tier)
    if (cell === '=') expect(saidBy(machine)).toEqual(saidBy(calm))
  })

  // Whoever asks once more for what made the tenant REJECTED is told where it is.
  test.each(EVERY_CELL.filter(([, , cell]) => cell !== '!' && !cell.startsWith('REJECTED')))(
    '%s × %s, asked twice, is done once and answered by one operation',
    (state, name) => {
      const machine = aTenantIn(state)
      const first = give(machine, name)
      const facts = machine.facts.length
      const second = give(machine, name)

      expect(second.ok).toBe(true)
      const waits = machine.tenant.queue.length + (machine.tenant.op === null ? 0 : 1)
      expect(waits).toBeLessThanOrEqual(2)
      expect(machine.facts).toHaveLength(facts)
      const changed = STATE_TABLE[state][name]
      const fresh = changed === 'start' || changed === 'turn' || changed === 'queue'
      const named = first.ok && second.ok && first.value.operationId === second.value.operationId
      if (fresh && !isOver(machine, first)) expect(named).toBe(true)
    },
  )
})

describe('an operation that fails for good', () => {
  test.each([
    ['PROVISIONING', 'PROVISION_FAILED', ['requested', 'provision-failed']],
    ['TIER_CHANGING', 'ACTIVE', ['tier-change-failed']],
    ['RESUMING', 'SUSPENDED', ['operation-stuck']],
  ] as const)('in %s ends in %s', (state, rest, said) => {
    const machine = aTenantIn(state)
    const before = state === 'PROVISIONING' ? 0 : machine.facts.length
    machine.rest((operation) => (operation.status === 'running' ? REFUSED : undefined))
    expect(machine.tenant).toMatchObject({ state: rest, op: null, queue: [] })
    expect(machine.facts.slice(before).map(({ kind }) => kind)).toEqual(said)
    expect(machine.tenant.desired.tier).toBe('standard')
  })

  test('because of what the tenant uses blocks a tier change', () => {
    const machine = aTenantIn('TIER_CHANGING')
    const failure = { kind: 'refused', code: 'tier.slots_in_use', text: 'in use', blocked: true } as const
    machine.rest(({ status }) => (status === 'running' ? { kind: 'failed', failure } : undefined))
    expect(machine.facts.at(-1)).toMatchObject({ kind: 'tier-change-blocked', state: 'ACTIVE' })
  })

  test.each(['SUSPENDING', 'OFFBOARDING', 'PURGING'] as const)(
    'in %s stays there, is said to be stuck once and at once, and goes on when it can',
    (state) => {
      const machine = aTenantIn(state)
      const before = machine.facts.length
      for (let round = 0; round < 5; round += 1) {
        machine.nowMs += 3_600_000
        machine.work(undefined, () => REFUSED)
      }
      expect(machine.tenant.state).toBe(state)
      expect(machine.facts.slice(before).map(({ kind }) => kind)).toEqual(['operation-stuck'])
      machine.rest()
      expect(machine.tenant.state).not.toBe(state)
    },
  )
})

function give(machine: Machine, name: Asked): ReturnType<Machine['order']> {
  return name === 'purge' ? approve(machine) : machine.order(COMMANDS[name] satisfies Command)
}

function saidBy(machine: Machine): string[] {
  return machine.facts.map(({ kind, state }) => `${kind} ${state}`)
}

function isOver(machine: Machine, answer: ReturnType<Machine['order']>): boolean {
  const id = answer.ok ? answer.value.operationId : null
  const status = id === null ? undefined : machine.operations.get(id)?.status
  return status === undefined || ['succeeded', 'cancelled', 'superseded'].includes(status)
}

function cells(row: Readonly<Record<Asked, string>>): Readonly<Record<Asked, string>> {
  return row
}

function all(cell: string): Readonly<Record<Asked, string>> {
  return Object.fromEntries(Object.keys(COMMANDS).map((name) => [name, cell])) as Record<Asked, string>
}
