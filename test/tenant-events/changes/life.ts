import type { SlotsFreezeRequested } from '#shared/contracts/events/slots-freeze-requested.ts'
import { slotsHeld } from '#shared/contracts/events/slots-held.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { eventClaim } from '#shared/firestore/claim.ts'
import type { TenantId } from '#shared/ids.ts'
import { asRecord, digestOf } from '#shared/json.ts'
import type { Result } from '#shared/result.ts'
import type { Command, CommandOrigin } from '../../../functions/tenant-events/domain/command.ts'
import type { Operation } from '../../../functions/tenant-events/domain/operation.ts'
import type { Tenant } from '../../../functions/tenant-events/domain/tenant.ts'
import { lifecycleEvents } from '../../../functions/tenant-events/events.ts'
import { requestCommand } from '../../../functions/tenant-events/operations/request-command.ts'
import { resumeDueOperations } from '../../../functions/tenant-events/operations/resume-due-operations.ts'
import { runTimers } from '../../../functions/tenant-events/operations/run-timers.ts'
import type { LifecycleDeps, LiveObject } from '../../../functions/tenant-events/ports.ts'
import { hear, newOthers, type Others, tierOf } from '../crash/others.ts'
import { putObject } from '../memory-purge.ts'
import type { Message } from '../messages.ts'
import {
  ACME,
  aWorld,
  type Crash,
  contextOf,
  factsOf,
  LOG,
  NO_DEADLINE,
  request,
  TRACE,
  type World,
} from '../world.ts'

export const MINUTE_MS = 60_000
export const DAY_MS = 86_400_000

/** One tenant of the tier standard, and all who have to do with it. */
export type Life = {
  readonly world: World
  readonly others: Others
  /** The parts of a process, one that crashes at a call if so. */
  process(crash?: Crash): LifecycleDeps
  /** Workflows that run: billing says that the slots are drained when there are none. */
  runningWorkflows: number
  /** Events as others send them, delivered with the next `run`. */
  readonly inbox: Message[]
  order(command: Command, origin?: CommandOrigin): Promise<Result<{ operationId: string | null }>>
  /** Delivers messages until there are none, each twice; time stands still. */
  run(next?: () => LifecycleDeps): Promise<void>
  /** Lets time pass, and all that is due in it happen. */
  pass(ms: number, next?: () => LifecycleDeps): Promise<void>
  tenant(): Tenant
  operation(operationId: string): Operation
  operations(kind: Operation['kind']): Operation[]
  /** Facts since the tenant was active, but those about the way. */
  facts(): string[]
  /** The tier that is paid for. */
  paid(): string | undefined
  live(path: string): LiveObject
}

