import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemIds, type TenantId } from '#shared/ids.ts'
import type { AuthDeps } from '../../functions/auth/deps.ts'
import { newApiKey } from '../../functions/auth/domain/api-key.ts'
import { newAuthorizationCode } from '../../functions/auth/domain/authorization-code.ts'
import { type Client, MACHINE } from '../../functions/auth/domain/client.ts'
import { newClientId } from '../../functions/auth/domain/client-id.ts'
import { digestSecret, newClientSecret } from '../../functions/auth/domain/client-secret.ts'
import { makeRefreshToken } from '../../functions/auth/domain/refresh-token.ts'
import { newSessionId } from '../../functions/auth/domain/session-id.ts'
import { authenticateApiKey } from '../../functions/auth/operations/authenticate-api-key.ts'
import { type AuthStack, startAuth } from '../auth/support/auth-stack.ts'
import {
  aSignInWorld,
  askGrant,
  create,
  redeem,
  refresh,
  type SignInWorld,
  signIn,
} from '../auth/support/sessions.ts'

// How long an answer takes tells what was looked for and found. Time itself is a bad witness on a busy
// machine: what is compared is the work, which is the reading of the store, and time only in the large.
let stack: AuthStack
let world: SignInWorld
/** Where everything is asked: not the one that made it all, so that nothing is known there by itself. */
let deps: AuthDeps
let clients: Readonly<Record<'known' | 'disabled' | 'keyed', Client>>

beforeAll(async () => {
  stack = await startAuth()
  world = await aSignInWorld(stack)
  const { version, pepper } = await stack.deps.peppers.current()
  const secret = {
    ...{ id: 's1', hmac: digestSecret(pepper, newClientSecret(randomBytes(32))), pepperVersion: version },
    ...{ createdAt: stack.clock.now(), expiresAt: null },
  }
  const make = async (settings: Partial<Client>): Promise<Client> => {
    const clientId = newClientId(systemIds, world.ctx.tenantId)
    const client: Client = {
      ...MACHINE,
      ...{ clientId, tenantId: world.ctx.tenantId, name: 'x', scopes: ['tenant:read'], roles: [] },
      grants: ['client_credentials'],
      ...{ secrets: [secret], ownerUserId: null, createdAt: stack.clock.now(), ...settings },
    }
    await create(stack.deps, world.ctx, ['auth_clients', clientId], client)
    return client
  }
  clients = {
    known: await make({}),
    disabled: await make({ status: 'disabled' }),
    keyed: await make({ authMethod: 'private_key_jwt', secrets: [] }),
  }
  deps = stack.another()
  // It has begun to work: keys and feed are read.
  await signIn(stack, world, {}, { deps })
})
afterAll(() => stack.close())

/** What the store was asked while something ran. */
async function askedDuring(run: () => Promise<unknown>): Promise<readonly string[]> {
  const asked: string[] = []
  stack.firestore.setFault((rpc) => {
    asked.push(rpc)
    return undefined
  })
  try {
    await run()
  } finally {
    stack.firestore.setFault(undefined)
  }
  return asked
}

const wrongSecret = (clientId: string) => ({
  ...{ grant_type: 'client_credentials', client_id: clientId },
  client_secret: newClientSecret(randomBytes(32)),
})
const nobody = (): string => newClientId(systemIds, world.ctx.tenantId)
const nowhere = (): string => newClientId(systemIds, 'there-is-none' as TenantId)

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
function assertion(clientId: string) {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = Math.floor(stack.clock.now() / 1000) + 60
  const claims = { iss: clientId, sub: clientId, aud: stack.deps.issuer, exp, jti: 'x' }
  const client_assertion = `${part({ alg: 'ES256', kid: 'x' })}.${part(claims)}.${'A'.repeat(86)}`
  return { grant_type: 'client_credentials', client_assertion, client_assertion_type: ASSERTION_TYPE }
}

const CLIENTS: readonly (readonly [string, () => Record<string, string>])[] = [
  ['a wrong secret', () => wrongSecret(clients.known.clientId)],
  ['a disabled client', () => wrongSecret(clients.disabled.clientId)],
  ['a client with a key', () => wrongSecret(clients.keyed.clientId)],
  ['a public client', () => wrongSecret(world.client.clientId)],
  ['a client of nobody’s', () => wrongSecret(nobody())],
  ['a client of no tenant', () => wrongSecret(nowhere())],
  ['an id alone', () => ({ grant_type: 'client_credentials', client_id: clients.known.clientId })],
  ['an assertion for a client with a key', () => assertion(clients.keyed.clientId)],
  ['an assertion for a client with a secret', () => assertion(clients.known.clientId)],
  ['an assertion for nobody', () => assertion(nobody())],
]

