import { describe, expect, test } from 'vitest'
import { ecKey, edKey, hmacKey, keySet, rsaKey, signJwt } from './fixtures/keys.ts'
import {
  AUDIENCE,
  aStack,
  bearer,
  claims,
  key,
  localReply,
  NOW,
  replyOf,
  securedPath,
  specOf,
} from './fixtures/stack.ts'

describe('E29, E33: the key set', () => {
  const fresh = (answer: () => string) =>
    aStack(specOf(securedPath('/me')), {}).then((one) => {
      one.fetches.answer = answer
      return one
    })

  test.each([
    [
      'down',
      () => {
        throw new Error('refused')
      },
    ],
    ['not JSON', () => '<html>'],
    ['no key set', () => '{"keys":7}'],
    ['without usable keys', () => '{"keys":[{"kty":"RSA"}]}'],
  ])('E29: a key set that is %s', async (_name, answer) => {
    const own = await aStack(specOf(securedPath('/me')), { fetchJwks: async () => answer() })
    const response = await fetch(`${own.url}/me`, { headers: bearer() })
    expect(await replyOf(response)).toEqual(localReply(401, 'Jwks remote fetch is failed'))
  })

  test('E33: keys are kept 300 s, an unknown kid fetches nothing, and an outage keeps the old keys', async () => {
    const own = await fresh(() => keySet(key))
    const call = (token: string) =>
      fetch(`${own.url}/me`, { headers: bearer(token) }).then((one) => one.status)
    const next = ecKey('key-2')
    const long = claims({ exp: NOW + 7200 })
    expect(await call(signJwt(key, long))).toBe(200)
    expect(own.fetches.count).toBe(1)
    own.fetches.answer = () => keySet(key, next)
    own.clock.advance(299_999)
    expect(await call(signJwt(next, long))).toBe(401)
    expect(own.fetches.count).toBe(1)
    own.clock.advance(1)
    expect(await call(signJwt(next, long))).toBe(200)
    expect(own.fetches.count).toBe(2)
    own.fetches.answer = () => {
      throw new Error('down')
    }
    own.clock.advance(300_000)
    expect(await call(signJwt(next, long))).toBe(200)
    expect(await call(signJwt(next, long))).toBe(200)
    expect(own.fetches.count).toBe(3)
    own.clock.advance(1_000)
    expect(await call(signJwt(next, long))).toBe(200)
    expect(own.fetches.count).toBe(4)
  })

  test('E33: requests that arrive together share one fetch', async () => {
    const own = await fresh(() => keySet(key))
    own.clock.advance(301_000)
    const token = signJwt(key, claims({ exp: NOW + 7200 }))
    await Promise.all(Array.from({ length: 20 }, () => fetch(`${own.url}/me`, { headers: bearer(token) })))
    expect(own.fetches.count).toBeLessThanOrEqual(2)
  })
})

describe('E31: algorithms', () => {
  test.each([
    ecKey('k', 'ES256'),
    ecKey('k', 'ES384'),
    ecKey('k', 'ES512'),
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((one) => rsaKey('k', one)),
    ...['HS256', 'HS384', 'HS512'].map((one) => hmacKey('k', one)),
    edKey('k'),
  ])('$algorithm verifies, and does not with another key', async (signer) => {
    const own = await aStack(specOf(securedPath('/me')), { fetchJwks: async () => keySet(signer) })
    const good = signJwt(signer, claims())
    expect((await fetch(`${own.url}/me`, { headers: bearer(good) })).status).toBe(200)
    const last = good.at(-20) === 'A' ? 'B' : 'A'
    const bad = `${good.slice(0, -20)}${last}${good.slice(-19)}`
    expect(await replyOf(await fetch(`${own.url}/me`, { headers: bearer(bad) }))).toEqual(
      localReply(401, 'Jwt verification fails'),
    )
  })

  // The classic confusion: the public RSA key used as an HMAC secret.
  test('an HS256 token signed with the text of an RSA key is refused', async () => {
    const { jwk } = rsaKey('k', 'RS256')
    const { alg: _alg, ...bare } = jwk
    const own = await aStack(specOf(securedPath('/me')), {
      fetchJwks: async () => JSON.stringify({ keys: [bare] }),
    })
    const token = signJwt(hmacKey('k', 'HS256'), claims())
    const response = await fetch(`${own.url}/me`, { headers: bearer(token) })
    expect(await replyOf(response)).toEqual(localReply(401, 'Jwt verification fails'))
  })
})

describe('one provider or another', () => {
  const other = ecKey('other-1')
  const OTHER = 'https://other.example'
  const definition = `  second:
    type: oauth2
    x-google-issuer: ${OTHER}
    x-google-jwks_uri: ${OTHER}/jwks.json
    x-google-audiences: ${AUDIENCE}`
  const either = '  /me: { get: { security: [{ user: [] }, { second: [] }], responses: {} } }'
  const fetchJwks = async (url: string) => keySet(url.startsWith(OTHER) ? other : key)

  // The failure that says most is told: "missing" and "another issuer" only when there is nothing else.
  test.each([
    ['the first', bearer(signJwt(key, claims())), 200, undefined],
    ['the second', bearer(signJwt(other, claims({ iss: OTHER }))), 200, undefined],
    ['nobody', {}, 401, 'Jwt is missing'],
    [
      'a third',
      bearer(signJwt(key, claims({ iss: 'https://third.example' }))),
      401,
      'Jwt issuer is not configured',
    ],
    [
      'the second with a key of the first',
      bearer(signJwt(key, claims({ iss: OTHER }))),
      401,
      "Jwks doesn't have key to match kid or alg from Jwt",
    ],
    ['the first, expired', bearer(signJwt(key, claims({ exp: NOW - 900 }))), 401, 'Jwt is expired'],
    [
      'the second, wrong audience',
      bearer(signJwt(other, claims({ iss: OTHER, aud: 'x' }))),
      403,
      'Audiences in Jwt are not allowed',
    ],
  ])('a token of %s', async (_name, headers, status, message) => {
    const own = await aStack(specOf(either, definition), { fetchJwks })
    const response = await fetch(`${own.url}/me`, { headers })
    expect(response.status).toBe(status)
    if (message !== undefined) expect(await replyOf(response)).toEqual(localReply(status, message))
  })
})
