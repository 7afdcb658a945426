import { generateKeyPairSync } from 'node:crypto'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { WireRequest } from '#local/engine/firestore/wire.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import type { AuthDeps } from '../../functions/auth/deps.ts'
import { type AuthMethod, type Client, TOKEN_EXCHANGE } from '../../functions/auth/domain/client.ts'
import { digestSecret, newClientSecret } from '../../functions/auth/domain/client-secret.ts'
import { parseForm } from '../../functions/auth/domain/form.ts'
import { GRACE_MS } from '../../functions/auth/domain/refresh.ts'
import { TOKEN_TYPES } from '../../functions/auth/domain/token-exchange.ts'
import { parseTokenRequest } from '../../functions/auth/domain/token-request.ts'
import { answerTokenRequest } from '../../functions/auth/operations/grants.ts'
import { BASE_URL, basic } from './support/auth-stack.ts'
import {
  type Answered,
  aCode,
  aSignInWorld,
  create,
  REDIRECT_URI,
  type SignInWorld,
  storedSessions,
  VERIFIER,
} from './support/sessions.ts'
import { type SignOnStack, startSignOn } from './support/sign-on.ts'

const METHODS: readonly AuthMethod[] = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
]
const SECRET = newClientSecret(Buffer.alloc(32, 7))
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const INVALID_CLIENT = { ok: false, code: 'client.invalid' }

type Form = Record<string, string>

let stack: SignOnStack
/** Another process. */
let second: AuthDeps
const worlds = new Map<AuthMethod, SignInWorld>()
/** The conditional commits and transactions since the last look. */
let commits = 0
let used = 0

beforeAll(async () => {
  stack = await startSignOn()
  second = stack.another()
  // What is made once for a deployment is made by now.
  await stack.deps.eventKeyring.signer(stack.clock.now())
  for (const method of METHODS) worlds.set(method, await aWorld(method))
  stack.firestore.setFault((rpc, request) => {
    const { writes = [] } = request as WireRequest
    const conditional = writes.some(({ currentDocument }) => currentDocument !== undefined)
    if (rpc === 'BeginTransaction' || (rpc === 'Commit' && conditional)) commits += 1
    return undefined
  })
}, 60_000)
afterAll(() => stack?.close())
// Each test has the rate of a second of its own, and clients that are not known any more.
beforeEach(() => stack.clock.advance(GRACE_MS + 1))

/** A tenant with an identity provider, and a client of one way to authenticate that may use every grant. */
async function aWorld(authMethod: AuthMethod): Promise<SignInWorld> {
  const { version: pepperVersion, pepper } = await stack.deps.peppers.current()
  const createdAt = stack.clock.now()
  const secret = { id: 's', hmac: digestSecret(pepper, SECRET), pepperVersion, createdAt, expiresAt: null }
  const client: Partial<Client> = {
    authMethod,
    grants: ['authorization_code', 'refresh_token', 'client_credentials', TOKEN_EXCHANGE],
    ...(authMethod.startsWith('client_secret') ? { secrets: [secret] } : {}),
    ...(authMethod === 'private_key_jwt'
      ? { jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] } }
      : {}),
  }
  const world = await aSignInWorld(stack, { client })
  const acme = openAsDeployer('acme' as typeof world.ctx.tenantId, 'test', 'test', createdAt)
  for (const connection of await stack.deps.connections.list(acme)) {
    await create(stack.deps, world.ctx, ['auth_connections', connection.connectionId], connection)
  }
  // As is a tenant's data key, with the first of its people.
  await stack.deps.personalData.seal(world.ctx, 'Ada', 'name')
  return world
}

const worldOf = (method: AuthMethod): SignInWorld => {
  const world = worlds.get(method)
  if (world === undefined) throw new Error(method)
  return world
}

function assertion({ client }: SignInWorld): Promise<string> {
  used += 1
  const now = Math.floor(stack.clock.now() / 1000)
  return new SignJWT({ iss: client.clientId, sub: client.clientId, aud: BASE_URL, jti: `jti-${used}` })
    .setIssuedAt(now)
    .setExpirationTime(now + 60)
    .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
    .sign(privateKey)
}

async function proofOf(method: AuthMethod): Promise<{ form: Form; authorization?: string }> {
  const world = worldOf(method)
  const { clientId } = world.client
  if (method === 'client_secret_basic') {
    return { form: {}, authorization: basic({ clientId, clientSecret: SECRET }) }
  }
  if (method === 'client_secret_post') return { form: { client_id: clientId, client_secret: SECRET } }
  if (method === 'none') return { form: { client_id: clientId } }
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  return { form: { client_assertion: await assertion(world), client_assertion_type: type } }
}

/** Asks once; answers with what came of it and how many commits it took. */
async function ask(
  method: AuthMethod,
  form: Form,
  { by, deps = stack.deps }: { by?: Awaited<ReturnType<typeof proofOf>>; deps?: AuthDeps } = {},
): Promise<Answered & { commits: number }> {
  const proof = by ?? (await proofOf(method))
  const parsed = parseForm(Buffer.from(new URLSearchParams({ ...form, ...proof.form }).toString()))
  if (!parsed.ok) throw new Error(parsed.detail)
  const request = parseTokenRequest(parsed.value, proof.authorization, deps.issuer)
  if (!request.ok) throw new Error(request.detail)
  commits = 0
  const answered = await answerTokenRequest(deps, request.value, {
    jkt: undefined,
    nowMs: stack.clock.now(),
    trace: { traceId: '1'.repeat(32), spanId: '1'.repeat(16), sampled: false },
    clientAddress: '192.0.2.1',
    log: deps.platform.log,
  })
  return { ...(answered.ok ? { ok: true, ...answered.value } : { ok: false, code: answered.code }), commits }
}

