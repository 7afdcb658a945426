import { randomBytes, randomUUID } from 'node:crypto'
import { newClientSecret } from '../../../functions/auth/domain/client-secret.ts'
import { type Attack, type AttackGroup, attack, attacks } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { ecKey, hmacSigned, jwkOf, type Members, part, pemOf, signed, withPart } from '../support/forge.ts'
import { bearer, form } from '../support/send.ts'
import { anRsaKey, type World } from '../support/world.ts'

const REFUSED = '401 oauth invalid_client'
const MALFORMED = '400 oauth invalid_request'
const RIGHT = '200 token of tenant:read'
const GRANT = { grant_type: 'client_credentials' }
const some = (): string => newClientSecret(randomBytes(32))

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

function claims(w: World, change: Members = {}): Members {
  const { clientId } = w.victim.asserting
  return {
    iss: clientId,
    sub: clientId,
    aud: w.base,
    exp: w.now() + 60,
    iat: w.now(),
    jti: randomUUID(),
    ...change,
  }
}
const assertion = (w: World, change: Members = {}, header: Members = {}, key = w.clientKey): string =>
  signed({ alg: 'ES256', kid: 'k1', ...header }, claims(w, change), key)
const present = (w: World, text: string, more: Readonly<Record<string, string>> = {}): Promise<Seen> =>
  w.ask({
    ...GRANT,
    scope: 'tenant:read',
    client_assertion: text,
    client_assertion_type: JWT_BEARER,
    ...more,
  })
/** The wrong one, then a right one by the client itself. */
const both = async (w: World, wrong: Promise<Seen>): Promise<Seen[]> => [
  await wrong,
  await present(w, assertion(w)),
]

const wrong = (rows: Readonly<Record<string, (w: World) => string>>, answer = REFUSED): Attack[] =>
  attacks(rows, (w, make) => both(w, present(w, make(w))), [answer, RIGHT])

