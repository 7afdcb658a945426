import { CLOUD_EVENT_BATCH_TYPE } from '#shared/contracts/cloud-event.ts'
import type { ApiReply, TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { PLATFORM_TENANT, type TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import type { Result } from '#shared/result.ts'
import { TenantContext } from '#shared/tenancy/context.ts'
import { prove } from '#shared/tenancy/proofs.ts'
import type { Instance } from '#shared/testing/instances.ts'
import type { Random } from '#shared/testing/random.ts'
import type { Simulation } from '#shared/testing/simulation.ts'
import { ghostFact, regret } from './commands.ts'
import type { Fleet, Wired } from './fleet.ts'
import type { SimulatedPubSub } from './ground/pubsub.ts'

/** What the outside does to the platform, and what must be true of it in the end. */
export type Workload = {
  /** Tenants that were asked for. */
  readonly tenants: readonly string[]
  readonly messages: readonly UsageMessage[]
  /** Ids of events that can never count. */
  readonly poison: ReadonlySet<string>
  /** A tenant whose subscription was asked for, cancelled, and asked for by others, in whatever order. */
  readonly cancelled: string | undefined
  /** Requests not answered yet. */
  pending(): number
}

export type UsageMessage = {
  /** Whether the tenant sends it to the API, or a collector publishes it: what each says is a batch of its own. */
  readonly producer: 'tenant' | 'collector'
  /** Good events by tenant. */
  readonly good: ReadonlyMap<string, readonly UsageRaw[]>
  /** Events by tenant that are good or too early, by the clock of whoever looks. */
  readonly early: ReadonlyMap<string, readonly UsageRaw[]>
  readonly elements: readonly UsageRaw[]
}

export type UsageRaw = {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly data: Readonly<Record<string, unknown>>
}

/** A tenant that was deleted before it all began: nothing of it may ever count. */
export const GHOST = 'ghost'
/** A tenant of somebody's own scripts, which billing alone hears of. */
const REGRETFUL = 'umbrella'
const NAMES = ['acme', 'globex', 'initech'] as const
const METERS = [
  ['agent_minutes', 3],
  ['llm_tokens_in', 0],
  ['workflow_runs', undefined],
] as const

/** Lets the world begin: tenants are asked for, usage is sent, and whoever gets no answer asks again. */
export function startWorkload(simulation: Simulation, fleet: Fleet, pubsub: SimulatedPubSub): Workload {
  const chance = simulation.random('workload')
  const { time, phases } = simulation
  const loadMs = phases.calmMs - phases.startMs
  const tenants = NAMES.slice(0, chance.pick([1, 1, 2, 3]))
  const known = chance.chance(0.7) ? [...tenants, GHOST] : tenants
  const poison = new Set<string>()
  const messages = Array.from({ length: chance.between(3, 7) }, (_none, index) =>
    usageMessage(chance, known, index, phases.startMs, poison),
  )
  const copied = messages.flatMap((message) => (chance.chance(0.15) ? [partOf(message)] : []))
  let pending = 0
  const client = (ask: (answered: (again: boolean) => void) => void): void => {
    pending += 1
    const attempt = (): void =>
      ask((again) => {
        if (again || simulation.plan.deliveryFault('ack-lost', time.now())) {
          simulation.count('client-retry')
          time.after(chance.between(500, 30_000), attempt)
        } else pending -= 1
      })
    time.after(chance.between(0, loadMs), attempt)
  }
  const cancelled = chance.chance(0.5) ? REGRETFUL : undefined
  if (cancelled !== undefined) {
    const tier = chance.pick(['standard', 'enterprise', 'enterprise'] as const)
    const [asked, undone, ...others] = regret(cancelled, phases.startMs, tier)
    const atMs = chance.between(0, loadMs)
    time.after(chance.between(0, chance.chance(0.7) ? atMs : loadMs), () => pubsub.publish(asked))
    time.after(atMs, () => pubsub.publish(undone))
    // Other operations ask while the one before is undone.
    for (const other of others) time.after(atMs + chance.between(0, 60), () => pubsub.publish(other))
  }
  if (known.includes(GHOST)) pubsub.publish(ghostFact(GHOST, phases.startMs))
  for (const tenant of tenants) client(askForTenant(simulation, fleet, tenant))
  for (const message of [...messages, ...copied]) {
    const [tenant] = message.good.keys()
    if (message.producer === 'tenant' && tenant !== undefined)
      client(sendUsage(simulation, fleet, tenant, message))
    else time.after(chance.between(0, loadMs), () => pubsub.publish(usageOn(message)))
  }
  return { tenants, messages: [...messages, ...copied], poison, cancelled, pending: () => pending }
}

function usageMessage(
  chance: Random,
  tenants: readonly string[],
  index: number,
  startMs: number,
  poison: Set<string>,
): UsageMessage {
  const about = chance.chance(0.3) ? tenants : [chance.pick(tenants)]
  const good = new Map<string, UsageRaw[]>()
  for (const tenant of about) {
    const events = Array.from({ length: chance.between(1, 4) }, (_none, at) =>
      usageEvent(chance, tenant, `m${index}.${tenant}.${at}`, startMs),
    )
    good.set(tenant, events)
  }
  const elements = [...good.values()].flat()
  if (chance.chance(0.3)) {
    const bad = badEvent(chance, tenants, `m${index}.bad`, startMs)
    poison.add(bad.id)
    elements.splice(chance.between(0, elements.length), 0, bad)
  }
  const [bad] = elements.filter(({ id }) => poison.has(id))
  const early = new Map<string, UsageRaw[]>()
  const hasty = chance.pick([...good.keys()])
  if (chance.chance(0.4) && hasty !== GHOST) {
    const time = new Date(startMs + chance.between(3 * 60_000, 14 * 60_000)).toISOString()
    early.set(hasty, [{ ...usageEvent(chance, hasty, `m${index}.early`, startMs), time }])
    elements.push(...(early.get(hasty) ?? []))
  }
  const single = good.size === 1 && bad === undefined && early.size === 0
  return { producer: single && chance.chance(0.5) ? 'tenant' : 'collector', good, early, elements }
}

/** Some of a message's events again, in a message of their own: copies that only the ledger can tell. */
function partOf(message: UsageMessage): UsageMessage {
  const [first] = message.good
  if (first === undefined) throw new TypeError('a message without events')
  const [tenant, events] = first
  const part = events.slice(0, 1)
  return { producer: message.producer, good: new Map([[tenant, part]]), early: new Map(), elements: part }
}

function usageEvent(chance: Random, tenant: string, id: string, startMs: number): UsageRaw {
  const [meter, scale] = chance.pick(METERS)
  const value =
    scale === undefined ? {} : { value: (chance.between(1, 10_000_000) / 10 ** scale).toFixed(scale) }
  return {
    ...{ specversion: '1.0', id, source: '//agents.example/pods/agent-7' },
    type: `ai.energent.usage.${meter}.v1`,
    subject: `tenants/${tenant}`,
    time: new Date(startMs - chance.between(300_000, 3 * 3_600_000)).toISOString(),
    data: value,
  }
}

/** What no redelivery makes better: a value that is none, a type nobody knows, a tenant that is not its own. */
function badEvent(chance: Random, tenants: readonly string[], id: string, startMs: number): UsageRaw {
  const tenant = chance.pick(tenants)
  const event = usageEvent(chance, tenant, id, startMs)
  const other = tenants.find((name) => name !== tenant) ?? 'umbrella'
  const kind = chance.pick(['value', 'type', 'forged', 'forged'] as const)
  if (kind === 'value')
    return { ...event, type: 'ai.energent.usage.agent_minutes.v1', data: { value: 'many' } }
  if (kind === 'type') return { ...event, type: 'ai.energent.usage.wishes.v1' }
  return { ...event, data: { ...event.data, tenantId: other } }
}

function usageOn(message: UsageMessage) {
  return {
    topic: 'billing-events',
    data: Buffer.from(JSON.stringify(message.elements)),
    attributes: { 'content-type': CLOUD_EVENT_BATCH_TYPE },
  }
}

type Ask = (answered: (again: boolean) => void) => void

/** An operator creates a tenant under one Idempotency-Key until told that it is done. */
function askForTenant(simulation: Simulation, fleet: Fleet, tenant: string): Ask {
  const body = JSON.stringify({
    ...{ tenantId: tenant, displayName: tenant, tier: 'standard' },
    ...{ deploymentModel: 'multi_tenant', region: 'us-central1' },
  })
  const operations = new Set<string>()
  const work = ({ tenants }: Wired, instance: Instance) =>
    handled(
      tenants?.createTenant,
      requestOf(instance, 'createTenant', PLATFORM_TENANT, body, `create ${tenant}`),
    )
  return (answered) =>
    fleet.request('tenants-api', `create ${tenant}`, new Set([tenant]), work, (ending) => {
      if (ending.kind !== 'done') return answered(true)
      const reply = ending.value
      if (!reply.ok)
        simulation.violated(`creating ${tenant} again was refused: ${reply.code} ${reply.detail}`)
      else operations.add(String((reply.value.json as { operationId?: string }).operationId))
      if (operations.size > 1)
        simulation.violated(`${tenant} was created by ${[...operations].join(' and ')}`)
      answered(false)
    })
}

function sendUsage(simulation: Simulation, fleet: Fleet, tenant: string, message: UsageMessage): Ask {
  const body = JSON.stringify(message.elements)
  const work = ({ billing }: Wired, instance: Instance) =>
    handled(billing?.recordUsage, requestOf(instance, 'recordUsage', tenant as TenantId, body))
  return (answered) =>
    fleet.request('billing-api', `usage of ${tenant}`, new Set([tenant]), work, (ending) => {
      if (ending.kind !== 'done') return answered(true)
      if (!ending.value.ok) simulation.violated(`good usage was refused: ${ending.value.detail}`)
      answered(false)
    })
}

async function handled(
  handler: TenantHandler | undefined,
  request: TenantRequest,
): Promise<Result<ApiReply>> {
  if (handler === undefined) throw new TypeError('the function has no such route')
  return handler(request)
}

function requestOf(
  instance: Instance,
  operationId: 'createTenant' | 'recordUsage',
  tenant: TenantId,
  body: string,
  idempotencyKey?: string,
): TenantRequest {
  const nowMs = instance.clock.now()
  const token = prove.token({
    ...{
      tenant,
      subject: 'client:simulated',
      clientId: 'simulated',
      tokenId: 't',
      roles: [],
      tier: 'standard',
    },
    scopes: new Set(['platform:tenants', 'usage:write']),
    issuedAt: Math.floor(nowMs / 1000),
    expiresAt: Math.floor(nowMs / 1000) + 600,
  })
  const request = {
    ...{ operationId, params: {}, query: {}, authorization: undefined, contentType: 'application/json' },
    header: (name: string) =>
      name.toLowerCase() === 'idempotency-key' ? idempotencyKey?.replaceAll(' ', '-') : undefined,
    ...{ body: Buffer.from(body), requestId: 'r', clientAddress: '127.0.0.1', nowMs, log: silentLogger },
    trace: { traceId: instance.ids.bytes(16).toString('hex'), spanId: 'b'.repeat(16), sampled: false },
    signal: new AbortController().signal,
    token,
    ctx: new TenantContext(token),
  }
  return request as unknown as TenantRequest
}