const codeForm = (code: string): Form => ({
  grant_type: 'authorization_code',
  code,
  redirect_uri: REDIRECT_URI,
  code_verifier: VERIFIER,
})
const refreshForm = (refreshToken: string | undefined): Form => ({
  grant_type: 'refresh_token',
  refresh_token: refreshToken ?? '',
})
const exchangeForm = (type: keyof typeof TOKEN_TYPES, token: string | undefined): Form => ({
  grant_type: TOKEN_EXCHANGE,
  subject_token_type: TOKEN_TYPES[type],
  subject_token: token ?? '',
})

const signIn = async (method: AuthMethod) => ask(method, codeForm(await aCode(stack, worldOf(method))))

function idToken(sub: string): Promise<string> {
  const now = Math.floor(stack.clock.now() / 1000)
  const { issuer: iss } = stack.idp
  return stack.idp.sign({ iss, aud: 'us', sub, iat: now, exp: now + 300, auth_time: now, name: sub })
}

function newcomer(): Promise<string> {
  used += 1
  return idToken(`new-${used}`)
}

type Case = readonly [
  request: string,
  commits: number,
  ok: boolean,
  form: (method: AuthMethod) => Promise<Form>,
]

/** What each request may cost with a proof that is not written down, whatever it comes to. */
const REQUESTS: readonly Case[] = [
  ['authorization_code', 1, true, async (method) => codeForm(await aCode(stack, worldOf(method)))],
  ['authorization_code, unknown', 0, false, async () => codeForm(`dac_${'A'.repeat(43)}`)],
  [
    'authorization_code, used before',
    1,
    false,
    async (method) => {
      const code = await aCode(stack, worldOf(method))
      await ask(method, codeForm(code))
      return codeForm(code)
    },
  ],
  ['refresh_token', 1, true, async (method) => refreshForm((await signIn(method)).refreshToken)],
  [
    'refresh_token, repeated within the grace',
    0,
    true,
    async (method) => {
      const { refreshToken } = await signIn(method)
      await ask(method, refreshForm(refreshToken))
      return refreshForm(refreshToken)
    },
  ],
  [
    'refresh_token, used long before',
    1,
    false,
    async (method) => {
      const { refreshToken } = await signIn(method)
      await ask(method, refreshForm(refreshToken))
      stack.clock.advance(GRACE_MS + 1)
      return refreshForm(refreshToken)
    },
  ],
  ['refresh_token, no token at all', 0, false, async () => refreshForm('garbage')],
  [
    'exchange of our own token',
    0,
    true,
    async (method) => exchangeForm('access_token', (await signIn(method)).accessToken),
  ],
  ['exchange of no token', 0, false, async () => exchangeForm('access_token', 'garbage')],
  ['exchange for somebody new', 1, true, async () => exchangeForm('id_token', await newcomer())],
  [
    'exchange for somebody known',
    0,
    true,
    async (method) => {
      await ask(method, exchangeForm('id_token', await idToken('ada')))
      return exchangeForm('id_token', await idToken('ada'))
    },
  ],
  ['exchange of a pod’s token that is none', 0, false, async () => exchangeForm('jwt', 'garbage')],
]

describe.each(METHODS)('a request by %s', (method) => {
  // An assertion has to be written down: alone, or with what the request commits anyway.
  const atLeast = method === 'private_key_jwt' ? 1 : 0

  test.each(REQUESTS)('for %s commits %i times', async (_request, cost, succeeds, formOf) => {
    const answered = await ask(method, await formOf(method))
    expect(answered).toMatchObject({ ok: succeeds, commits: Math.max(cost, atLeast) })
  })

  test('for client_credentials by a client that is known commits nothing but its assertion', async () => {
    await ask(method, { grant_type: 'client_credentials' })
    expect(await ask(method, { grant_type: 'client_credentials' })).toMatchObject({
      ok: method !== 'none',
      commits: atLeast,
    })
  })
})

describe('an assertion counts once', () => {
  const method = 'private_key_jwt'

  test.each(REQUESTS)('after %s', async (_request, _cost, _succeeds, formOf) => {
    const form = await formOf(method)
    const by = await proofOf(method)
    const first = await ask(method, form, { by })
    expect(first).not.toMatchObject(INVALID_CLIENT)
    const again = codeForm(await aCode(stack, worldOf(method)))
    const before = storedSessions(stack, worldOf(method))
    for (const other of [form, again, { grant_type: 'client_credentials' }]) {
      expect(await ask(method, other, { by, deps: second })).toMatchObject(INVALID_CLIENT)
    }
    // Nothing was made or ended for whoever showed it again.
    expect(storedSessions(stack, worldOf(method))).toEqual(before)
  })

  test('of many at once, in two processes, with a code each', async () => {
    const by = await proofOf(method)
    const codes = await Promise.all(Array.from({ length: 6 }, () => aCode(stack, worldOf(method))))
    const answers = await Promise.all(
      codes.map((code, at) => ask(method, codeForm(code), { by, deps: at % 2 === 0 ? stack.deps : second })),
    )
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
    expect(answers.filter(({ code }) => code === 'client.invalid')).toHaveLength(5)
  })

  test('after a request that failed in the middle', async () => {
    const by = await proofOf(method)
    const broken = {
      ...stack.deps,
      sessions: { ...stack.deps.sessions, redeem: () => Promise.reject(new Error('down')) },
    }
    const form = codeForm(await aCode(stack, worldOf(method)))
    await expect(ask(method, form, { by, deps: broken })).rejects.toThrow('down')
    expect(await ask(method, form, { by })).toMatchObject(INVALID_CLIENT)
  })
})
