import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AuthStack, addFirstOperator, OPERATOR, startAuth } from './support/auth-stack.ts'

let stack: AuthStack
let token = ''

beforeAll(async () => {
  stack = await startAuth()
  await addFirstOperator(stack)
}, 30_000)
afterAll(() => stack.close())

const mint = async (): Promise<{ status: number; token: string }> => {
  const answer = await fetch(`${stack.httpUrl}/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: OPERATOR.clientId,
      client_secret: OPERATOR.clientSecret,
    }),
  })
  const { access_token: made = '' } = (await answer.json()) as { access_token?: string }
  return { status: answer.status, token: made }
}
/** A route that reads nothing itself: whether the token is taken is all that its answer says. */
const use = async (): Promise<number> =>
  (await fetch(`${stack.httpUrl}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status
const jwks = async (): Promise<number> => (await fetch(`${stack.httpUrl}/.well-known/jwks.json`)).status

// auth.md §6: minting stops at once, verification goes on with the last view for a minute, then nothing does.
test('while the store is down nothing is minted, and tokens are good for a minute more', async () => {
  token = (await mint()).token
  expect(await use()).toBe(200)
  expect(await jwks()).toBe(200)

  stack.firestore.setFault(() => ({ mode: 'refuse', code: 14 }))
  stack.clock.advance(3_000)
  expect((await mint()).status).toBe(503)
  expect(await use()).toBe(200)
  stack.clock.advance(58_000)
  expect(await use()).toBe(503)
  expect((await mint()).status).toBe(503)
  // Keys are public and change seldom: who has to verify elsewhere must not stop for our store.
  expect(await jwks()).toBe(200)

  stack.firestore.setFault(undefined)
  stack.clock.advance(1_100)
  expect((await mint()).status).toBe(200)
  expect(await use()).toBe(200)
}, 60_000)
