import { randomUUID } from 'node:crypto'
import { type Attack, type AttackGroup, attack, attacks } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { jsonOf } from '../support/answer.ts'
import {
  ecKey,
  hmacSigned,
  jwkOf,
  type Members,
  part,
  pemOf,
  proof,
  sha256,
  signed,
  stray,
  withPart,
} from '../support/forge.ts'
import type { Fields } from '../support/send.ts'
import { anRsaKey, VICTIM, type World } from '../support/world.ts'

const PATH = `/v1/tenants/${VICTIM}`
const key = ecKey().privateKey
const GRANT = { grant_type: 'client_credentials' }

type Change = { readonly header?: Members; readonly claims?: Members; readonly key?: typeof key }

/** For the token endpoint. */
const forToken = (w: World, change: Change = {}): string =>
  proof({ key, method: 'POST', url: `${w.base}/oauth2/token`, nowSeconds: w.now(), ...change })
/** For the record, with a token that is bound to the key. */
const forRecord = (w: World, token: string, change: Change = {}): string =>
  proof({ key, method: 'GET', url: `${w.base}${PATH}`, nowSeconds: w.now(), token, ...change })

const bound = new WeakMap<World, Promise<string>>()

/** One token for all: what is done with it is done with a proof of its own. */
function boundToken(w: World): Promise<string> {
  const known = bound.get(w) ?? newBoundToken(w)
  bound.set(w, known)
  return known
}

async function newBoundToken(w: World): Promise<string> {
  const answer = await w.ask(GRANT, w.victim.bound, [['dpop', forToken(w)]])
  return String(jsonOf(answer.body)['access_token'])
}
const read = (w: World, token: string, dpop: string | undefined, scheme = 'DPoP'): Promise<Seen> => {
  const headers: Fields = [
    ['authorization', `${scheme} ${token}`],
    ...(dpop === undefined ? [] : [['dpop', dpop] as const]),
  ]
  return w.at(PATH, { headers })
}

/** One fault of a proof, at the token endpoint and with a token that is bound. */
const faults = (rows: Readonly<Record<string, (w: World) => Change>>): Attack[] =>
  attacks(
    rows,
    async (w, change) => {
      const token = await boundToken(w)
      return [
        await w.ask(GRANT, w.victim.bound, [['dpop', forToken(w, change(w))]]),
        await read(w, token, forRecord(w, token, change(w))),
      ]
    },
    ['400 oauth invalid_dpop_proof', '401 token.proof_invalid'],
  )

/** A proof that is spelled by hand. */
const texts = (rows: Readonly<Record<string, (w: World, good: string) => string>>): Attack[] =>
  attacks(
    rows,
    async (w, make) => {
      const token = await boundToken(w)
      return [
        await w.ask(GRANT, w.victim.bound, [['dpop', make(w, forToken(w))]]),
        await read(w, token, make(w, forRecord(w, token))),
      ]
    },
    ['400 oauth invalid_dpop_proof', '401 token.proof_invalid'],
  )

const jwk = (change: Members) => () => ({ header: { jwk: { ...jwkOf(key), ...change } } })

