import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ecKey, encode, rsaKey, signJwt } from './fixtures/keys.ts'
import {
  AUDIENCE,
  aStack,
  bearer,
  claims,
  key,
  localReply,
  NOW,
  NOW_MS,
  openPaths,
  replyOf,
  type Stack,
  securedPath,
  specOf,
  startStack,
} from './fixtures/stack.ts'

let stack: Stack

beforeAll(async () => {
  stack = await startStack(specOf([securedPath('/me'), openPaths('GET /open')].join('\n')))
})
afterAll(() => stack.close())
beforeEach(() => {
  stack.clock.set(NOW_MS)
  stack.backend.seen.length = 0
})

const get = (headers: Record<string, string> = {}, path = '/me') => fetch(`${stack.url}${path}`, { headers })
const refusal = async (headers: Record<string, string>, path = '/me') => {
  const response = await get(headers, path)
  return { challenge: response.headers.get('www-authenticate'), ...(await replyOf(response)) }
}

describe('E20–E22: the challenge', () => {
  test('E20: without a token the challenge names the realm and no error', async () => {
    expect(await refusal({})).toEqual({
      ...localReply(401, 'Jwt is missing'),
      challenge: `Bearer realm="${stack.url}/me"`,
    })
  })

  test('E20: the realm holds the query and is cut after 256 characters of path', async () => {
    const path = `/me?q=${'x'.repeat(400)}`
    const { challenge } = await refusal({}, path)
    expect(challenge).toBe(`Bearer realm="${stack.url}${path.slice(0, 256)}"`)
  })

  test('E21: any other failure says invalid_token', async () => {
    expect(await refusal(bearer('rubbish'))).toMatchObject({
      status: 401,
      challenge: `Bearer realm="${stack.url}/me", error="invalid_token"`,
    })
  })

  test('E22: a wrong audience is 403, even with a forged signature', async () => {
    const forged = signJwt(ecKey('key-1'), claims({ aud: 'https://elsewhere.example' }))
    expect(await refusal(bearer(forged))).toEqual({
      ...localReply(403, 'Audiences in Jwt are not allowed'),
      challenge: `Bearer realm="${stack.url}/me", error="invalid_token"`,
    })
  })

  test('a quote in the query cannot break out of the realm', async () => {
    const { challenge } = await refusal({}, '/me?q=%22%0d&r="evil')
    expect(challenge?.match(/"/g)).toHaveLength(2)
  })
})

// Every refusal the parser knows, each the first fault of an otherwise good token.
const part = (value: unknown) => encode(value)
const head = part({ alg: 'ES256', kid: 'key-1' })
const body = part(claims())
describe('E23–E28: what is wrong with the token', () => {
  test.each([
    [
      'E23 another issuer',
      signJwt(key, claims({ iss: 'https://other.example' })),
      'Jwt issuer is not configured',
    ],
    ['E23 no issuer', signJwt(key, claims({ iss: undefined })), 'Jwt issuer is not configured'],
    ['E24 expired', signJwt(key, claims({ exp: NOW - 61 })), 'Jwt is expired'],
    ['E24 not yet valid', signJwt(key, claims({ nbf: NOW + 61 })), 'Jwt not yet valid'],
    [
      'E25 one part',
      'abc',
      'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
    ],
    [
      'E25 four parts',
      'a.b.c.d',
      'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
    ],
    [
      'E25 an empty part',
      `${head}.${body}.`,
      'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
    ],
    ['E26 header not base64url', `a+b/.${body}.c2ln`, 'Jwt header is an invalid Base64url encoded'],
    ['E26 header not JSON', `${part('{nope')}.${body}.c2ln`, 'Jwt header is an invalid JSON'],
    ['E26 header a list', `${part('[]')}.${body}.c2ln`, 'Jwt header is an invalid JSON'],
    ['E26 payload not base64url', `${head}.a*b.c2ln`, 'Jwt payload is an invalid Base64url encoded'],
    ['E26 payload not JSON', `${head}.${part('nope')}.c2ln`, 'Jwt payload is an invalid JSON'],
    [
      'E27 no alg',
      `${part({ kid: 'key-1' })}.${body}.c2ln`,
      'Jwt header [alg] field is required and must be a string',
    ],
    [
      'E27 alg a number',
      `${part({ alg: 5 })}.${body}.c2ln`,
      'Jwt header [alg] field is required and must be a string',
    ],
    ['E27 alg none', `${part({ alg: 'none' })}.${body}.c2ln`, 'Jwt header [alg] is not supported'],
    ['E27 alg in lower case', `${part({ alg: 'es256' })}.${body}.c2ln`, 'Jwt header [alg] is not supported'],
    [
      'kid a number',
      `${part({ alg: 'ES256', kid: 1 })}.${body}.c2ln`,
      'Jwt header [kid] field is not a string',
    ],
    ['iss a number', signJwt(key, claims({ iss: 1 })), 'Jwt payload [iss] field is not a string'],
    ['sub null', signJwt(key, claims({ sub: null })), 'Jwt payload [sub] field is not a string'],
    ['exp a text', signJwt(key, claims({ exp: '9999999999' })), 'Jwt payload [exp] field is not an integer'],
    [
      'exp negative',
      signJwt(key, claims({ exp: -1 })),
      'Jwt payload [exp] field is not a positive 64 bit integer',
    ],
    [
      'aud an object',
      signJwt(key, claims({ aud: {} })),
      'Jwt payload [aud] field is not a string or string list',
    ],
    ['signature not base64url', `${head}.${body}.!!`, 'Jwt signature is an invalid Base64url encoded'],
    [
      'E28 unknown kid',
      signJwt({ ...key, keyId: 'key-9' }, claims()),
      "Jwks doesn't have key to match kid or alg from Jwt",
    ],
    [
      'E28 alg of no key',
      signJwt(rsaKey('key-1', 'RS256'), claims()),
      "Jwks doesn't have key to match kid or alg from Jwt",
    ],
    ['E28 forged', signJwt(ecKey('key-1'), claims()), 'Jwt verification fails'],
    [
      'E28 payload changed',
      `${signJwt(key, claims()).split('.')[0]}.${part(claims({ sub: 'admin' }))}.${signJwt(key, claims()).split('.')[2]}`,
      'Jwt verification fails',
    ],
  ])('%s', async (_name, token, message) => {
    expect(await refusal(bearer(token))).toMatchObject({ status: 401, body: { code: 401, message } })
    expect(stack.backend.seen).toHaveLength(0)
  })

  test('E24: sixty seconds of skew are tolerated on both sides', async () => {
    expect((await get(bearer(signJwt(key, claims({ exp: NOW - 60 }))))).status).toBe(200)
    expect((await get(bearer(signJwt(key, claims({ nbf: NOW + 60 }))))).status).toBe(200)
  })

  test('a token without exp passes, as in Envoy: functions must insist on it', async () => {
    expect((await get(bearer(signJwt(key, claims({ exp: undefined }))))).status).toBe(200)
  })

  test('order: a malformed token of another issuer is malformed; an expired one of a wrong audience expired', async () => {
    expect(await refusal(bearer(signJwt(key, claims({ iss: 'x', exp: NOW - 900 }))))).toMatchObject({
      body: { message: 'Jwt issuer is not configured' },
    })
    expect(await refusal(bearer(signJwt(key, claims({ aud: 'x', exp: NOW - 900 }))))).toMatchObject({
      body: { message: 'Jwt is expired' },
    })
  })
})

describe('E30: audiences', () => {
  test.each([
    ['as listed', AUDIENCE],
    ['with a last slash', `${AUDIENCE}/`],
    ['with http instead of https', 'http://api.example'],
    ['without a scheme', 'api.example'],
    ['the second of the list', 'https://second.example/'],
    ['one good among others', ['https://x.example', AUDIENCE]],
  ])('%s passes', async (_name, aud) => {
    expect((await get(bearer(signJwt(key, claims({ aud }))))).status).toBe(200)
  })

  test.each([
    ['none', undefined],
    ['an empty list', []],
    ['a longer path', `${AUDIENCE}/x`],
    ['upper case', AUDIENCE.toUpperCase()],
    ['two slashes at the end', `${AUDIENCE}//`],
  ])('%s is refused', async (_name, aud) => {
    expect((await get(bearer(signJwt(key, claims({ aud }))))).status).toBe(403)
  })
})

describe('E32, E34, E35: places and forwarded identity', () => {
  test('E32: a good token beside a bad one is refused, whichever comes first', async () => {
    const good = signJwt(key, claims())
    for (const value of [`Bearer ${good}, DPoP rubbish`, `DPoP ${good}, Bearer rubbish`]) {
      expect((await get({ authorization: value })).status).toBe(401)
    }
    expect(stack.backend.seen).toHaveLength(0)
  })

  test('the DPoP scheme is a place too; another scheme is none', async () => {
    expect((await get({ authorization: `DPoP ${signJwt(key, claims())}` })).status).toBe(200)
    expect(await refusal({ authorization: `Basic ${signJwt(key, claims())}` })).toMatchObject(
      localReply(401, 'Jwt is missing'),
    )
    expect(await refusal({ authorization: `bearer ${signJwt(key, claims())}` })).toMatchObject(
      localReply(401, 'Jwt is missing'),
    )
  })

  test('with declared places no other is looked at', async () => {
    const token = signJwt(key, claims())
    expect(await refusal({ 'x-goog-iap-jwt-assertion': token })).toMatchObject(
      localReply(401, 'Jwt is missing'),
    )
    expect(await refusal({}, `/me?access_token=${token}`)).toMatchObject(localReply(401, 'Jwt is missing'))
  })

  test('without declared places: Bearer, x-goog-iap-jwt-assertion, access_token', async () => {
    const spec = specOf(securedPath('/me')).replace(/ {4}x-google-jwt-locations:\n.*\n.*\n/, '')
    const own = await aStack(spec)
    const token = signJwt(key, claims())
    const ways: Array<[string, Record<string, string>]> = [
      ['/me', bearer(token)],
      ['/me', { 'x-goog-iap-jwt-assertion': token }],
      [`/me?a=1&access_token=${token}`, {}],
    ]
    for (const [path, headers] of ways)
      expect((await fetch(`${own.url}${path}`, { headers })).status).toBe(200)
  })

  test('E34: the payload is passed on as sent, unpadded, in place of what the client claims', async () => {
    const token = signJwt(key, claims())
    await get({ ...bearer(token), 'X-Apigateway-Api-Userinfo': 'forged' })
    expect(stack.backend.seen[0]?.headers['x-apigateway-api-userinfo']).toBe(token.split('.')[1])
  })

  test('E35: where no token is required, the client sends what it likes', async () => {
    await get({ 'X-Apigateway-Api-Userinfo': 'forged' }, '/open')
    expect(stack.backend.seen[0]?.headers['x-apigateway-api-userinfo']).toBe('forged')
  })

  test('a Connection field that names Authorization takes the token away before it is checked', async () => {
    const { rawExchange } = await import('./fixtures/backend.ts')
    const answer = await rawExchange(
      stack.url,
      `GET /me HTTP/1.1\r\nHost: x\r\nConnection: close, Authorization\r\nAuthorization: Bearer ${signJwt(key, claims())}\r\n\r\n`,
    )
    expect(answer).toContain('Jwt is missing')
  })
})
