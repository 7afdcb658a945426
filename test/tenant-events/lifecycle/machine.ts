import type { Tier } from '#shared/catalogue/tiers.ts'
import { TENANT_FACTS, type TenantFactKind, type TenantState } from '#shared/contracts/events/tenant-fact.ts'
import type { TenantId } from '#shared/ids.ts'
import type { Result } from '#shared/result.ts'
import {
  type Accepted,
  acceptCommand,
  rejectCommand,
} from '../../../functions/tenant-events/domain/accept-command.ts'
import { acceptTenant } from '../../../functions/tenant-events/domain/accept-tenant.ts'
import type { Command, CommandOrigin } from '../../../functions/tenant-events/domain/command.ts'
import { changesOf, type Draft } from '../../../functions/tenant-events/domain/draft.ts'
import { fallDue, judgeTimer } from '../../../functions/tenant-events/domain/due.ts'
import type { OutgoingEvent } from '../../../functions/tenant-events/domain/facts.ts'
import { takeOver } from '../../../functions/tenant-events/domain/lease.ts'
import { type Operation, plannedStep } from '../../../functions/tenant-events/domain/operation.ts'
import {
  goOn,
  type Progress,
  type StepOutcome,
  settle,
} from '../../../functions/tenant-events/domain/saga.ts'
import type { Tenant } from '../../../functions/tenant-events/domain/tenant.ts'
import type { Standing, Timer } from '../../../functions/tenant-events/domain/work.ts'
import { shownOf } from '../shown.ts'

export const ACME = 'acme' as TenantId
export const HOUR_MS = 3_600_000

/** What a step of an operation comes to; `done` unless it says otherwise. */
export type Steps = (operation: Operation, key: string) => StepOutcome | undefined

/**
 * One tenant and the pure functions that decide about it: no store, no clock, no world. A worker's lease is
 * taken and given back within one call; every event's id is new, and every fact is what its contract says.
 */
export type Machine = {
  nowMs: number
  tenant: Tenant
  readonly operations: Map<string, Operation>
  readonly timers: Map<string, Timer>
  readonly facts: { kind: TenantFactKind; state: TenantState; operationId: string | undefined }[]
  /** Orders; `at` distinguishes what several processes decide on one standing. */
  order(command: Command, origin?: CommandOrigin): Result<Accepted>
  /** One worker takes the operation over and does at most `steps` steps of it; false when nobody may. */
  work(steps?: number, outcome?: Steps): boolean
  /** A worker with a step in hand: what comes of it is told later. */
  hold(): (outcome: StepOutcome) => void
  /** Works until nothing runs, letting time pass. */
  rest(outcome?: Steps): void
  /** Lets time pass, and timers be heard. */
  pass(ms: number): void
}

export const OPERATOR: CommandOrigin = { by: 'operator' }

