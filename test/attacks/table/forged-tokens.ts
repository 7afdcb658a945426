import { createHash } from 'node:crypto'
import type { AttackGroup } from '../attack.ts'
import {
  b64,
  ecKey,
  hmacSigned,
  jwkOf,
  type Members,
  part,
  pemOf,
  signatureOf,
  signed,
  unsigned,
} from '../support/forge.ts'
import { anRsaKey, type World } from '../support/world.ts'
import { refusedAs, TOKEN_PLACES, tokenAttack } from './token-rows.ts'

const NOT_SUPPORTED = refusedAs('401 gateway: Jwt header [alg] is not supported')
const NO_KEY = refusedAs("401 gateway: Jwks doesn't have key to match kid or alg from Jwt")
const NOT_SIGNED = refusedAs('401 gateway: Jwt verification fails')
const NO_FORM = refusedAs(
  '401 gateway: Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
)

const header = (world: World, change: Members = {}): Members => ({
  ...{ alg: 'ES256', typ: 'at+jwt', kid: world.ours.kid },
  ...change,
})
/** Signed by the attacker, with a header that says to be ours but for the change. */
const byMe = (world: World, change: Members = {}): string =>
  signed(header(world, change), world.claims(), world.mine)
const hmac = (world: World, secret: string | Uint8Array, alg = 'HS256'): string =>
  hmacSigned(header(world, { alg }), world.claims(), secret)

function withOtherCurve(world: World, alg: string, curve: string, hash: string): string {
  return signed(header(world, { alg }), world.claims(), ecKey(curve).privateKey, hash)
}

function byRsa(world: World, alg: string): string {
  const head = `${part(header(world, { alg }))}.${part(world.claims())}`
  return `${head}.${signatureOf(head, anRsaKey())}`
}

