import type { TopicName } from '#shared/contracts/topics.ts'
import type { OutgoingMessage } from '#shared/pubsub/publisher.ts'
import type { Acting } from './names.ts'
import type { Credentials, IsolationWorld, Reply, Waiting } from './world.ts'

export const TENANTS = ['acme', 'globex', 'initech'] as const
export type Tenant = (typeof TENANTS)[number]
export const READS = ['tenant', 'usage', 'invoice', 'operation'] as const

/** Something one of three tenants, an operator or Pub/Sub does. */
export type Command =
  | { readonly do: 'create'; readonly tenant: Tenant; readonly key: number }
  | { readonly do: 'operatorClient'; readonly tenant: Tenant; readonly key: number }
  | { readonly do: 'client'; readonly tenant: Tenant; readonly of: Tenant; readonly key: number }
  | { readonly do: 'usage'; readonly tenant: Tenant; readonly of: Tenant; readonly events: readonly number[] }
  | {
      readonly do: 'read'
      readonly tenant: Tenant
      readonly of: Tenant
      readonly what: (typeof READS)[number]
    }
  | { readonly do: 'operatorRead'; readonly of: Tenant; readonly what: (typeof READS)[number] }
  | { readonly do: 'list'; readonly as: Tenant | 'operator' }
  | { readonly do: 'deliver'; readonly at: number; readonly how: 'once' | 'twice' | 'keep' }
  | { readonly do: 'tamper'; readonly at: number; readonly where: Tampering; readonly to: Tenant }
  | { readonly do: 'sweep'; readonly of: 'auth' | 'billing-api' | 'tenants-api' }
  | { readonly do: 'wait'; readonly seconds: number }

export const TAMPERINGS = ['attribute', 'subject', 'tenantid', 'data'] as const
type Tampering = (typeof TAMPERINGS)[number]

/** What the story knows of each tenant; the world must agree at its end. */
export type Known = { credentials: Credentials | undefined; operationId: string; readonly sent: Set<number> }

export type Story = {
  readonly known: Readonly<Record<Tenant, Known>>
  play(command: Command): Promise<void>
  /** Delivers all that waits, sweeps included, until nothing does. */
  settle(): Promise<void>
  usageOf(tenant: Tenant): Promise<number>
}

/** A word that stands in one tenant's data and nobody else's. */
export const secretOf = (tenant: string): string => `only-for-${tenant}`

const TOKEN_LIFE_MS = 200_000
const MISSING = 'there-is-none'