export function aMachine(tier: Tier = 'standard'): Machine {
  const operations = new Map<string, Operation>()
  const timers = new Map<string, Timer>()
  const facts: Machine['facts'] = []
  const seen = new Set<string>()
  let made = 0
  let sequence = 0n
  const nextId = (): string => {
    made += 1
    return `op_${String(made).padStart(4, '0')}`
  }
  const hear = (events: readonly OutgoingEvent[]): void => {
    for (const { topic, event } of events) {
      if (seen.has(event.id)) throw new Error(`the event ${event.id} was said before`)
      seen.add(event.id)
      if (topic !== 'tenant-facts') continue
      const kind = event.type.split('.')[3] as TenantFactKind
      const parsed = TENANT_FACTS[kind].parseData(event.data)
      if (!parsed.ok) throw new Error(`${kind}: ${parsed.detail}`)
      sequence += 1n
      if (event.sequence !== sequence.toString()) throw new Error(`${event.sequence} is not ${sequence}`)
      const { state, operationId } = parsed.value
      facts.push({ kind, state, operationId })
    }
  }
  const created = acceptTenant(
    {
      tenantId: ACME,
      displayName: 'Acme',
      tier,
      deploymentModel: 'multi_tenant',
      region: 'us-central1',
      trialEndsAt: null,
    },
    { exists: false, tombstone: false },
    { operationId: nextId(), nowMs: 0 },
  )
  if (!created.ok) throw new Error(created.code)
  operations.set(created.value.operation.operationId, created.value.operation)
  hear(created.value.events)

  const standing = (): Standing => ({
    tenant: machine.tenant,
    operations: [...operations.values()],
    readTimeMs: machine.nowMs,
  })
  const commit = (draft: Draft): void => {
    const changed = changesOf(draft)
    if (changed.tenant.revision < machine.tenant.revision) throw new Error('the revision fell')
    if (
      changed.tenant.revision === machine.tenant.revision &&
      shownOf(changed.tenant) !== shownOf(machine.tenant)
    ) {
      throw new Error(`one revision shows ${shownOf(machine.tenant)} and ${shownOf(changed.tenant)}`)
    }
    machine.tenant = changed.tenant
    for (const operation of changed.operations) operations.set(operation.operationId, operation)
    for (const timer of changed.timers) timers.set(`${timer.operationId}.${timer.dueAtMs}`, timer)
    hear(changed.events)
  }
  const workOf = (operation: Operation) => ({
    tenant: machine.tenant,
    operation,
    waiting: machine.tenant.queue.flatMap(({ operationId }) => operations.get(operationId) ?? []),
    readTimeMs: machine.nowMs,
  })
  const optionsOf = (operation: Operation) => ({
    operationId: operation.operationId,
    nowMs: machine.nowMs,
    readTimeMs: machine.nowMs,
    chance: 0,
    mayContinue: true,
  })
  const running = (): Operation | undefined =>
    machine.tenant.op === null ? undefined : operations.get(machine.tenant.op.operationId)
  const take = (): Progress | undefined => {
    const operation = running()
    if (operation === undefined) return undefined
    const worker = { operationId: operation.operationId, leaseBy: `worker-${machine.nowMs}` }
    const op = takeOver(machine.tenant.op, worker, machine.nowMs, machine.nowMs)
    if (typeof op === 'string') return undefined
    const progress = goOn(workOf(operation), op, optionsOf(operation))
    commit(progress.draft)
    return progress
  }
  const tell = (operation: Operation, outcome: StepOutcome): Progress => {
    const { op } = machine.tenant
    const now = operations.get(operation.operationId)
    if (op === null || now === undefined) throw new Error('nobody holds it')
    const options = { ...optionsOf(now), seen: operation.answers }
    const progress = settle(workOf(now), op, plannedStep(now, op.step), outcome, options)
    commit(progress.draft)
    return progress
  }
  const machine: Machine = {
    nowMs: 0,
    tenant: created.value.tenant,
    operations,
    timers,
    facts,
    order: (command, origin = OPERATOR) => {
      const options = { nowMs: machine.nowMs, origin, operationId: nextId() }
      const accepted = acceptCommand(standing(), command, options)
      if (accepted.ok) commit(accepted.value.draft)
      else if (origin.by === 'billing') commit(rejectCommand(standing(), options))
      return accepted
    },
    work: (steps = Number.POSITIVE_INFINITY, outcome = () => undefined) => {
      let progress = take()
      if (progress === undefined) return false
      for (let done = 0; progress.next === 'continue' && done < steps; done += 1) {
        const operation = running()
        const { op } = machine.tenant
        if (operation === undefined || op === null) return true
        progress = tell(operation, outcome(operation, op.step) ?? outcomeOf(operation, op.step))
      }
      // A worker that stops in the middle is replaced when its lease is over.
      if (progress.next === 'continue') machine.nowMs += 90_000
      return true
    },
    hold: () => {
      const progress = take()
      const operation = running()
      if (progress?.next !== 'continue' || operation === undefined) throw new Error('nothing to hold')
      return (outcome) => void tell(operation, outcome)
    },
    rest: (outcome) => {
      for (let round = 0; machine.tenant.op !== null; round += 1) {
        if (round > 500) throw new Error(`${machine.tenant.op.kind} does not end`)
        const { dueAtMs } = machine.tenant.op
        if (!machine.work(undefined, outcome)) machine.nowMs = Math.max(machine.nowMs + 60_000, dueAtMs)
      }
    },
    pass: (ms) => {
      const untilMs = machine.nowMs + ms
      for (;;) {
        const due = [...timers].filter(([, { dueAtMs }]) => dueAtMs <= machine.nowMs)
        for (const [id, timer] of due) {
          const alive = machine.tenant.state === 'PURGED' ? undefined : machine.tenant
          const verdict = judgeTimer(alive, timer, machine.nowMs)
          if (verdict === 'drop') timers.delete(id)
          const moment = { nowMs: machine.nowMs }
          if (verdict === 'fire') commit(fallDue(standing(), timer.operationId, nextId(), moment))
        }
        if (machine.nowMs >= untilMs) return
        const next = Math.min(...[...timers.values()].map(({ dueAtMs }) => dueAtMs))
        machine.nowMs = Math.min(untilMs, Math.max(next, machine.nowMs + HOUR_MS))
      }
    },
  }
  return machine
}

