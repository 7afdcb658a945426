import type { AttackGroup } from '../attack.ts'
import { b64, type Members, part, signatureOf, signed } from '../support/forge.ts'
import { ATTACKER, type World } from '../support/world.ts'
import { REFUSED_BEHIND, refusedAs, TOKEN_PLACES, tokenAttack } from './token-rows.ts'

const EXPIRED = refusedAs('401 gateway: Jwt is expired')
const OTHER_AUDIENCE = refusedAs('403 gateway: Audiences in Jwt are not allowed')
const OTHER_ISSUER = refusedAs('401 gateway: Jwt issuer is not configured')
const NO_PAYLOAD = refusedAs('401 gateway: Jwt payload is an invalid JSON')
const NO_HEADER = refusedAs('401 gateway: Jwt header is an invalid JSON')
const notOf = (claim: string, kind: string) =>
  refusedAs(`401 gateway: Jwt payload [${claim}] field is not ${kind}`)

const claim = (name: string, change: (w: World) => Members, answers = REFUSED_BEHIND) =>
  tokenAttack(name, (w) => w.minted(change(w)), answers)
const header = (name: string, change: (w: World) => Members, answers = REFUSED_BEHIND) =>
  tokenAttack(name, (w) => w.minted({}, change(w)), answers)
/** Claims in a spelling of the attacker's, under our signature. */
const spelled = (
  name: string,
  respell: (json: string, w: World) => string | Buffer,
  answers = REFUSED_BEHIND,
) =>
  tokenAttack(
    name,
    (w) => {
      const head = part({ alg: 'ES256', typ: 'at+jwt', kid: w.ours.kid })
      const text = `${head}.${b64(respell(JSON.stringify(w.claims()), w))}`
      return `${text}.${signatureOf(text, w.ours.key)}`
    },
    answers,
  )
const spelledHeader = (name: string, respell: (json: string) => string, answers = REFUSED_BEHIND) =>
  tokenAttack(
    name,
    (w) =>
      signed(
        respell(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: w.ours.kid })),
        w.claims(),
        w.ours.key,
      ),
    answers,
  )

export const wrongTimes: AttackGroup = {
  title: 'Times that are missing or absurd, under our own signature',
  aim: 'Find out whether anything but the signature is looked at, as after a mistake of ours that signs too much.',
  sent: 'Signed with our real key; sent to the same five places.',
  places: TOKEN_PLACES,
  never: 'No function answers with data.',
  attacks: [
    claim('no `exp`', () => ({ exp: undefined })),
    claim('no `iat`', () => ({ iat: undefined })),
    claim('neither', () => ({ exp: undefined, iat: undefined })),
    claim('expired two minutes ago', (w) => ({ iat: w.now() - 400, exp: w.now() - 120 }), EXPIRED),
    claim('expired ten seconds ago, which the gateway forgives', (w) => ({
      iat: w.now() - 300,
      exp: w.now() - 10,
    })),
    claim('`exp` 0', () => ({ exp: 0 })),
    claim('`exp` 1', () => ({ iat: 0, exp: 1 }), EXPIRED),
    claim('`exp` below zero', () => ({ exp: -1 }), notOf('exp', 'a positive 64 bit integer')),
    claim('`exp` as a text', (w) => ({ exp: String(w.now() + 300) }), notOf('exp', 'an integer')),
    claim('`exp` as a list', (w) => ({ exp: [w.now() + 300] }), notOf('exp', 'an integer')),
    claim('`exp` null', () => ({ exp: null }), notOf('exp', 'an integer')),
    claim('`exp` true', () => ({ exp: true }), notOf('exp', 'an integer')),
    claim('`exp` with a fraction', (w) => ({ exp: w.now() + 300.5 })),
    claim('`exp` 1e300', () => ({ exp: 1e300 }), notOf('exp', 'a positive 64 bit integer')),
    claim('`exp` in a hundred years', (w) => ({ exp: w.now() + 3_153_600_000 })),
    claim('`exp` in milliseconds', (w) => ({ exp: (w.now() + 300) * 1000 })),
    claim('a life of an hour and a second', (w) => ({ iat: w.now() - 1, exp: w.now() + 3_600 })),
    claim('`iat` in a minute', (w) => ({ iat: w.now() + 60 })),
    claim('`iat` in milliseconds', (w) => ({ iat: w.now() * 1000 })),
    claim('`iat` as a text', (w) => ({ iat: String(w.now()) }), notOf('iat', 'an integer')),
    claim('`iat` below zero', () => ({ iat: -1 }), notOf('iat', 'a positive 64 bit integer')),
    claim('`iat` with a fraction', (w) => ({ iat: w.now() - 0.5 })),
    claim('`iat` after `exp`', (w) => ({ iat: w.now() + 4, exp: w.now() - 2 })),
    claim('`iat` 0, before every watermark', (w) => ({ iat: 0, exp: w.now() + 300 })),
    claim(
      '`nbf` in two minutes',
      (w) => ({ nbf: w.now() + 120 }),
      refusedAs('401 gateway: Jwt not yet valid'),
    ),
    claim('`nbf` in half a minute, which the gateway forgives', (w) => ({ nbf: w.now() + 30 })),
    claim('`nbf` as a text', () => ({ nbf: 'now' }), notOf('nbf', 'an integer')),
  ],
}