/** A story in a world whose tenants are as `before` says. */
export function startStory(world: IsolationWorld, before: Readonly<Record<Tenant, Known>>): Story {
  const known = Object.fromEntries(
    TENANTS.map((tenant) => [tenant, { ...before[tenant], sent: new Set(before[tenant].sent) }]),
  ) as Record<Tenant, Known>
  const tokens = new Map<string, { token: string; atMs: number }>()
  const nowMs = (): number => world.clock.now()

  const tokenOf = async (who: Tenant | 'platform'): Promise<string | undefined> => {
    const credentials = who === 'platform' ? world.operator : known[who].credentials
    if (credentials === undefined) return undefined
    const kept = tokens.get(who)
    if (kept !== undefined && nowMs() - kept.atMs < TOKEN_LIFE_MS) return kept.token
    const { clientId, clientSecret } = credentials
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }
    // Looking a client up may only reach the tenant that its id names.
    const reply = await world.acting({ tenants: [who] }, () =>
      world.ask('auth', 'POST', '/oauth2/token', { form }),
    )
    if (reply.status !== 200) throw new Error(`no token for ${who}: ${reply.text}`)
    const token = String(reply.json['access_token'])
    tokens.set(who, { token, atMs: nowMs() })
    return token
  }

  const deliver = async ({ subscription, message }: Waiting, acting: Acting): Promise<void> => {
    const push = (): Promise<Reply> => world.push(subscription.listener, subscription.name, message)
    const reply = await world.acting(acting, push)
    if (reply.status !== 204) throw new Error(`${subscription.name} answered ${reply.status}: ${reply.text}`)
  }

  const settle = async (): Promise<void> => {
    for (let round = 0; round < 4; round += 1) {
      for (let next = world.waiting.shift(); next !== undefined; next = world.waiting.shift()) {
        await deliver(next, actingFor(next.message))
      }
      world.clock.advance(31_000)
      for (const of of ['auth', 'billing-api', 'tenants-api'] as const) await sweep(world, of)
    }
    if (world.waiting.length > 0) throw new Error('messages do not come to an end')
  }

  const readAs = async (
    who: Tenant | 'platform',
    of: Tenant,
    what: (typeof READS)[number],
  ): Promise<void> => {
    const token = await tokenOf(who)
    if (token === undefined) return
    const [functionId, path] = readOf(of, what, known[of].operationId)
    const tenants = who === of || who === 'platform' ? [of] : []
    const reply = await world.acting({ tenants, verifying: who }, () =>
      world.ask(functionId, 'GET', path, { token }),
    )
    if (tenants.length === 0) await requireMissing(who, reply, what, token)
    else if (![200, 404, 409].includes(reply.status)) throw new Error(`${who} reads ${path}: ${reply.status}`)
    requireNoSecrets(reply, tenants)
  }

  /** What belongs to another is answered as what is not there, byte for byte but the request's id. */
  const requireMissing = async (who: string, reply: Reply, what: (typeof READS)[number], token: string) => {
    const [functionId, path] = readOf(MISSING, what, 'op_1')
    const missing = await world.acting({ tenants: [], verifying: who }, () =>
      world.ask(functionId, 'GET', path, { token }),
    )
    if (reply.status !== 404 || withoutId(reply) !== withoutId(missing)) {
      throw new Error(`a foreign tenant differs from a missing one: ${reply.text} and ${missing.text}`)
    }
  }

  const createClient = async (who: Tenant | 'platform', of: Tenant, key: number): Promise<void> => {
    const token = await tokenOf(who)
    if (token === undefined) return
    const tenants = who === of || who === 'platform' ? [of] : []
    // One Idempotency-Key for several tenants: no tenant may get another's answer.
    const headers = { 'idempotency-key': `key-${key}` }
    const body = {
      name: secretOf(of),
      scopes: ['tenant:read', 'usage:read', 'usage:write', 'invoices:read', 'clients:manage'],
    }
    const path = `/v1/tenants/${of}/clients`
    const reply = await world.acting({ tenants, verifying: who }, () =>
      world.ask('auth', 'POST', path, { token, body, headers }),
    )
    requireNoSecrets(reply, tenants)
    if (tenants.length === 0 && reply.status !== 404) throw new Error(`${who} on ${path}: ${reply.status}`)
    const { clientId, clientSecret } = reply.json
    if (typeof clientId === 'string' && !clientId.startsWith(`cid_${of}_`))
      throw new Error(`${of} got ${clientId}`)
    if (reply.status === 201)
      known[of].credentials ??= { clientId: String(clientId), clientSecret: String(clientSecret) }
  }

  const report = async (tenant: Tenant, of: Tenant, events: readonly number[]): Promise<void> => {
    const token = await tokenOf(tenant)
    if (token === undefined || events.length === 0) return
    const body = events.map((id) => usageEvent(of, id))
    const ask = () => world.ask('billing-api', 'POST', '/v1/usage', { token, body })
    const reply = await world.acting({ tenants: [tenant], verifying: tenant }, ask)
    requireNoSecrets(reply, [tenant])
    if (tenant === of && reply.status === 202) for (const id of events) known[tenant].sent.add(id)
    if (tenant !== of && reply.status === 202) throw new Error(`${tenant} reported usage of ${of}`)
  }

  const create = async (tenant: Tenant, key: number): Promise<void> => {
    const token = await tokenOf('platform')
    const headers = { 'idempotency-key': `key-${key}` }
    const body = {
      tenantId: tenant,
      displayName: secretOf(tenant),
      tier: 'standard',
      deploymentModel: 'multi_tenant',
      region: 'us-central1',
    }
    const ask = () => world.ask('tenants-api', 'POST', '/v1/tenants', { token, body, headers })
    const reply = await world.acting({ tenants: [tenant], verifying: 'platform' }, ask)
    requireNoSecrets(reply, [tenant])
    if (reply.status === 202) known[tenant].operationId = String(reply.json['operationId'])
    else if (![409, 422].includes(reply.status)) throw new Error(`creating ${tenant}: ${reply.text}`)
  }

  const play = async (command: Command): Promise<void> => {
    switch (command.do) {
      case 'create':
        return create(command.tenant, command.key)
      case 'operatorClient':
        return createClient('platform', command.tenant, command.key)
      case 'client':
        return createClient(command.tenant, command.of, command.key)
      case 'usage':
        return report(command.tenant, command.of, command.events)
      case 'read':
        return readAs(command.tenant, command.of, command.what)
      case 'operatorRead':
        return readAs('platform', command.of, command.what)
      case 'list':
        return list(world, command.as, await tokenOf(command.as === 'operator' ? 'platform' : command.as))
      case 'deliver': {
        const [next] = world.waiting.splice(command.at % Math.max(world.waiting.length, 1), 1)
        if (next === undefined) return
        if (command.how !== 'once') await deliver(next, actingFor(next.message))
        if (command.how === 'keep') world.waiting.push(next)
        else await deliver(next, actingFor(next.message))
        return
      }
      case 'tamper': {
        const next = world.waiting[command.at % Math.max(world.waiting.length, 1)]
        // What does not agree with itself is nobody's: only whether a tenant is gone for good may be asked.
        const forged = next === undefined ? undefined : tampered(next.message, command.where, command.to)
        if (next !== undefined && forged !== undefined)
          await deliver({ ...next, message: forged }, { tenants: [], named: TENANTS })
        return
      }
      case 'sweep':
        return sweep(world, command.of)
      case 'wait':
        return void world.clock.advance(command.seconds * 1000)
    }
  }

  const usageOf = async (tenant: Tenant): Promise<number> => {
    const token = await tokenOf(tenant)
    const path = `/v1/tenants/${tenant}/usage?meter=workflow_runs`
    const reply = await world.acting({ tenants: [tenant], verifying: tenant }, () =>
      world.ask('billing-api', 'GET', path, { token }),
    )
    const [row] = (reply.json['data'] ?? []) as { readonly value: string }[]
    return Number(row?.value ?? 0)
  }

  return { known, play, settle, usageOf }
}

