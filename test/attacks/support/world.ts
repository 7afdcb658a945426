import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { functionUri } from '#local/stack/accounts.ts'
import type { Credentials } from '#local/stack/api-client.ts'
import { TENANT_SCOPES } from '#shared/catalogue/scopes.ts'
import type { FunctionId } from '#shared/catalogue.ts'
import { eventually, startTestStack, type TestStack } from '../../e2e/test-stack.ts'
import type { Seen } from './answer.ts'
import { type Canary, startCanary } from './canary.ts'
import { ecKey, jwkOf, type Members, type Signer, signed } from './forge.ts'
import { type Outside, startOutside } from './outside.ts'
import { secondAuth } from './second-auth.ts'
import { basic, bearer, type Call, form, json, send } from './send.ts'
import { ringKey } from './stolen-keys.ts'
import { type People, signInPeople } from './victims.ts'

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'
/** The tenant that is attacked, and the one of the attacker. Both are of the largest tier: no rate is in the way. */
export const VICTIM = 'globex'
export const ATTACKER = 'mallory'

/** One tenant's clients, by what they are for. */
export type Clients = {
  /** Holds every scope of a tenant, and may exchange. */
  readonly machine: Credentials
  /** Holds `tenant:read` alone. */
  readonly modest: Credentials
  /** Signs people in with a secret of its own. */
  readonly web: Credentials
  /** Proves itself with `clientKey`. */
  readonly asserting: { readonly clientId: string }
  /** Takes no token that is not bound to a key. */
  readonly bound: Credentials
}

/** Where the attacks take place: a running stack, its people, and what an attacker has. */
export type World = {
  readonly stack: TestStack
  /** Where the gateway is: issuer, audience and base of everything. */
  readonly base: string
  readonly victim: Clients
  readonly attacker: Clients
  readonly people: People
  /** An operator with every platform scope, and one with `platform:read` and `platform:operate`. */
  readonly admin: Credentials
  readonly support: Credentials
  /** Access tokens by client credentials, kept for the run. */
  readonly tokens: Readonly<Record<'victim' | 'modest' | 'attacker' | 'admin' | 'support', string>>
  /** API keys with every scope. */
  readonly apiKeys: Readonly<Record<'victim' | 'attacker', string>>
  /** What nobody but we have: for tokens that are signed as ours and say what we never say. */
  readonly ours: Signer
  readonly events: Signer
  /** The attacker's own key, and the one of the clients `asserting`. */
  readonly mine: KeyObject
  readonly clientKey: KeyObject
  /** Inside, for nobody to be led to; and outside, where the attacker answers as it likes. */
  readonly canary: Canary
  readonly outside: Outside
  now(): number
  /** Through the gateway. */
  at(path: string, call?: Partial<Call>): Promise<Seen>
  /** Past the gateway, with the identity token that only the gateway's account gets. */
  behind(id: FunctionId, call: Call): Promise<Seen>
  /** Past the gateway as some other account, or with another function's audience. */
  behindAs(email: string, id: FunctionId, call: Call, audience?: FunctionId): Promise<Seen>
  /** Past the gateway with nothing but what is sent. */
  behindAlone(id: FunctionId, call: Call): Promise<Seen>
  /** The same at another process of the function auth. */
  behindOther(call: Call): Promise<Seen>
  /** The token endpoint, by client credentials in HTTP Basic where given. */
  ask(
    fields: Readonly<Record<string, string>> | string,
    client?: Credentials,
    more?: Call['headers'],
  ): Promise<Seen>
  /** The victim's record by a bearer token. */
  read(token: string): Promise<Seen>
  /** An access token with our own signature, of the victim's machine unless told otherwise. */
  minted(claims?: Members, header?: Members): string
  /** What the victim's machine would be told, were the claims ours. */
  claims(change?: Members): Members
}