export const proofs: AttackGroup = {
  title: 'DPoP proofs',
  aim: 'Use a token that is bound to a key without the key, or with a proof that was made for something else.',
  sent: 'At the token endpoint, and with a bound token at the record.',
  places: ['token endpoint', 'record'],
  never: 'A stolen token is of no use without its key, nor a stolen proof beyond its one request.',
  attacks: [
    ...faults({
      '`typ` JWT': () => ({ header: { typ: 'JWT' } }),
      'no `typ`': () => ({ header: { typ: undefined } }),
      '`none`': () => ({ header: { alg: 'none' } }),
      'HS256 in name': () => ({ header: { alg: 'HS256' } }),
      'ES384 in name': () => ({ header: { alg: 'ES384' } }),
      'a key id': () => ({ header: { kid: 'x' } }),
      'no key': () => ({ header: { jwk: undefined } }),
      'a private key': jwk({ d: 'AAAA' }),
      'a symmetric key': () => ({ header: { jwk: { kty: 'oct', k: 'AAAA' } } }),
      'a point that is not on the curve': jwk({ x: 'A'.repeat(43) }),
      'a key for something else': jwk({ use: 'enc' }),
      'a key of another algorithm': jwk({ alg: 'ES384' }),
      'somebody else’s key in the header': (w) => ({ header: { jwk: jwkOf(w.mine) } }),
      'a short RSA key': () => ({ header: { alg: 'PS256', jwk: { kty: 'RSA', e: 'AQAB', n: 'AQAB' } } }),
      'something critical': () => ({ header: { crit: ['htm'] } }),
      'another method': () => ({ claims: { htm: 'PUT' } }),
      'the method in small letters': () => ({ claims: { htm: 'get' } }),
      'no method': () => ({ claims: { htm: undefined } }),
      'another URL': () => ({ claims: { htu: 'https://evil.example/oauth2/token' } }),
      'another path': (w) => ({ claims: { htu: `${w.base}/v1/tenants/other` } }),
      'a path that only begins alike': (w) => ({ claims: { htu: `${w.base}/oauth2` } }),
      'the URL with a user': (w) => ({ claims: { htu: w.base.replace('://', '://x@') } }),
      'no URL': () => ({ claims: { htu: undefined } }),
      'a URL that is none': () => ({ claims: { htu: '/oauth2/token' } }),
      'made a minute ago': (w) => ({ claims: { iat: w.now() - 61 } }),
      'made in the future': (w) => ({ claims: { iat: w.now() + 40 } }),
      'no time': () => ({ claims: { iat: undefined } }),
      'a time as a text': (w) => ({ claims: { iat: String(w.now()) } }),
      'a time with a fraction': (w) => ({ claims: { iat: w.now() + 0.5 } }),
      'no id': () => ({ claims: { jti: undefined } }),
      'an empty id': () => ({ claims: { jti: '' } }),
      'an id of 257 characters': () => ({ claims: { jti: 'x'.repeat(257) } }),
    }),
    ...texts({
      'no JWT': () => 'x.y.z',
      'an empty header': () => '',
      padding: (_w, good) => `${good}=`,
      'spare bits in the signature': (_w, good) => withPart(good, 2, stray),
      'two proofs, by commas': (_w, good) => `${good},${good}`,
      'the signature of another proof': (w, good) => withPart(good, 2, () => forToken(w).split('.')[2] ?? ''),
      'an HMAC with its public key': (w) =>
        hmacSigned(
          { typ: 'dpop+jwt', alg: 'HS256', jwk: jwkOf(key) },
          { jti: randomUUID(), htm: 'POST', htu: `${w.base}/oauth2/token`, iat: w.now() },
          pemOf(key),
        ),
      'a claim twice': (w) =>
        signed(
          { typ: 'dpop+jwt', alg: 'ES256', jwk: jwkOf(key) },
          `{"htm":"GET","htm":"POST","jti":"${randomUUID()}","htu":"${w.base}/oauth2/token","iat":${w.now()}}`,
          key,
        ),
      'RSA with PKCS #1 padding': (w) =>
        signed(
          { typ: 'dpop+jwt', alg: 'RS256', jwk: jwkOf(anRsaKey()) },
          { jti: randomUUID(), htm: 'POST', htu: `${w.base}/oauth2/token`, iat: w.now() },
          anRsaKey(),
        ),
      'an access token': (w) => w.tokens.victim,
      'seven thousand characters': (_w, good) =>
        withPart(good, 0, () => part({ typ: 'dpop+jwt', x: 'x'.repeat(5_000) })),
    }),
    attack(
      'no proof at all',
      async (w) => {
        const token = await boundToken(w)
        return [await w.ask(GRANT, w.victim.bound), await read(w, token, undefined)]
      },
      ['400 oauth invalid_dpop_proof', '401 token.proof_invalid'],
    ),
    attack(
      'two headers with a proof each',
      async (w) => {
        const token = await boundToken(w)
        const two = (make: () => string): Fields => [
          ['dpop', make()],
          ['dpop', make()],
        ]
        return [
          await w.ask(
            GRANT,
            w.victim.bound,
            two(() => forToken(w)),
          ),
          await w.at(PATH, {
            headers: [['authorization', `DPoP ${token}`], ...two(() => forRecord(w, token))],
          }),
        ]
      },
      ['400 oauth invalid_request', '400 request.malformed'],
    ),
    attack(
      'the same proof twice',
      async (w) => {
        const dpop = forToken(w)
        const token = String(
          jsonOf((await w.ask(GRANT, w.victim.bound, [['dpop', dpop]])).body)['access_token'],
        )
        const forIt = forRecord(w, token)
        await read(w, token, forIt)
        return [await w.ask(GRANT, w.victim.bound, [['dpop', dpop]]), await read(w, token, forIt)]
      },
      ['400 oauth invalid_dpop_proof', '401 token.proof_invalid'],
    ),
    attack(
      'the same id in another proof of the same key',
      async (w) => {
        const claims = { jti: randomUUID() }
        const token = await boundToken(w)
        await w.ask(GRANT, w.victim.bound, [['dpop', forToken(w, { claims })]])
        await read(w, token, forRecord(w, token, { claims }))
        return [
          await w.ask(GRANT, w.victim.bound, [['dpop', forToken(w, { claims })]]),
          await read(w, token, forRecord(w, token, { claims })),
        ]
      },
      ['400 oauth invalid_dpop_proof', '401 token.proof_invalid'],
    ),
    ...attacks<(w: World, token: string) => Promise<Seen>>(
      {
        'a stolen token as a bearer token': (w, token) => read(w, token, undefined, 'Bearer'),
        'a stolen token as a bearer token, with a proof': (w, token) =>
          read(w, token, forRecord(w, token), 'Bearer'),
        'a stolen token with a proof of the thief’s key': (w, token) =>
          read(w, token, forRecord(w, token, { key: w.mine, header: { jwk: jwkOf(w.mine) } })),
      },
      async (w, use) => use(w, await boundToken(w)),
      '401 token.invalid',
    ),
    ...attacks<(w: World, token: string) => Promise<Seen>>(
      {
        'a stolen proof of another token': async (w, token) =>
          read(w, token, forRecord(w, await newBoundToken(w))),
        'a proof without the token’s hash': (w, token) =>
          read(w, token, forRecord(w, token, { claims: { ath: undefined } })),
        'a proof with the hash of nothing': (w, token) =>
          read(w, token, forRecord(w, token, { claims: { ath: sha256('') } })),
        'a proof for the token endpoint': (w, token) => read(w, token, forToken(w)),
      },
      async (w, use) => use(w, await boundToken(w)),
      '401 token.proof_invalid',
    ),
    attack(
      'a bearer token made to look bound',
      (w) => read(w, w.tokens.victim, forRecord(w, w.tokens.victim)),
      '401 token.invalid',
    ),
    attack(
      'an exchange that would take the key off',
      async (w) =>
        w.ask(
          {
            grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
            subject_token: await boundToken(w),
            subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          },
          w.victim.machine,
        ),
      '400 oauth invalid_request',
    ),
  ],
}
