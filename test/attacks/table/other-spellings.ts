import { type Attack, type AttackGroup, attack } from '../attack.ts'
import { b64, otherS, part, stray, withPart } from '../support/forge.ts'
import { bearer, type Fields } from '../support/send.ts'
import { VICTIM, type World } from '../support/world.ts'
import { REFUSED_BEHIND, refusedAs, TOKEN_PLACES, tokenAttack } from './token-rows.ts'

const NO_FORM = refusedAs(
  '401 gateway: Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
)
const NO_SIGNATURE = refusedAs('401 gateway: Jwt signature is an invalid Base64url encoded')
const NOT_SIGNED = refusedAs('401 gateway: Jwt verification fails')

/** A token of ours whose part `at` has bits to spare. */
function withSpareBits(world: World, at: 0 | 1 | 2): string {
  for (let length = 1; length < 5; length += 1) {
    const token = world.minted({ jti: 'x'.repeat(length) })
    if ((token.split('.')[at] ?? '').length % 4 !== 0) return withPart(token, at, stray)
  }
  throw new Error('no length leaves bits to spare')
}

const resigned = (name: string, change: (raw: Buffer) => Buffer, answers = NOT_SIGNED): Attack =>
  tokenAttack(
    name,
    (w) => withPart(w.minted(), 2, (text) => b64(change(Buffer.from(text, 'base64url')))),
    answers,
  )

function derOf(raw: Buffer): Buffer {
  const integer = (bytes: Buffer): Buffer => {
    const trimmed = bytes.subarray(bytes.findIndex((byte) => byte !== 0))
    const signed = (trimmed[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), trimmed]) : trimmed
    return Buffer.concat([Buffer.of(2, signed.length), signed])
  }
  const both = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
  return Buffer.concat([Buffer.of(0x30, both.length), both])
}

const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')

export const otherSpellings: AttackGroup = {
  title: 'Other spellings of a token that is good',
  aim: 'Have two texts for one token, so that what is kept by its text (a revocation, a cache, a proof) misses one.',
  sent: 'Made of a token with our own signature; sent to the same five places.',
  places: TOKEN_PLACES,
  never: 'No function takes another spelling.',
  attacks: [
    tokenAttack('padding behind the signature', (w) => `${w.minted()}==`, REFUSED_BEHIND),
    tokenAttack(
      'padding behind the payload',
      (w) => withPart(w.minted(), 1, (text) => `${text}=`),
      NOT_SIGNED,
    ),
    tokenAttack('spare bits in the signature', (w) => withSpareBits(w, 2), REFUSED_BEHIND),
    tokenAttack('spare bits in the payload', (w) => withSpareBits(w, 1), NOT_SIGNED),
    tokenAttack(
      'the letters of plain base64',
      (w) => withPart(w.minted(), 2, () => `${'+/'.repeat(43)}`),
      NO_SIGNATURE,
    ),
    tokenAttack('a percent escape', (w) => w.minted().replace('.', '%2E'), NO_FORM),
    tokenAttack('a fourth part', (w) => `${w.minted()}.AAAA`, NO_FORM),
    tokenAttack('a dot behind it', (w) => `${w.minted()}.`, NO_FORM),
    tokenAttack('only two parts', (w) => w.minted().split('.').slice(0, 2).join('.'), NO_FORM),
    tokenAttack('an empty payload', (w) => withPart(w.minted(), 1, () => ''), NO_FORM),
    tokenAttack('five parts, as an encrypted token', (w) => `${w.minted()}.AA.AA`, NO_FORM),
    tokenAttack(
      'JSON serialization',
      (w) => JSON.stringify({ payload: part(w.claims()), signatures: [] }),
      NO_FORM,
    ),
    tokenAttack('a comma behind it', (w) => `${w.minted()},`, NO_SIGNATURE),
    tokenAttack('the token twice', (w) => `${w.minted()},${w.minted()}`, NO_FORM),
    tokenAttack('an underscore more', (w) => `${w.minted()}_`, NOT_SIGNED),
    resigned('the signature as DER', derOf),
    resigned('the signature of zeros', () => Buffer.alloc(64)),
    resigned('the signature of ones', () => Buffer.alloc(64, 0xff)),
    resigned('r and s the order of the curve', () => Buffer.concat([ORDER, ORDER])),
    resigned('r zero', (raw) => Buffer.concat([Buffer.alloc(32), raw.subarray(32)])),
    resigned('s zero', (raw) => Buffer.concat([raw.subarray(0, 32), Buffer.alloc(32)])),
    resigned('r and s the other way round', (raw) => Buffer.concat([raw.subarray(32), raw.subarray(0, 32)])),
    resigned('a zero before it', (raw) => Buffer.concat([Buffer.of(0), raw])),
    resigned('a zero behind it', (raw) => Buffer.concat([raw, Buffer.of(0)])),
    resigned('the last byte left out', (raw) => raw.subarray(0, 63)),
    resigned('one bit turned', (raw) => Buffer.concat([Buffer.of((raw[0] ?? 0) ^ 1), raw.subarray(1)])),
    attack(
      'the other s of the same signature, of a token that was revoked',
      async (w) => {
        const token = await w.stack.api().token(w.victim.modest)
        const { clientId, clientSecret } = w.victim.modest
        const body = new URLSearchParams({
          token,
          client_id: clientId,
          client_secret: clientSecret,
        }).toString()
        const headers: Fields = [['content-type', 'application/x-www-form-urlencoded']]
        const other = withPart(token, 2, otherS)
        const before = await w.read(other)
        const revoked = await w.at('/oauth2/revoke', { method: 'POST', headers, body })
        const after = await w.at(`/v1/tenants/${VICTIM}/clients`, { headers: bearer(other) })
        return [before, revoked, after]
      },
      // The two are one signature to everybody (RFC 7515 asks for no lower half): one token, one id, one end.
      ['200', '200', '401 token.invalid'],
      { leaves: 'the revocation' },
    ),
  ],
}