export const assertions: AttackGroup = {
  title: 'Client assertions (`private_key_jwt`)',
  aim: 'Be a client that proves itself with a key: reuse, redirect or forge its assertion.',
  sent: '`POST /oauth2/token` with `client_assertion`; then the client itself with a right one.',
  places: ['answer', 'the client itself'],
  never: 'No token is given for an assertion that is not the client’s, for us, now and for the first time.',
  attacks: [
    ...wrong({
      '`none`': (w) => `${part({ alg: 'none', kid: 'k1' })}.${part(claims(w))}.AA`,
      'an HMAC with the client’s public key': (w) =>
        hmacSigned({ alg: 'HS256', kid: 'k1' }, claims(w), pemOf(w.clientKey)),
      'the attacker’s key': (w) => assertion(w, {}, {}, w.mine),
      'the attacker’s key, brought along': (w) => assertion(w, {}, { jwk: jwkOf(w.mine) }, w.mine),
      'a key that it points to': (w) => assertion(w, {}, { jku: w.canary.url }, w.mine),
      'another key id': (w) => assertion(w, {}, { kid: 'k2' }),
      RS256: (w) => signed({ alg: 'RS256', kid: 'k1' }, claims(w), anRsaKey()),
      'another curve': (w) =>
        signed({ alg: 'ES384', kid: 'k1' }, claims(w), ecKey('P-384').privateKey, 'sha384'),
      'our own access-token key': (w) => assertion(w, {}, { kid: w.ours.kid }, w.ours.key),
      'something critical': (w) => assertion(w, {}, { crit: ['exp'] }),
      'an unencoded payload': (w) => assertion(w, {}, { b64: false }),
      'the type of an access token': (w) => assertion(w, {}, { typ: 'at+jwt' }),
      'the type of a proof': (w) => assertion(w, {}, { typ: 'dpop+jwt' }),
      'the token endpoint as audience': (w) => assertion(w, { aud: `${w.base}/oauth2/token` }),
      'our issuer in a list': (w) => assertion(w, { aud: [w.base] }),
      'our issuer and another': (w) => assertion(w, { aud: [w.base, 'https://other.example'] }),
      'our issuer with a slash': (w) => assertion(w, { aud: `${w.base}/` }),
      'no audience': (w) => assertion(w, { aud: undefined }),
      'another issuer': (w) => assertion(w, { iss: w.base }),
      'no issuer': (w) => assertion(w, { iss: undefined }),
      'another client as subject': (w) => assertion(w, { sub: w.victim.machine.clientId }),
      'another client as issuer and subject': (w) =>
        assertion(w, { iss: w.victim.machine.clientId, sub: w.victim.machine.clientId }),
      'the client of another tenant with the same key id': (w) =>
        assertion(w, { iss: w.attacker.asserting.clientId, sub: w.attacker.asserting.clientId }, {}, w.mine),
      'no end': (w) => assertion(w, { exp: undefined }),
      'an end in the past': (w) => assertion(w, { iat: w.now() - 120, exp: w.now() - 40 }),
      'an end in ten minutes': (w) => assertion(w, { exp: w.now() + 600 }),
      'an end as a text': (w) => assertion(w, { exp: String(w.now() + 60) }),
      'a beginning in the future': (w) => assertion(w, { iat: w.now() + 60, exp: w.now() + 120 }),
      'not valid yet': (w) => assertion(w, { nbf: w.now() + 60 }),
      'no id': (w) => assertion(w, { jti: undefined }),
      'an empty id': (w) => assertion(w, { jti: '' }),
      'an id of 257 characters': (w) => assertion(w, { jti: 'x'.repeat(257) }),
      'an id that is a number': (w) => assertion(w, { jti: 5 }),
      'a claim twice': (w) =>
        signed(
          { alg: 'ES256', kid: 'k1' },
          JSON.stringify(claims(w)).replace('{', '{"aud":"x",'),
          w.clientKey,
        ),
      padding: (w) => `${assertion(w)}=`,
      'the signature reversed': (w) => withPart(assertion(w), 2, (text) => [...text].reverse().join('')),
      'four parts': (w) => `${assertion(w)}.AA`,
      'no JWT': () => 'x',
      'an access token': (w) => w.tokens.victim,
      'an ID token': (w) => w.people.of.viewer.idToken,
    }),
    attack(
      'for another client than the form names',
      (w) => both(w, present(w, assertion(w), { client_id: w.victim.machine.clientId })),
      [MALFORMED, RIGHT],
    ),
    attack('with a secret beside it', (w) => both(w, present(w, assertion(w), { client_secret: some() })), [
      MALFORMED,
      RIGHT,
    ]),
    attack(
      'of a type that we do not know',
      (w) => both(w, present(w, assertion(w), { client_assertion_type: 'x' })),
      [MALFORMED, RIGHT],
    ),
    attack('without a type', (w) => both(w, w.ask({ ...GRANT, client_assertion: assertion(w) })), [
      MALFORMED,
      RIGHT,
    ]),
    attack(
      'in the URL',
      (w) => both(w, w.at(`/oauth2/token?client_assertion=${assertion(w)}`, form(GRANT))),
      [MALFORMED, RIGHT],
    ),
    attack(
      'a right one, the second time',
      async (w) => {
        const text = assertion(w)
        return [await present(w, text), await present(w, text)]
      },
      [RIGHT, REFUSED],
    ),
    attack(
      'a right one, the second time at introspection',
      async (w) => {
        const text = assertion(w)
        const fields = { token: 'x', client_assertion: text, client_assertion_type: JWT_BEARER }
        return [await present(w, text), await w.at('/oauth2/introspect', form(fields))]
      },
      [RIGHT, REFUSED],
    ),
    attack(
      'a right one, the second time with another signature of the same claims',
      async (w) => {
        const same = claims(w)
        const again = (): string => signed({ alg: 'ES256', kid: 'k1' }, same, w.clientKey)
        return [await present(w, again()), await present(w, again())]
      },
      [RIGHT, REFUSED],
    ),
    attack(
      'a right one beside a bearer token',
      (w) =>
        both(
          w,
          w.ask(
            { ...GRANT, client_assertion: assertion(w), client_assertion_type: JWT_BEARER },
            undefined,
            bearer(w.tokens.attacker),
          ),
        ),
      [MALFORMED, RIGHT],
    ),
  ],
}
