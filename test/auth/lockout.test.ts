import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { TenantScope } from '#shared/catalogue/scopes.ts'
import type { TenantId } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import type { ClientId } from '../../functions/auth/domain/client-id.ts'
import { newClientSecret } from '../../functions/auth/domain/client-secret.ts'
import { FREE_FAILURES } from '../../functions/auth/domain/lockout.ts'
import { createClient } from '../../functions/auth/operations/create-client.ts'
import { rotateClientSecret } from '../../functions/auth/operations/keep-clients.ts'
import { type AuthStack, addFirstOperator, basic, presetOf, startAuth } from './support/auth-stack.ts'
import { pushFact } from './support/tenant-facts.ts'

const ACME = presetOf('acme', 2)
const NOBODY = presetOf('acme', 3)
const WRONG = newClientSecret(Buffer.alloc(32, 99))
const SCOPES: TenantScope[] = ['usage:read']

let stack: AuthStack
let place = 0

beforeAll(async () => {
  stack = await startAuth()
  await addFirstOperator(stack)
  await pushFact(stack, 'acme', 'activated', 1)
  const made = await createClient(stack.deps, {
    ctx: operatorOn(),
    giver: 'deployer',
    wanted: { name: undefined, scopes: SCOPES, grants: ['client_credentials'] },
    preset: ACME,
    nowMs: stack.clock.now(),
  })
  if (!made.ok) throw new Error(made.detail)
})
afterAll(() => stack.close())
beforeEach(() => {
  place += 1
  stack.clock.advance(3_700_000)
})

const operatorOn = () => openAsDeployer('acme' as TenantId, 'test', 'test', stack.clock.now())

/** Asks for a token from an address of this test. */
function ask(credentials: { clientId: string; clientSecret: string }, host = 1): Promise<Response> {
  return fetch(`${stack.httpUrl}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: basic(credentials), 'x-forwarded-for': `203.0.${place}.${host}, 10.0.0.1` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
}

async function failOften(credentials: { clientId: string; clientSecret: string }): Promise<Response[]> {
  const answers: Response[] = []
  for (let n = 0; n <= FREE_FAILURES; n += 1) answers.push(await ask(credentials))
  return answers
}

/** Reads of the store while `work` is done. */
async function readsDuring(work: () => Promise<unknown>): Promise<number> {
  let reads = 0
  stack.firestore.setFault((rpc) => {
    if (rpc === 'BatchGetDocuments') reads += 1
    return undefined
  })
  await work()
  stack.firestore.setFault(undefined)
  return reads
}

test.each([
  ['that is there', { ...ACME, clientSecret: WRONG }],
  ['that is not there', NOBODY],
])('wrong proofs for a client %s are told to come back after the tenth, alike', async (_name, who) => {
  const answers = await failOften(who)
  const last = answers.at(-1)

  expect(answers.slice(0, -1).map((answer) => answer.status)).toEqual(Array(FREE_FAILURES).fill(401))
  expect(last?.status).toBe(429)
  expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(50)
  expect(await last?.json()).toEqual({
    error: 'temporarily_unavailable',
    error_description: 'Too many wrong attempts for this client from here.',
  })
})

test('nobody is locked out by another: the right secret passes, from there and from elsewhere', async () => {
  await failOften({ ...ACME, clientSecret: WRONG })

  expect((await ask({ ...ACME, clientSecret: WRONG })).status).toBe(429)
  expect((await ask(ACME)).status).toBe(200)
  expect((await ask({ ...ACME, clientSecret: WRONG }, 2)).status).toBe(401)
})

test('while wrong proofs are turned away they cost no reads', async () => {
  await failOften({ ...ACME, clientSecret: WRONG })
  await failOften(NOBODY)

  const reads = await readsDuring(async () => {
    for (let n = 0; n < 20; n += 1) {
      await ask({ ...ACME, clientSecret: WRONG })
      await ask(NOBODY)
    }
  })

  expect(reads).toBe(0)
})

test('a lock ends with its time', async () => {
  await failOften({ ...ACME, clientSecret: WRONG })
  stack.clock.advance(60_001)

  expect((await ask({ ...ACME, clientSecret: WRONG })).status).toBe(401)
})

test('a client seen just now is proven without a read; a change of it bites within two seconds', async () => {
  await ask(ACME)
  const warm = await readsDuring(() => ask(ACME))
  stack.clock.advance(2_000)
  const later = await readsDuring(() => ask(ACME))

  expect(warm).toBe(0)
  expect(later).toBeGreaterThan(0)
})

test('a secret made just now works at once, though the client was known without it', async () => {
  await ask(ACME)
  const rotated = await rotateClientSecret(
    stack.another(),
    { ctx: operatorOn(), keeper: 'deployer', clientId: ACME.clientId as ClientId, nowMs: stack.clock.now() },
    3_600,
  )
  if (!rotated.ok) throw new Error(rotated.detail)

  const clientSecret = rotated.value.clientSecret ?? ''
  expect((await ask({ ...ACME, clientSecret })).status).toBe(200)
})