export const forgedTokens: AttackGroup = {
  title: 'Tokens that somebody else signed, or nobody',
  aim: 'Be anybody, by a token that a careless verifier takes: algorithm confusion, `none`, keys that the token brings along or points to.',
  sent: "The claims are those of the victim's own machine. Each token is tried as `Authorization: Bearer` at the gateway, at two functions past it, at introspection and as the subject of an exchange.",
  places: TOKEN_PLACES,
  never: 'No function answers with data; no key is fetched from where a token points.',
  attacks: [
    tokenAttack(
      '`none`, without a signature',
      (w) => unsigned(header(w, { alg: 'none' }), w.claims()),
      NO_FORM,
    ),
    ...['none', 'None', 'NONE', 'nOnE', ''].map((alg) =>
      tokenAttack(
        `\`alg\` "${alg}" with some signature`,
        (w) => unsigned(header(w, { alg }), w.claims(), 'AA'),
        NOT_SUPPORTED,
      ),
    ),
    tokenAttack('`none` and no key id', (w) => unsigned({ alg: 'none' }, w.claims(), 'AA'), NOT_SUPPORTED),
    tokenAttack('`none` with a real signature of ours', (w) => w.minted({}, { alg: 'none' }), NOT_SUPPORTED),
    tokenAttack('ES256 without a signature', (w) => unsigned(header(w), w.claims()), NO_FORM),
    tokenAttack('HS256 with our public key as PEM', (w) => hmac(w, pemOf(w.ours.key)), NO_KEY),
    tokenAttack(
      'HS256 with our public key as PEM without its last line end',
      (w) => hmac(w, pemOf(w.ours.key).trim()),
      NO_KEY,
    ),
    tokenAttack(
      'HS256 with our public key as JWK',
      (w) => hmac(w, JSON.stringify(jwkOf(w.ours.key))),
      NO_KEY,
    ),
    tokenAttack(
      'HS256 with the x coordinate of our key',
      (w) => hmac(w, Buffer.from(jwkOf(w.ours.key).x ?? '', 'base64url')),
      NO_KEY,
    ),
    tokenAttack('HS256 with an empty secret', (w) => hmac(w, ''), NO_KEY),
    tokenAttack('HS256 with the key id as secret', (w) => hmac(w, w.ours.kid), NO_KEY),
    tokenAttack('HS384 with our public key', (w) => hmac(w, pemOf(w.ours.key), 'HS384'), NO_KEY),
    tokenAttack('HS512 with our public key', (w) => hmac(w, pemOf(w.ours.key), 'HS512'), NO_KEY),
    tokenAttack('RS256 with a key of the attacker', (w) => byRsa(w, 'RS256'), NO_KEY),
    tokenAttack('PS256 with a key of the attacker', (w) => byRsa(w, 'PS256'), NO_KEY),
    tokenAttack('ES256 in name, signed with RSA', (w) => byRsa(w, 'ES256'), NOT_SIGNED),
    tokenAttack('ES384 with a P-384 key', (w) => withOtherCurve(w, 'ES384', 'P-384', 'sha384'), NO_KEY),
    tokenAttack('ES512 with a P-521 key', (w) => withOtherCurve(w, 'ES512', 'P-521', 'sha512'), NO_KEY),
    tokenAttack(
      'ES256 in name, signed on P-384',
      (w) => withOtherCurve(w, 'ES256', 'P-384', 'sha256'),
      NOT_SIGNED,
    ),
    tokenAttack('ES256K', (w) => withOtherCurve(w, 'ES256K', 'secp256k1', 'sha256'), NOT_SUPPORTED),
    tokenAttack('`alg` in small letters', (w) => w.minted({}, { alg: 'es256' }), NOT_SUPPORTED),
    tokenAttack(
      'the same key with another hash',
      (w) => signed(header(w, { alg: 'ES512' }), w.claims(), w.ours.key, 'sha512'),
      NO_KEY,
    ),
    tokenAttack('the attacker’s key under our key id', (w) => byMe(w), NOT_SIGNED),
    tokenAttack('the attacker’s key under its own id', (w) => byMe(w, { kid: 'mine' }), NO_KEY),
    tokenAttack('a key id that is a path', (w) => byMe(w, { kid: '../../../dev/null' }), NO_KEY),
    tokenAttack('a key id that is a URL', (w) => byMe(w, { kid: w.canary.url }), NO_KEY),
    tokenAttack('a key id that is a query', (w) => byMe(w, { kid: "x' OR '1'='1" }), NO_KEY),
    tokenAttack('a key id that is `__proto__`', (w) => byMe(w, { kid: '__proto__' }), NO_KEY),
    tokenAttack('a key id that is `constructor`', (w) => byMe(w, { kid: 'constructor' }), NO_KEY),
    tokenAttack('an empty key id', (w) => byMe(w, { kid: '' }), NOT_SIGNED),
    tokenAttack('no key id', (w) => byMe(w, { kid: undefined }), NOT_SIGNED),
    tokenAttack(
      'a key id that is a number',
      (w) => byMe(w, { kid: 0 }),
      refusedAs('401 gateway: Jwt header [kid] field is not a string'),
    ),
    tokenAttack(
      'a key id that is a list',
      (w) => byMe(w, { kid: [w.ours.kid] }),
      refusedAs('401 gateway: Jwt header [kid] field is not a string'),
    ),
    tokenAttack('a key id of four thousand characters', (w) => byMe(w, { kid: 'k'.repeat(4_000) }), NO_KEY),
    tokenAttack(
      'a key that it brings along (`jwk`)',
      (w) => byMe(w, { jwk: jwkOf(w.mine), kid: undefined }),
      NOT_SIGNED,
    ),
    tokenAttack(
      'a key that it brings along, under our key id',
      (w) => byMe(w, { jwk: jwkOf(w.mine) }),
      NOT_SIGNED,
    ),
    tokenAttack(
      'a key set that it points to (`jku`)',
      (w) => byMe(w, { jku: `${w.canary.url}/jwks.json` }),
      NOT_SIGNED,
    ),
    tokenAttack(
      'a key set that it points to, with the key’s own id',
      (w) => byMe(w, { jku: `${w.canary.url}/jwks.json`, kid: 'mine' }),
      NO_KEY,
    ),
    tokenAttack(
      'a certificate that it points to (`x5u`)',
      (w) => byMe(w, { x5u: `${w.canary.url}/cert.pem` }),
      NOT_SIGNED,
    ),
    tokenAttack(
      'a certificate that it brings along (`x5c`)',
      (w) => byMe(w, { x5c: [b64(pemOf(w.mine))] }),
      NOT_SIGNED,
    ),
    tokenAttack(
      'the thumbprint of a certificate (`x5t`)',
      (w) => byMe(w, { x5t: b64(createHash('sha1').update('x').digest()) }),
      NOT_SIGNED,
    ),
    tokenAttack(
      'all of it at once',
      (w) => byMe(w, { jwk: jwkOf(w.mine), jku: w.canary.url, x5u: w.canary.url, x5c: ['AA'] }),
      NOT_SIGNED,
    ),
    tokenAttack(
      'claims of the victim under the signature of a token of the attacker’s',
      (w) => {
        const [head = '', , signature = ''] = w.tokens.attacker.split('.')
        return `${head}.${part(w.claims())}.${signature}`
      },
      NOT_SIGNED,
    ),
    tokenAttack(
      'the signature of another token of the victim’s',
      (w) => `${w.minted().split('.').slice(0, 2).join('.')}.${w.minted().split('.')[2]}`,
      NOT_SIGNED,
    ),
  ],
}
