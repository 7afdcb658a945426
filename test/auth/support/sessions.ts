import { createHash } from 'node:crypto'
import type { TenantId } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { codeFields, codePath } from '../../../functions/auth/adapters/code-store.ts'
import type { AuthDeps } from '../../../functions/auth/deps.ts'
import {
  CODE_LIFE_MS,
  hashOfCode,
  type IssuedCode,
  newAuthorizationCode,
} from '../../../functions/auth/domain/authorization-code.ts'
import { type Client, MACHINE } from '../../../functions/auth/domain/client.ts'
import { newClientId } from '../../../functions/auth/domain/client-id.ts'
import { parseForm } from '../../../functions/auth/domain/form.ts'
import { platformState, type TenantAuthState } from '../../../functions/auth/domain/tenant-state.ts'
import { parseTokenRequest } from '../../../functions/auth/domain/token-request.ts'
import { newUser, newUserId, type User } from '../../../functions/auth/domain/user.ts'
import { answerTokenRequest } from '../../../functions/auth/operations/grants.ts'
import type { AuthStack } from './auth-stack.ts'

export const VERIFIER = 'a-verifier-of-at-least-43-characters-0123456789'
export const REDIRECT_URI = 'https://app.example/callback'
export const CONNECTION = 'con_corporate'

/** A tenant with one person, who may sign in at one public client. */
export type SignInWorld = {
  readonly ctx: TenantContext
  readonly client: Client
  readonly user: User
}

let worlds = 0

/** A tenant of its own for each test, so that none disturbs another. */
export async function aSignInWorld(
  stack: AuthStack,
  more: { tier?: 'basic' | 'standard' | 'enterprise'; client?: Partial<Client>; roles?: string[] } = {},
): Promise<SignInWorld> {
  worlds += 1
  const tenantId = `sessions-${worlds}` as TenantId
  const nowMs = stack.clock.now()
  const ctx = openAsDeployer(tenantId, 'test', 'test', nowMs)
  const { ids } = stack.deps
  const client: Client = {
    ...MACHINE,
    clientId: newClientId(ids, tenantId),
    tenantId,
    name: 'app',
    authMethod: 'none',
    grants: ['authorization_code', 'refresh_token'],
    scopes: ['tenant:read', 'usage:read', 'users:manage'],
    roles: [],
    secrets: [],
    redirectUris: [REDIRECT_URI],
    ownerUserId: null,
    createdAt: nowMs,
    ...more.client,
  }
  const roles = more.roles ?? ['viewer']
  const user: User = { ...newUser(newUserId(ids, nowMs), tenantId, nowMs), roles }
  // As the first fact of the tenant leaves it, and without its way through the events' edge.
  const state: TenantAuthState = {
    ...platformState(nowMs),
    tier: more.tier ?? 'enterprise',
    sequence: '1',
    namespace: `tenant-${tenantId}`,
  }
  await stack.deps.platform.tenants.optimistic(ctx, undefined, async (db) => {
    const writes = [
      db.create(['auth_state', 'current'], { ...state }),
      db.create(['auth_clients', client.clientId], { ...client }),
      db.create(['auth_users', user.userId], { ...user }),
    ]
    return ok({ value: true, writes })
  })
  return { ctx, client, user }
}

/** Writes a document as it is, whatever a rule would say of it. */
export async function create(deps: AuthDeps, ctx: TenantContext, path: string[], fields: object) {
  await deps.platform.tenants.optimistic(ctx, undefined, async (db) =>
    ok({ value: true, writes: [db.create(path, { ...fields })] }),
  )
}

/** Changes fields of a document that is there. */
export async function change(deps: AuthDeps, ctx: TenantContext, path: string[], fields: object) {
  await deps.platform.tenants.optimistic(ctx, undefined, async (db) => {
    const doc = await db.find(path, (raw) => ok(raw))
    if (doc === undefined) throw new Error(`${path.join('/')} is not there`)
    return ok({ value: true, writes: [db.update(path, doc, { ...fields })] })
  })
}