describe('a client that is refused costs one read, whatever the reason', () => {
  test.each(CLIENTS)('%s', async (_name, form) => {
    for (const _time of ['first', 'second']) {
      const asked = await askedDuring(async () => {
        expect(await askGrant(stack, form(), { deps })).toEqual({ ok: false, code: 'client.invalid' })
      })
      expect(asked).toEqual(['BatchGetDocuments'])
    }
  })

  test.each([
    [
      'a secret that is none',
      { grant_type: 'client_credentials', client_id: 'cid_acme_0000000000000000', client_secret: 'x' },
    ],
    ['an id that is none', { grant_type: 'client_credentials', client_id: '../x', client_secret: 'x' }],
  ])('and none for %s', async (_name, form) => {
    expect(await askedDuring(() => askGrant(stack, form, { deps }))).toEqual([])
  })
})

test('an API key that is refused costs one read, whatever the reason', async () => {
  const { tenantId } = world.ctx
  const stored = newApiKey(systemIds, tenantId)
  const key = { keyId: stored.keyId, tenantId, name: 'x', scopes: ['scim'], hmac: 'x', pepperVersion: 1 }
  const fields = { ...key, createdBy: 'x', createdAt: stack.clock.now(), expiresAt: null }
  await create(stack.deps, world.ctx, ['auth_apiKeys', stored.keyId], fields)
  const ways = [
    stored.text,
    newApiKey(systemIds, tenantId).text,
    newApiKey(systemIds, 'there-is-none' as TenantId).text,
  ]
  for (const text of ways) {
    const asked = await askedDuring(async () => {
      const proven = await authenticateApiKey(deps, text, 'scim', stack.clock.now())
      expect(proven).toMatchObject({ ok: false, code: 'token.invalid' })
    })
    expect(asked).toEqual(['BatchGetDocuments'])
  }
})

test('a refresh token that was made up costs as much as one of another client', async () => {
  const other = await aSignInWorld(stack)
  const { refreshToken } = await signIn(stack, other)
  const { version, pepper } = await deps.peppers.current()
  const sessionId = newSessionId(systemIds, stack.clock.now())
  const binding = { sessionId, salt: 'AAAA', clientId: world.client.clientId, tenantId: world.ctx.tenantId }
  const madeUp = makeRefreshToken(binding, 1, { version, pepper })
  const costs = []
  for (const token of [madeUp, refreshToken]) {
    // Known to be there, so that what is compared is the token's own cost.
    await refresh(stack, world, token, {}, { deps })
    costs.push(await askedDuring(() => refresh(stack, world, token, {}, { deps })))
  }
  expect(costs[0]).toEqual(costs[1])
})

test('a code that was made up costs no more than one read', async () => {
  const code = newAuthorizationCode(randomBytes(32))
  await redeem(stack, world, code, {}, { deps })
  expect(await askedDuring(() => redeem(stack, world, code, {}, { deps }))).toEqual(['BatchGetDocuments'])
})

test('in the large, time tells no client that is there from one that is not', async () => {
  const known: number[] = []
  const unknown: number[] = []
  const took = async (form: Record<string, string>): Promise<number> => {
    const body = new URLSearchParams(form)
    const beganMs = performance.now()
    const answer = await fetch(`${stack.httpUrl}/oauth2/token`, { method: 'POST', body })
    await answer.arrayBuffer()
    expect(answer.status).toBe(401)
    return performance.now() - beganMs
  }
  const someone = nobody()
  for (let turn = 0; turn < 60; turn += 1) {
    // Slow enough that nobody is turned away for guessing; each turn pays alike for what is read anew.
    stack.clock.advance(7_000)
    await took(wrongSecret(nowhere()))
    if (turn % 2 === 0) known.push(await took(wrongSecret(clients.known.clientId)))
    unknown.push(await took(wrongSecret(someone)))
    if (turn % 2 === 1) known.push(await took(wrongSecret(clients.known.clientId)))
  }
  const median = (all: number[]): number => all.sort((one, other) => one - other)[all.length / 2] ?? 0
  const ratio = median(known) / median(unknown)
  // A read that one of them lacks would make it several times as fast.
  expect(ratio).toBeGreaterThan(1 / 3)
  expect(ratio).toBeLessThan(3)
})