export async function startWorld(): Promise<{ world: World; close(): Promise<void> }> {
  const stack = await startTestStack()
  const canary = await startCanary()
  const outside = await startOutside(canary.url)
  const info = stack.info()
  const base = info.gatewayUrl
  const api = stack.api()
  const adminToken = await api.token(info.operator)
  const call = (path: string, request: Partial<Call> = {}): Promise<Seen> => send(base, { path, ...request })
  const manage = async (
    path: string,
    body: unknown,
    token = adminToken,
  ): Promise<Record<string, unknown>> => {
    const made = await api.call('POST', path, { token, json: body })
    if (made.status > 202) throw new Error(`${path}: ${made.status} ${JSON.stringify(made.body)}`)
    return made.body
  }
  const clientKey = ecKey().privateKey
  const [, ours, events] = await Promise.all([
    makeTenant(stack, adminToken, manage),
    ringKey(stack, 'access'),
    ringKey(stack, 'events'),
  ])
  const clientsOf = (tenantId: string) => makeClients(tenantId, clientKey, manage)
  const [victim, attacker, support, people, other] = await Promise.all([
    clientsOf(VICTIM),
    clientsOf(ATTACKER),
    manage('/v1/tenants/platform/clients', { scopes: ['platform:read', 'platform:operate'] }),
    signInPeople(stack),
    secondAuth(stack, [outside.host]),
  ])
  const tokenOf = (client: Credentials): Promise<string> => api.token(client)
  const [victimToken, modest, attackerToken, supportToken] = await Promise.all(
    [victim.machine, victim.modest, attacker.machine, support as Credentials].map(tokenOf),
  )
  const tokens = {
    victim: victimToken,
    modest,
    attacker: attackerToken,
    admin: adminToken,
    support: supportToken,
  }
  const keyOf = async (tenantId: string, token: string | undefined): Promise<string> =>
    String((await manage(`/v1/tenants/${tenantId}/api-keys`, { scopes: TENANT_SCOPES }, token))['key'])
  const apiKeys = { victim: await keyOf(VICTIM, victimToken), attacker: await keyOf(ATTACKER, attackerToken) }
  const now = (): number => Math.floor(stack.parts().now() / 1000)
  const callers = new Map<FunctionId, string>()
  const caller = async (id: FunctionId): Promise<string> => {
    const { accounts, google } = stack.parts()
    const audience = functionUri(info.project, id)
    const known = callers.get(id) ?? (await google.mintIdToken({ email: accounts.gateway, audience }))
    callers.set(id, known)
    return known
  }
  const past = async (url: string, id: FunctionId, request: Call): Promise<Seen> =>
    send(url, { ...request, headers: [...bearer(await caller(id)), ...(request.headers ?? [])] })
  let minted = 0
  const nextId = (): string => {
    minted += 1
    return `attack-${minted}`
  }
  const claims = (change: Members = {}): Members => ({
    ...{ iss: base, sub: victim.machine.clientId, aud: base, exp: now() + 300, iat: now() - 1 },
    ...{ jti: nextId(), client_id: victim.machine.clientId },
    ...{ scope: TENANT_SCOPES.join(' '), tenant: VICTIM, tier: 'enterprise', roles: [], ver: 1 },
    ...change,
  })
  const world: World = {
    ...{ stack, base, victim, attacker, people, canary, outside, ours, events, clientKey, apiKeys },
    ...{ admin: info.operator, support: support as Credentials },
    tokens: tokens as World['tokens'],
    mine: ecKey().privateKey,
    now,
    at: call,
    behind: (id, request) => past(info.functions[id]?.url ?? '', id, request),
    behindAs: async (email, id, request, audience = id) => {
      const token = await stack
        .parts()
        .google.mintIdToken({ email, audience: functionUri(info.project, audience) })
      return send(info.functions[id]?.url ?? '', {
        ...request,
        headers: [...bearer(token), ...(request.headers ?? [])],
      })
    },
    behindAlone: (id, request) => send(info.functions[id]?.url ?? '', request),
    behindOther: (request) => past(other.url, 'auth', request),
    ask: (fields, client, more = []) => {
      const { headers = [], ...rest } = form(fields)
      const by = client === undefined ? [] : basic(client.clientId, client.clientSecret)
      return call('/oauth2/token', { ...rest, headers: [...headers, ...by, ...more] })
    },
    read: (token) => call(`/v1/tenants/${VICTIM}`, { headers: bearer(token) }),
    claims,
    minted: (change, header) =>
      signed({ alg: 'ES256', typ: 'at+jwt', kid: ours.kid, ...header }, claims(change), ours.key),
  }
  return {
    world,
    close: async () => {
      await Promise.all([other.close(), canary.close(), outside.close()])
      await stack.close()
    },
  }
}

type Manage = (path: string, body: unknown, token?: string) => Promise<Record<string, unknown>>

async function makeTenant(stack: TestStack, token: string, manage: Manage): Promise<void> {
  const { deploymentModel, region } = { deploymentModel: 'multi_tenant', region: 'us-central1' }
  await manage('/v1/tenants', {
    ...{ tenantId: ATTACKER, displayName: 'Mallory', tier: 'enterprise', deploymentModel, region },
  })
  await stack.parts().pusher.idle()
  await eventually('the tenant of the attacker', async () => {
    const listed = await stack.api().call('GET', `/v1/tenants/${ATTACKER}/clients`, { token })
    const { body } = await stack.api().call('GET', `/v1/tenants/${ATTACKER}`, { token })
    return listed.status === 200 && body['state'] === 'ACTIVE' ? true : undefined
  })
}

async function makeClients(tenantId: string, clientKey: KeyObject, manage: Manage): Promise<Clients> {
  const make = (settings: object) => manage(`/v1/tenants/${tenantId}/clients`, settings)
  const { kty, crv, x, y } = jwkOf(clientKey)
  const all = { scopes: TENANT_SCOPES, grants: ['client_credentials', EXCHANGE] }
  const [machine, modest, web, asserting, bound] = await Promise.all([
    make(all),
    make({ ...all, scopes: ['tenant:read'] }),
    make({
      scopes: ['tenant:read', 'usage:read', 'users:manage'],
      grants: ['authorization_code', 'refresh_token'],
      redirectUris: ['https://app.example/callback', 'http://127.0.0.1/callback'],
    }),
    make({
      scopes: ['tenant:read', 'introspect'],
      authMethod: 'private_key_jwt',
      jwks: { keys: [{ kty, crv, x, y, kid: 'k1' }] },
    }),
    make({ scopes: ['tenant:read'], dpopRequired: true }),
  ])
  return { machine, modest, web, asserting, bound } as unknown as Clients
}

/** RSA keys take long to make: one for all who need one. */
export const anRsaKey = (() => {
  let made: KeyObject | undefined
  return (): KeyObject => {
    made ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    return made
  }
})()

export { bearer, json }