/** A code as the callback of a sign-in makes it. */
export async function aCode(
  stack: AuthStack,
  { client, user }: SignInWorld,
  more: Partial<IssuedCode> = {},
): Promise<string> {
  const nowMs = stack.clock.now()
  // Opened anew: a test may be days after the world was made.
  const ctx = openAsDeployer(client.tenantId, 'test', 'test', nowMs)
  const code = newAuthorizationCode(stack.deps.ids.bytes(32))
  const issued: IssuedCode = {
    codeHash: hashOfCode(code),
    clientId: client.clientId,
    userId: user.userId,
    redirectUri: REDIRECT_URI,
    codeChallenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    scopes: ['tenant:read', 'usage:read'],
    openid: false,
    nonce: null,
    acr: null,
    amr: [],
    authTime: Math.floor(nowMs / 1000),
    connectionId: CONNECTION,
    idpSid: null,
    dpopJkt: null,
    sessionId: null,
    expiresAtMs: nowMs + CODE_LIFE_MS,
    usedAtMs: null,
    ...more,
  }
  await create(stack.deps, ctx, [...codePath(issued.codeHash)], codeFields(issued))
  return code
}

export type Answered = {
  readonly ok: boolean
  readonly code?: string
  readonly accessToken?: string
  readonly refreshToken?: string
  readonly idToken?: string
  readonly scope?: string
  readonly tokenType?: string
}

/** Asks for a token below HTTP: in the process and with the proof of a key that the test chooses. */
export async function askGrant(
  stack: AuthStack,
  form: Record<string, string>,
  { deps = stack.deps, jkt }: { deps?: AuthDeps; jkt?: string | undefined } = {},
): Promise<Answered> {
  const parsed = parseForm(Buffer.from(new URLSearchParams(form).toString()))
  if (!parsed.ok) return parsed
  const request = parseTokenRequest(parsed.value, undefined, deps.issuer)
  if (!request.ok) return request
  const answered = await answerTokenRequest(deps, request.value, {
    jkt,
    nowMs: stack.clock.now(),
    trace: { traceId: '1'.repeat(32), spanId: '1'.repeat(16), sampled: false },
    clientAddress: '192.0.2.1',
    log: deps.platform.log,
  })
  return answered.ok ? { ok: true, ...answered.value } : { ok: false, code: answered.code }
}

export function redeem(
  stack: AuthStack,
  world: SignInWorld,
  code: string,
  more: Record<string, string> = {},
  options: Parameters<typeof askGrant>[2] = {},
): Promise<Answered> {
  const form = { code, client_id: world.client.clientId, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER }
  return askGrant(stack, { grant_type: 'authorization_code', ...form, ...more }, options)
}

export function refresh(
  stack: AuthStack,
  world: SignInWorld,
  refreshToken: string,
  more: Record<string, string> = {},
  options: Parameters<typeof askGrant>[2] = {},
): Promise<Answered> {
  const form = { refresh_token: refreshToken, client_id: world.client.clientId }
  return askGrant(stack, { grant_type: 'refresh_token', ...form, ...more }, options)
}

/** Signs the person in and answers with the first tokens. */
export async function signIn(
  stack: AuthStack,
  world: SignInWorld,
  more: Partial<IssuedCode> = {},
  options: Parameters<typeof askGrant>[2] = {},
): Promise<Answered & { refreshToken: string; accessToken: string }> {
  const answered = await redeem(stack, world, await aCode(stack, world, more), {}, options)
  if (!answered.ok) throw new Error(`not signed in: ${answered.code}`)
  return { refreshToken: '', accessToken: '', ...answered }
}

/** The claims of a token, unverified. */
export function claimsOf(token: string | undefined): Record<string, unknown> {
  return JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString('utf8'))
}

/** What is stored of the tenant's sessions. */
export function storedSessions(stack: AuthStack, world: SignInWorld): Record<string, unknown>[] {
  return stack.firestore.dump(`tenants/${world.ctx.tenantId}/auth_sessions`).map(({ data }) => data)
}