export const wrongClaims: AttackGroup = {
  title: 'Claims that we never make, under our own signature',
  aim: 'The same for whom a token is about, for whom it is, and what it allows.',
  sent: 'Signed with our real key; sent to the same five places.',
  places: TOKEN_PLACES,
  never: 'No function answers with data.',
  attacks: [
    claim('another issuer', () => ({ iss: 'https://evil.example' }), OTHER_ISSUER),
    claim('our issuer with a slash', (w) => ({ iss: `${w.base}/` }), OTHER_ISSUER),
    claim('our issuer in capitals', (w) => ({ iss: w.base.toUpperCase() }), OTHER_ISSUER),
    claim('no issuer', () => ({ iss: undefined }), OTHER_ISSUER),
    claim('issuers in a list', (w) => ({ iss: [w.base] }), notOf('iss', 'a string')),
    claim('another audience', () => ({ aud: 'https://other.example' }), OTHER_AUDIENCE),
    claim(
      'a client as audience, as in an ID token',
      (w) => ({ aud: w.victim.machine.clientId }),
      OTHER_AUDIENCE,
    ),
    claim('no audience', () => ({ aud: undefined }), OTHER_AUDIENCE),
    claim('an empty list of audiences', () => ({ aud: [] }), OTHER_AUDIENCE),
    claim('our audience in a list', (w) => ({ aud: [w.base] })),
    claim('our audience and another', (w) => ({ aud: [w.base, 'https://other.example'] })),
    claim('our audience with a slash, which the gateway forgives', (w) => ({ aud: `${w.base}/` })),
    claim('our audience without its scheme, which the gateway forgives', (w) => ({
      aud: new URL(w.base).host,
    })),
    claim('no subject', () => ({ sub: undefined })),
    claim('an empty subject', () => ({ sub: '' })),
    claim('a subject of 256 characters', () => ({ sub: 'x'.repeat(256) })),
    claim('a subject that is a number', () => ({ sub: 1 }), notOf('sub', 'a string')),
    claim('no token id', () => ({ jti: undefined })),
    claim('a token id of 257 characters', () => ({ jti: 'x'.repeat(257) })),
    claim('no client', () => ({ client_id: undefined })),
    claim('no tenant', () => ({ tenant: undefined })),
    claim('a tenant that does not exist', () => ({ tenant: 'there-is-none' })),
    claim('a tenant in capitals', () => ({ tenant: 'GLOBEX' })),
    claim('a tenant with a space', () => ({ tenant: 'globex ' })),
    claim('a tenant with a path', () => ({ tenant: `globex/../${ATTACKER}` })),
    claim('a tenant in look-alike letters', () => ({ tenant: 'glоbex' })),
    claim('tenants in a list', () => ({ tenant: ['globex'] })),
    claim('a tenant that is an object', () => ({ tenant: { toString: 'globex' } })),
    claim('scopes in a list', () => ({ scope: ['tenant:read'] })),
    claim('no scope', () => ({ scope: undefined })),
    claim('scopes of five thousand characters', () => ({ scope: 'tenant:read '.repeat(420) })),
    claim('roles as a text', () => ({ roles: 'owner' })),
    claim('no roles', () => ({ roles: undefined })),
    claim('a policy version of before', () => ({ ver: -1 })),
    claim('a policy version that is a text', () => ({ ver: '1' })),
    claim('bound to a key (`cnf.jkt`), sent without a proof', () => ({ cnf: { jkt: 'A'.repeat(43) } }), [
      '401 token.invalid',
      '401 token.invalid',
      '401 token.invalid',
      '200 active',
      '400 oauth invalid_request',
    ]),
    claim('bound in a way we do not know', () => ({ cnf: { 'x5t#S256': 'A'.repeat(43) } })),
    claim('bound in two ways', () => ({ cnf: { jkt: 'A'.repeat(43), kid: 'x' } })),
    claim('bound to null', () => ({ cnf: null })),
    claim('four actors', () => ({
      act: { sub: 'a', act: { sub: 'b', act: { sub: 'c', act: { sub: 'd' } } } },
    })),
    claim('an actor without a name', () => ({ act: {} })),
    claim('a session that is a number', () => ({ sid: 5 })),
    claim('a sign-in with a fraction', () => ({ auth_time: 1.5 })),
  ],
}

