import { parseTenantId } from '#shared/ids.ts'
import { tenantClusterName } from '../../functions/tenant-events/domain/cloud-names.ts'
import type { ControlRoute } from './control.ts'
import { dumpTenant } from './dump.ts'
import type { FaultList } from './fault-list.ts'
import { inTurn } from './in-turn.ts'
import { StackError } from './options.ts'
import type { Parts } from './parts.ts'

type ControlDeps = {
  readonly project: string
  /** The parts of the moment: a reset replaces them. */
  readonly parts: () => Parts
  readonly faults: () => FaultList
  readonly reset: () => Promise<void>
  readonly audience: () => string
}

const IDLE_LIMIT_MS = 60_000
/** Beyond it no client can read the store's times any more, and only a reset would help. */
const MOST_SHIFT_MS = 10 * 366 * 24 * 3_600_000

/** The routes of contracts §8. */
export function controlRoutes(deps: ControlDeps): readonly ControlRoute[] {
  // A client that gave up leaves its advance running. Another one beside it would start from the same time,
  // and a job called beside it would carry a token of another time.
  const timed = inTurn()
  return [
    { method: 'GET', pattern: /^\/clock$/, handle: async () => clockOf(deps) },
    { method: 'POST', pattern: /^\/clock$/, handle: ({ body }) => timed(() => moveClock(deps, body)) },
    {
      method: 'POST',
      pattern: /^\/jobs\/([^/]+)\/run$/,
      handle: ({ params }) =>
        timed(async () => {
          const answer = await deps.parts().scheduler.run(params[0] ?? '')
          await settle(deps)
          return { answer }
        }),
    },
    { method: 'POST', pattern: /^\/tokens\/cluster$/, handle: async ({ body }) => clusterToken(deps, body) },
    {
      method: 'POST',
      pattern: /^\/tokens\/google$/,
      handle: async ({ body }) => ({
        token: await deps
          .parts()
          .google.mintIdToken({ email: text(body, 'email'), audience: text(body, 'audience') }),
      }),
    },
    {
      method: 'GET',
      pattern: /^\/messages$/,
      handle: async ({ query }) => ({ messages: broker(deps).messages(messageQuery(query)) }),
    },
    {
      method: 'POST',
      pattern: /^\/messages\/([^/]+)\/(deliver|duplicate|drop)$/,
      handle: async ({ params: [id = '', action], body }) => {
        const subscription = body['subscription'] === undefined ? undefined : text(body, 'subscription')
        const engine = broker(deps)
        if (action === 'deliver') engine.deliver(id, subscription)
        else if (action === 'duplicate') engine.duplicate(id, subscription)
        else engine.drop(id, subscription)
        await settle(deps)
        return {}
      },
    },
    { method: 'POST', pattern: /^\/faults$/, handle: async ({ body }) => deps.faults().add(body) },
    {
      method: 'DELETE',
      pattern: /^\/faults\/([^/]+)$/,
      handle: async ({ params }) => deps.faults().remove(params[0] ?? ''),
    },
    {
      method: 'POST',
      pattern: /^\/dns$/,
      handle: async ({ body }) => deps.parts().dns.set(text(body, 'name'), textsOf(body['txt'])),
    },
    {
      method: 'POST',
      pattern: /^\/memberships$/,
      handle: async ({ body }) => registerMember(deps, text(body, 'tenantId')),
    },
    {
      method: 'GET',
      pattern: /^\/dump$/,
      handle: async ({ query }) => dumpTenant(deps.parts(), deps.project, query.get('tenantId') ?? undefined),
    },
    {
      method: 'GET',
      pattern: /^\/attempts$/,
      handle: async () => ({ attempts: deps.parts().pusher.attempts() }),
    },
    { method: 'POST', pattern: /^\/reset$/, handle: async () => deps.reset() },
  ]
}

function clockOf(deps: ControlDeps): { now: string } {
  return { now: new Date(deps.parts().now()).toISOString() }
}