/** A tenant that was just activated. */
export async function aLife(tier: Tenant['desired']['tier'] = 'standard'): Promise<Life> {
  const world = aWorld()
  const others = newOthers()
  const queued: Message[] = []
  const waiting: Message[] = []
  let taken = 0
  let activatedAt = 0
  const { clock, store } = world
  const collect = (): void => {
    queued.push(...store.outbox.slice(taken), ...life.inbox.splice(0))
    taken = store.outbox.length
    for (const freeze of waiting.splice(0)) {
      const { operationId, limitSeconds = Number.POSITIVE_INFINITY } = freeze.event
        .data as SlotsFreezeRequested
      if (others.accounts.get(ACME)?.freeze?.operationId !== operationId) continue
      if (life.runningWorkflows === 0) queued.push(freeze)
      else if (clock.now() < Date.parse(freeze.event.time) + limitSeconds * 1000) waiting.push(freeze)
      else queued.push(heldFact(operationId, clock.now()))
    }
  }
  const put = (name: string, bytes: Uint8Array): void => putObject(world.leaving, name, bytes)
  const deliver = async (message: Message, deps: LifecycleDeps): Promise<void> => {
    const { topic, event } = message
    if (topic === 'billing-commands' || topic === 'auth-events' || topic === 'tenant-facts') {
      const freezes = event.type.includes('slots-freeze')
      if (freezes && life.runningWorkflows > 0) freeze(message)
      else queued.push(...hear(others, message, { nowMs: clock.now(), isGone: false, put }))
      return
    }
    const handler = lifecycleEvents(deps).find(({ type }) => type === event.type)
    if (handler === undefined) throw new TypeError(`nobody hears ${event.type}`)
    const received = await handler.receive({
      event: { ...event, data: asRecord(event.data) ?? {} },
      ctx: contextOf(event.tenantid as TenantId),
      claim: eventClaim(event, digestOf(event)),
      ...{ nowMs: clock.now(), trace: TRACE, signal: NO_DEADLINE, log: LOG },
    })
    if (!received.ok) throw new Error(`${event.id}: ${received.code}`)
  }
  /** Billing remembers, and says so once nothing runs. */
  const freeze = (message: Message): void => {
    const account = others.accounts.get(ACME)
    const operationId = String(asRecord(message.event.data)?.['operationId'])
    if (account !== undefined) account.freeze = { operationId, after: 0n }
    waiting.push(message)
  }
  const life: Life = {
    world,
    others,
    process: (crash) => ({
      ...world.process(crash),
      queue: { enqueue: async (_tenantId, message) => void queued.push(message) },
    }),
    runningWorkflows: 0,
    inbox: [],
    order: (command, origin = { by: 'operator' }) =>
      requestCommand(life.process(), {
        ctx: contextOf(ACME),
        command,
        origin,
        claim: undefined,
        nowMs: clock.now(),
        trace: TRACE,
      }),
    run: async (next = () => life.process()) => {
      for (collect(); queued.length > 0; collect()) {
        const message = queued.shift()
        if (message === undefined) return
        // The second is the copy, or the redelivery after the crash.
        await deliver(message, next()).catch((error: unknown) => {
          if (!(error instanceof Error && error.constructor.name === 'ProcessDied')) throw error
        })
        await deliver(message, life.process())
      }
    },
    pass: async (ms, next) => {
      const untilMs = clock.now() + ms
      for (;;) {
        await life.run(next)
        if (clock.now() >= untilMs) return
        clock.advance(Math.min(stepMs(life, clock.now()), untilMs - clock.now()))
        await resumeDueOperations(life.process(), clock.now(), LOG)
        await runTimers(life.process(), { nowMs: clock.now(), log: LOG })
      }
    },
    tenant: () => {
      const tenant = store.tenants.get(ACME)
      if (tenant === undefined) throw new Error('there is no tenant')
      return tenant
    },
    operation: (operationId) => {
      const operation = store.operations.get(operationId)
      if (operation === undefined) throw new Error(`there is no operation ${operationId}`)
      return operation
    },
    operations: (kind) => [...store.operations.values()].filter((operation) => operation.kind === kind),
    facts: () => factsOf(store).slice(activatedAt),
    paid: () => {
      const account = others.accounts.get(ACME)
      return account === undefined ? undefined : tierOf(account)
    },
    live: (path) => {
      const found = world.cluster.objects.get(path)
      if (found === undefined) throw new Error(`there is no ${path}`)
      return found
    },
  }
  await request(world, { tier })
  await life.pass(MINUTE_MS)
  if (life.tenant().state !== 'ACTIVE') throw new Error(`the tenant is ${life.tenant().state}`)
  activatedAt = factsOf(store).length
  return life
}

/** As billing says it when workflows had their time. */
function heldFact(operationId: string, nowMs: number): Message {
  const data = { tenantId: ACME, operationId, at: new Date(nowMs).toISOString() }
  const id = `slots-held.${operationId}`
  const source = '//energent.ai/billing'
  return {
    topic: 'billing-facts',
    event: newEvent({ id, source, type: slotsHeld.type, tenantId: ACME, nowMs, data }),
  }
}

/** A minute while something is under way, hours while a tenant only waits for its day. */
function stepMs(life: Life, nowMs: number): number {
  if (life.tenant().op !== null) return MINUTE_MS
  const dueMs = life.tenant().queue.flatMap(({ notBeforeMs }) => notBeforeMs ?? [])
  return Math.max(MINUTE_MS, Math.min(60 * MINUTE_MS, ...dueMs.map((due) => due - nowMs)))
}

/** A process that dies at its `at`-th call, once; those after it live. */
export function dyingAt(life: Life, at: number, mode: Crash['mode']) {
  const crash: Crash = { at, mode }
  return { crash, next: () => (crash.reached === true ? life.process() : life.process(crash)) }
}