async function sweep(world: IsolationWorld, of: 'auth' | 'billing-api' | 'tenants-api'): Promise<void> {
  const reply = await world.acting({ tenants: [], listing: true }, () =>
    world.ask(of, 'POST', '/internal/sweep/run', { body: {} }),
  )
  if (reply.status !== 200) throw new Error(`sweep of ${of}: ${reply.status} ${reply.text}`)
}

async function list(
  world: IsolationWorld,
  as: Tenant | 'operator',
  token: string | undefined,
): Promise<void> {
  if (token === undefined) return
  const operator = as === 'operator'
  const acting = { tenants: [], listing: operator, verifying: operator ? 'platform' : as }
  const reply = await world.acting(acting, () =>
    world.ask('tenants-api', 'GET', '/v1/tenants?pageSize=2', { token }),
  )
  if (reply.status !== (operator ? 200 : 403)) throw new Error(`list as ${as}: ${reply.status} ${reply.text}`)
  if (!operator) requireNoSecrets(reply, [])
}

function readOf(tenant: string, what: (typeof READS)[number], operationId: string) {
  const base = `/v1/tenants/${tenant}`
  if (what === 'usage') return ['billing-api', `${base}/usage?meter=workflow_runs`] as const
  if (what === 'invoice') return ['billing-api', `${base}/invoices/upcoming`] as const
  if (what === 'operation') return ['tenants-api', `${base}/operations/${operationId}`] as const
  return ['tenants-api', base] as const
}

function usageEvent(tenant: string, id: number) {
  return {
    specversion: '1.0',
    id: `run-${id}`,
    source: `//agents.example/${secretOf(tenant)}`,
    type: 'ai.energent.usage.workflow_runs.v1',
    subject: `tenants/${tenant}`,
    time: '2026-11-23T08:00:00.000Z',
    data: { value: '1', dimensions: { outcome: 'succeeded' } },
  }
}

/** Whose documents a message may touch: the tenant that it is about, and that all its parts name. */
function actingFor(message: OutgoingMessage): Acting {
  const parsed: unknown = JSON.parse(Buffer.from(message.data).toString('utf8'))
  const events = (Array.isArray(parsed) ? parsed : [parsed]) as { readonly subject: string }[]
  return { tenants: [...new Set(events.map(({ subject }) => subject.slice('tenants/'.length)))] }
}

/** The message with one of the places that name its tenant changed; undefined when that changes nothing. */
function tampered(message: OutgoingMessage, where: Tampering, to: Tenant): OutgoingMessage | undefined {
  const topic = message.topic as TopicName
  const event = JSON.parse(Buffer.from(message.data).toString('utf8')) as Record<string, unknown>
  const [own] = actingFor(message).tenants
  // Usage of a batch may be of many tenants, and its events name theirs once.
  if (own === to || topic === 'billing-events') return undefined
  if (where === 'attribute') return { ...message, attributes: { ...message.attributes, tenantid: to } }
  const changed =
    where === 'subject'
      ? { ...event, subject: `tenants/${to}` }
      : where === 'tenantid'
        ? { ...event, tenantid: to }
        : { ...event, data: { ...(event['data'] as object), tenantId: to } }
  return { ...message, data: Buffer.from(JSON.stringify(changed)) }
}

function withoutId(reply: Reply): string {
  const { requestId: _id, ...rest } = reply.json
  return JSON.stringify([reply.status, rest])
}

/** No answer holds a word of a tenant that the caller may not see. */
function requireNoSecrets(reply: Reply, allowed: readonly string[]): void {
  const leaked = TENANTS.filter(
    (tenant) => !allowed.includes(tenant) && reply.text.includes(secretOf(tenant)),
  )
  if (leaked.length > 0)
    throw new Error(`an answer for ${allowed.join()} tells of ${leaked.join()}: ${reply.text}`)
}