export const wrongForms: AttackGroup = {
  title: 'Headers and JSON that two readers could read differently, under our own signature',
  aim: 'Let the gateway see one token and the function another: critical extensions, unencoded payloads, members that stand twice.',
  sent: 'Signed with our real key; sent to the same five places.',
  places: TOKEN_PLACES,
  never: 'No function answers with data.',
  attacks: [
    header('`crit` with what we know', () => ({ crit: ['exp'] })),
    header('`crit` with what nobody knows', () => ({ crit: ['x'], x: 1 })),
    header('an empty `crit`', () => ({ crit: [] })),
    header('`b64` false (RFC 7797)', () => ({ b64: false, crit: ['b64'] })),
    header('`b64` false without `crit`', () => ({ b64: false })),
    header('`b64` true', () => ({ b64: true })),
    header('`zip`', () => ({ zip: 'DEF' })),
    header('`cty` JWT: a token inside', () => ({ cty: 'JWT' })),
    header('`enc`, as of an encrypted token', () => ({ enc: 'A128GCM' })),
    header('`jwk` of the very key', () => ({ jwk: { kty: 'EC' } })),
    header('`jku` of our own key set', (w) => ({ jku: `${w.base}/.well-known/jwks.json` })),
    header('a member that nobody knows', () => ({ x: 1 })),
    header('`typ` of an ID token', () => ({ typ: 'JWT' })),
    header('no `typ`', () => ({ typ: undefined })),
    header('`typ` of a logout token', () => ({ typ: 'logout+jwt' })),
    header('`typ` of a proof', () => ({ typ: 'dpop+jwt' })),
    header('`typ` of a fact', () => ({ typ: 'secevent+jwt' })),
    header('`typ` that is a list', () => ({ typ: ['at+jwt'] })),
    header('`typ` that only begins right', () => ({ typ: 'at+jwt;x' })),
    header('no key id', () => ({ kid: undefined })),
    tokenAttack(
      'signed with the key of our facts',
      (w) => signed({ alg: 'ES256', typ: 'at+jwt', kid: w.events.kid }, w.claims(), w.events.key),
      REFUSED_BEHIND,
    ),
    spelledHeader('`alg` twice', (text) => text.replace('{', '{"alg":"none",')),
    spelledHeader('`kid` twice', (text) => text.replace('{', '{"kid":"x",')),
    spelledHeader('`alg` twice, once with an escape', (text) => text.replace('{', '{"\\u0061lg":"none",')),
    spelledHeader('white space in the header', (text) => text.replace(',', ', ')),
    spelledHeader('a header that is a list', (text) => `[${text}]`, NO_HEADER),
    spelledHeader('a header that is null', () => 'null', NO_HEADER),
    spelledHeader('a header with `__proto__`', (text) => text.replace('{', '{"__proto__":{"alg":"none"},')),
    spelled('`tenant` twice', (text) => text.replace('{', `{"tenant":"${ATTACKER}",`)),
    spelled('`exp` twice', (text) => text.replace('{', '{"exp":1,')),
    spelled('`scope` twice, once with an escape', (text) => text.replace('{', '{"sc\\u006fpe":"x",')),
    spelled('white space', (text) => text.replace(',', ' ,')),
    spelled('a line end after it', (text) => `${text}\n`),
    spelled('numbers with an exponent', (text) => text.replace(/"ver":1/, '"ver":1e0')),
    spelled('letters as escapes', (text) => text.replace('globex', '\\u0067lobex')),
    spelled('`__proto__` with a tenant', (text) => text.replace('{', '{"__proto__":{"tenant":"acme"},')),
    spelled('`constructor`', (text) => text.replace('{', '{"constructor":{},')),
    spelled('a byte order mark', (text) => `\ufeff${text}`, NO_PAYLOAD),
    spelled(
      'invalid UTF-8',
      (text) =>
        Buffer.concat([
          Buffer.from(text.slice(0, -1)),
          Buffer.from(',"x":"'),
          Buffer.from([0xff]),
          Buffer.from('"}'),
        ]),
      NO_PAYLOAD,
    ),
    spelled('a lone surrogate', (text) => text.replace('{', '{"x":"\\ud800",')),
    spelled('a NUL in the subject', (text) => text.replace('"sub":"', '"sub":"\\u0000')),
    spelled('a comment', (text) => text.replace('{', '{/**/'), NO_PAYLOAD),
    spelled('two objects', (text) => `${text}{}`, NO_PAYLOAD),
    spelled('a list', (text) => `[${text}]`, NO_PAYLOAD),
    spelled('depth of thirty', (text) => text.replace('{', `{"x":${'['.repeat(30)}${']'.repeat(30)},`)),
    spelled('no object', () => '"x"', NO_PAYLOAD),
    spelled('nothing that is JSON', () => 'x', NO_PAYLOAD),
  ],
}
