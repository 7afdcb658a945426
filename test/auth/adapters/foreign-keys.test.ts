import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { DependencyFailed } from '#shared/deadline.ts'
import type { Logger } from '#shared/log.ts'
import { foreignKeys } from '../../../functions/auth/adapters/foreign-keys.ts'
import { type GuardedFetch, GuardRefused } from '../../../functions/auth/ports/outbound.ts'

const jwkOf = (kid: string) => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  kid,
})
const ONE = jwkOf('one')
const TWO = jwkOf('two')
const URI = 'https://idp.example.com/jwks'
const ES256 = (kid: string | undefined) => ({ kid, alg: 'ES256' as const })

/** An issuer whose answer a test changes, and how often it was asked. */
function issuer(first: unknown = { keys: [ONE] }) {
  let answer: unknown = first
  const asked: string[] = []
  const fetch: GuardedFetch = async (url) => {
    asked.push(url)
    if (answer instanceof Error) throw answer
    if (typeof answer === 'number') return { status: answer, headers: {}, body: Buffer.alloc(0) }
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer)
    return { status: 200, headers: {}, body: Buffer.from(text) }
  }
  const log = { warn: () => {}, error: () => {}, info: () => {} } as unknown as Logger
  const keys = foreignKeys({ fetch, log })
  return {
    asked,
    becomes: (next: unknown) => {
      answer = next
    },
    find: (kid: string | undefined, nowMs: number, scope = 'acme') =>
      keys.find({ jwksUri: URI, scope }, ES256(kid), nowMs),
  }
}

const MINUTE = 60_000

test('a set is fetched once for all who ask within five minutes', async () => {
  const idp = issuer()
  const found = await Promise.all([1, 2, 3].map(() => idp.find('one', 0)))
  expect(found.every((key) => key !== undefined)).toBe(true)
  await idp.find('one', 4 * MINUTE)
  expect(idp.asked).toHaveLength(1)
  await idp.find('one', 5 * MINUTE)
  expect(idp.asked).toHaveLength(2)
})

// Else anybody could make us flood an issuer with made-up key ids.
test('an unknown key id asks again, and not more than once in half a minute', async () => {
  const idp = issuer()
  await idp.find('one', 0)
  for (let at = 0; at < 50; at += 1) await idp.find(`made-up-${at}`, at)
  expect(idp.asked).toHaveLength(1)
  idp.becomes({ keys: [ONE, TWO] })
  expect(await idp.find('two', 29_999)).toBeUndefined()
  expect(await idp.find('two', 30_000)).toBeDefined()
  expect(idp.asked).toHaveLength(2)
  const many = Array.from({ length: 20 }, (_, at) => idp.find(`made-up-${at}`, 60_000))
  await Promise.all(many)
  expect(idp.asked).toHaveLength(3)
})

test('a key that the issuer took back is gone with the next set', async () => {
  const idp = issuer({ keys: [ONE, TWO] })
  expect(await idp.find('two', 0)).toBeDefined()
  idp.becomes({ keys: [ONE] })
  expect(await idp.find('two', 5 * MINUTE)).toBeUndefined()
})

test('one tenant’s copy never serves another', async () => {
  const idp = issuer({ keys: [TWO] })
  await idp.find('two', 0, 'acme')
  idp.becomes({ keys: [ONE] })
  expect(await idp.find('two', 1, 'globex')).toBeUndefined()
  expect(await idp.find('two', 1, 'acme')).toBeDefined()
})

describe('an issuer that does not answer', () => {
  test.each<[string, unknown]>([
    ['time', new GuardRefused('time', 'late')],
    ['a private address', new GuardRefused('address', 'private')],
    ['an error', 500],
    ['another status', 204],
    ['no JSON', '<html>'],
    ['a member twice', '{"keys":[],"keys":[]}'],
    ['no key set', { key: 1 }],
    ['a secret in the set', { keys: [ONE, { kty: 'oct', k: 'AAAA' }] }],
  ])('with %s is one that cannot be reached', async (_name, answer) => {
    const idp = issuer(answer)
    await expect(idp.find('one', 0)).rejects.toThrow(DependencyFailed)
  })

  test('is left alone for ten seconds', async () => {
    const idp = issuer(503)
    for (const at of [0, 1_000, 9_999]) await expect(idp.find('one', at)).rejects.toThrow(DependencyFailed)
    expect(idp.asked).toHaveLength(1)
    idp.becomes({ keys: [ONE] })
    expect(await idp.find('one', 10_000)).toBeDefined()
  })

  test('is stood in for by its last good answer, for an hour', async () => {
    const idp = issuer()
    await idp.find('one', 0)
    idp.becomes(503)
    expect(await idp.find('one', 59 * MINUTE)).toBeDefined()
    await expect(idp.find('one', 60 * MINUTE)).rejects.toThrow(DependencyFailed)
  })

  test('a fault of our own is no fault of the issuer', async () => {
    const idp = issuer(new TypeError('a mistake'))
    await expect(idp.find('one', 0)).rejects.toThrow(TypeError)
  })
})

test('a clock that is set back makes nothing last longer', async () => {
  const idp = issuer()
  await idp.find('one', 10 * MINUTE)
  await idp.find('one', 0)
  expect(idp.asked).toHaveLength(2)
})

test('given keys are admitted like fetched ones', async () => {
  const keys = foreignKeys({ fetch: async () => Promise.reject(new Error('no')), log: {} as Logger })
  expect(await keys.find({ jwks: { keys: [ONE] } }, ES256('one'), 0)).toBeDefined()
  expect(await keys.find({ jwks: { keys: [ONE] } }, ES256('two'), 0)).toBeUndefined()
  expect(await keys.find({ jwks: { keys: [{ ...ONE, d: 'AA' }] } }, ES256('one'), 0)).toBeUndefined()
  expect(await keys.find({ jwks: 'x' }, ES256('one'), 0)).toBeUndefined()
})