/** Moves the clock; forward it passes through every due job, and waits at each until nothing is under way. */
async function moveClock(
  deps: ControlDeps,
  body: Readonly<Record<string, unknown>>,
): Promise<{ now: string }> {
  const parts = deps.parts()
  const fromMs = parts.now()
  const toMs = targetOf(body, fromMs)
  if (Math.abs(toMs - Date.now()) > MOST_SHIFT_MS) {
    throw new StackError('The clock moves at most ten years away from the real time.')
  }
  const setNow = async (ms: number): Promise<void> => {
    // What is under way carries a token of the time before.
    await settle(deps)
    parts.clockFile.setOffsetMs(ms - Date.now())
    await settle(deps)
  }
  if (toMs <= fromMs) await setNow(toMs)
  else await parts.scheduler.advance(fromMs, toMs, setNow)
  parts.engines.firestore?.sweepTtl()
  return clockOf(deps)
}

function targetOf(body: Readonly<Record<string, unknown>>, fromMs: number): number {
  const { now, advanceSeconds } = body
  if (typeof now === 'string' && advanceSeconds === undefined) {
    const ms = Date.parse(now)
    if (!Number.isNaN(ms)) return ms
  }
  if (typeof advanceSeconds === 'number' && advanceSeconds >= 0 && now === undefined) {
    return fromMs + advanceSeconds * 1000
  }
  throw new StackError('Send {"now": "<ISO 8601>"} or {"advanceSeconds": <number>}.')
}

async function clusterToken(
  deps: ControlDeps,
  body: Readonly<Record<string, unknown>>,
): Promise<{ token: string }> {
  const tenantId = body['tenantId']
  const namespace = body['namespace'] ?? (tenantId === undefined ? undefined : `tenant-${String(tenantId)}`)
  if (typeof namespace !== 'string') throw new StackError('Send a namespace or a tenantId.')
  const ttlSeconds = body['ttlSeconds']
  if (ttlSeconds !== undefined && (typeof ttlSeconds !== 'number' || !(ttlSeconds > 0))) {
    throw new StackError('ttlSeconds must be a number above 0.')
  }
  return {
    token: await deps.parts().cluster.mintServiceAccountToken({
      namespace,
      serviceAccount: body['serviceAccount'] === undefined ? 'tenant-workload' : text(body, 'serviceAccount'),
      audience: body['audience'] === undefined ? deps.audience() : text(body, 'audience'),
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    }),
  }
}

/** What the administrator of a hybrid tenant does: registers their cluster under the name we look for. */
async function registerMember(deps: ControlDeps, tenantId: string): Promise<{ name: string }> {
  const parsed = parseTenantId(tenantId)
  if (!parsed.ok) throw new StackError('tenantId must be the id of a tenant.')
  const name = tenantClusterName(parsed.value)
  await deps.parts().fleet.register(name, { 'tenant-id': tenantId })
  return { name }
}

function broker(deps: ControlDeps) {
  const { pubsub } = deps.parts().engines
  if (pubsub === undefined) {
    throw new StackError("Google's Pub/Sub emulator does not show its messages; use the embedded engine.")
  }
  return pubsub
}

function messageQuery(query: URLSearchParams) {
  const topic = query.get('topic')
  const subscription = query.get('subscription')
  const state = query.get('state')
  const states = ['ready', 'leased', 'delayed', 'acked'] as const
  const known = states.find((candidate) => candidate === state)
  if (state !== null && known === undefined)
    throw new StackError(`state must be one of ${states.join(', ')}.`)
  return {
    ...(topic === null ? {} : { topic }),
    ...(subscription === null ? {} : { subscription }),
    ...(known === undefined ? {} : { state: known }),
  }
}

async function settle(deps: ControlDeps): Promise<void> {
  await deps.parts().pusher.idle({ timeoutMs: IDLE_LIMIT_MS })
}

function textsOf(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
    throw new StackError('txt must be a list of texts.')
  }
  return value.map(String)
}

function text(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name]
  if (typeof value !== 'string' || value === '') throw new StackError(`${name} must be a text.`)
  return value
}