/** The end of a provisioning is its last step's; all else follows from the ends of operations. */
function outcomeOf({ desired, status }: Operation, key: string): StepOutcome {
  if (key !== 'activate' || status === 'compensating') return { kind: 'done' }
  return {
    kind: 'done',
    facts: ['activated'],
    change: (tenant) => ({
      ...tenant,
      state: 'ACTIVE',
      observed: { ...tenant.observed, tier: desired.tier },
    }),
  }
}

export function ordered(machine: Machine, command: Command, origin?: CommandOrigin): Accepted {
  const accepted = machine.order(command, origin)
  if (!accepted.ok) throw new Error(`${command.name} in ${machine.tenant.state}: ${accepted.code}`)
  return accepted.value
}

/** The states that a tenant is found in: how it is brought there, by commands and a worker alone. */
export const WAYS: Readonly<Record<TenantState, (machine: Machine) => void>> = {
  REQUESTED: () => undefined,
  PROVISIONING: (machine) => void machine.work(1),
  PROVISION_FAILED: (machine) =>
    machine.rest((operation) => (operation.status === 'running' ? REFUSED : undefined)),
  REJECTED: (machine) => void ordered(machine, COMMANDS.offboard),
  ACTIVE: (machine) => machine.rest(),
  TIER_CHANGING: (machine) => underWay(machine, 'tier-change'),
  SUSPENDING: (machine) => underWay(machine, 'suspend'),
  SUSPENDED: (machine) => {
    underWay(machine, 'suspend')
    machine.rest()
  },
  RESUMING: (machine) => {
    WAYS.SUSPENDED(machine)
    ordered(machine, COMMANDS.resume)
    machine.work(1)
  },
  OFFBOARDING: (machine) => underWay(machine, 'offboard'),
  GRACE: (machine) => {
    underWay(machine, 'offboard')
    machine.rest()
  },
  PURGING: (machine) => {
    machine.rest()
    approve(machine)
    machine.work(1)
  },
  PURGED: (machine) => {
    WAYS.PURGING(machine)
    machine.rest()
  },
}

export const REFUSED: StepOutcome = {
  kind: 'failed',
  failure: { kind: 'refused', code: 'test.refused', text: 'no' },
}

export const COMMANDS = {
  'tier-change': { name: 'tier-change', toTier: 'premium', effective: 'now' },
  suspend: { name: 'suspend', mode: 'soft', reason: 'admin' },
  resume: { name: 'resume' },
  offboard: { name: 'offboard', graceDays: 30, export: false },
  'offboard-cancel': { name: 'offboard-cancel' },
  purge: { name: 'purge', approver: 'grace', reason: 'asked for' },
  export: { name: 'export', scope: 'all' },
  reconcile: { name: 'reconcile' },
} as const satisfies Partial<Record<Command['name'], Command>>

/** The words of two people. */
export function approve(machine: Machine): Result<Accepted> {
  const first = machine.order({ ...COMMANDS.purge, approver: 'ada' })
  return first.ok && first.value.operationId === null ? machine.order(COMMANDS.purge) : first
}

function underWay(machine: Machine, name: 'tier-change' | 'suspend' | 'offboard'): void {
  machine.rest()
  ordered(machine, COMMANDS[name])
  machine.work(1)
}

export function aTenantIn(state: TenantState): Machine {
  const machine = aMachine()
  WAYS[state](machine)
  if (machine.tenant.state !== state) throw new Error(`the tenant is ${machine.tenant.state}, not ${state}`)
  return machine
}
