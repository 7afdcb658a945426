import { type Mutation, mutationsOf } from './mutation.ts'

const COMMANDS = 'test/tenant-events/lifecycle/commands.test.ts'
const DEPARTURES = 'test/tenant-events/lifecycle/departures.test.ts'
const CONVERGENCE = 'test/tenant-events/lifecycle/convergence.test.ts'
const TABLE = 'test/tenant-events/lifecycle/state-table.test.ts'
const HEARD = 'test/tenant-events/operations/hear-command.test.ts'
const TIMERS = 'test/tenant-events/operations/run-timers.test.ts'

/** Who may end a tenant and when, whose word counts, and that one operation follows the other. */
export const STATE_MACHINE: readonly Mutation[] = [
  ...mutationsOf(
    'functions/tenant-events/domain/commands/purge.ts',
    [DEPARTURES],
    [
      ['the second person', 'valid.some((approval) => approval.approver === approver)', 'false'],
      ['the week of an approval', 'options.nowMs - atMs < APPROVAL_LIFE_MS', 'true'],
      [
        'the legal hold',
        'if (legalHold === null) return undefined',
        'if (legalHold !== undefined) return undefined',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/domain/accept-command.ts',
    [COMMANDS, HEARD],
    [
      [
        'the number of a command',
        'if (last !== undefined && origin.commandSeq <= BigInt(last)) return undefined',
        '',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/domain/suspension.ts',
    [COMMANDS],
    [
      [
        'the hold of an operator, when a bill is paid',
        "by === 'operator' ? [] : tenant.holds.filter((held) => held.by !== by)",
        '[]',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/domain/commands/departure.ts',
    [DEPARTURES],
    [
      ['the purge that outranks a change of mind', "waitingIn(draft, 'purge') !== undefined) {", 'false) {'],
      ['the time that is never shortened', 'command.graceDays < pendingDays', 'false'],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/domain/commands/change-tier.ts',
    [COMMANDS],
    [['the revision that was seen', 'expectedRevision !== revision', 'false']],
  ),
  ...mutationsOf(
    'functions/tenant-events/domain/follow-desired.ts',
    [COMMANDS],
    [
      ['the fences of former workers', 'Math.max(fence, op?.fence ?? 0)', 'fence'],
      [
        'the state that was entered already',
        'mayStart(state, kind) || state === PLANS[kind].runningState',
        'mayStart(state, kind)',
        [CONVERGENCE],
      ],
      ['the end of what has no place', "if (verdict === 'reject') return 'cancelled'", '', [TABLE, COMMANDS]],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/domain/due.ts',
    [TIMERS],
    [
      [
        'the legal hold at the end of grace',
        'if (!over || legalHold !== null) return draft',
        'if (!over) return draft',
      ],
      ['the day of a cancelled departure', 'tenant.graceEndsAtMs !== timer.dueAtMs', 'false', [DEPARTURES]],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/operations/hear-command.ts',
    [HEARD],
    [
      ['the source of commands', 'event.source !== BILLING', 'false'],
      ['the patience with a tenant to come', 'nowMs - Date.parse(event.time) < PATIENCE_MS', 'false'],
    ],
  ),
]
