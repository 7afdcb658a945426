import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  CODE_LIFE_MS,
  type CodeProof,
  hashOfCode,
  type IssuedCode,
  isCodeChallenge,
  judgeCode,
  newAuthorizationCode,
  parseAuthorizationCode,
} from '../../../functions/auth/domain/authorization-code.ts'
import type { ClientId } from '../../../functions/auth/domain/client-id.ts'

const NOW_MS = 1_700_000_000_000
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
// RFC 7636, appendix B.
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
const CODE = newAuthorizationCode(Buffer.alloc(32, 5))

const ISSUED: IssuedCode = {
  codeHash: hashOfCode(CODE),
  clientId: 'cid_acme_0000000000000001' as ClientId,
  userId: 'usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E',
  redirectUri: 'https://app.example/callback',
  codeChallenge: CHALLENGE,
  scopes: ['tenant:read'],
  openid: true,
  nonce: null,
  acr: null,
  amr: [],
  authTime: NOW_MS / 1000,
  connectionId: 'con_corporate',
  idpSid: null,
  dpopJkt: null,
  sessionId: null,
  expiresAtMs: NOW_MS + CODE_LIFE_MS,
  usedAtMs: null,
}
const PROOF: CodeProof = {
  clientId: ISSUED.clientId,
  redirectUri: ISSUED.redirectUri,
  codeVerifier: VERIFIER,
  jkt: undefined,
}

function judge(code: Partial<IssuedCode> = {}, proof: Partial<CodeProof> = {}, nowMs = NOW_MS) {
  const judged = judgeCode({ ...ISSUED, ...code }, { ...PROOF, ...proof }, nowMs)
  return judged.ok ? judged.value : judged.code
}

test('a code with everything it was made for is fresh until its minute is over', () => {
  expect(judge()).toBe('fresh')
  expect(judge({}, {}, NOW_MS + CODE_LIFE_MS - 1)).toBe('fresh')
  expect(judge({}, {}, NOW_MS + CODE_LIFE_MS)).toBe('grant.invalid')
})

const WRONG: readonly (readonly [string, Partial<CodeProof>])[] = [
  ['another client', { clientId: 'cid_acme_0000000000000002' as ClientId }],
  ['another redirect_uri', { redirectUri: 'https://app.example/callback/' }],
  ['a redirect_uri of other case', { redirectUri: 'https://APP.example/callback' }],
  ['a redirect_uri with a query', { redirectUri: 'https://app.example/callback?' }],
  ['no redirect_uri', { redirectUri: undefined }],
  ['no verifier', { codeVerifier: undefined }],
  ['the challenge as verifier', { codeVerifier: CHALLENGE }],
  ['another verifier', { codeVerifier: VERIFIER.replace('d', 'e') }],
  ['a verifier that is too short', { codeVerifier: VERIFIER.slice(0, 42) }],
  ['a verifier that is too long', { codeVerifier: VERIFIER.repeat(3) }],
  ['a verifier with a space', { codeVerifier: `${VERIFIER} ` }],
]

test.each(WRONG)('%s opens nothing, and does not count as a second use either', (_name, proof) => {
  expect(judge({}, proof)).toBe('grant.invalid')
  expect(judge({ usedAtMs: NOW_MS }, proof)).toBe('grant.invalid')
})

// RFC 7636 §4.1: what is shorter can be guessed, whatever the client hashed.
test.each(['x'.repeat(42), 'x'.repeat(129), `${'x'.repeat(42)}é`, `${'x'.repeat(43)}\n`])(
  'a verifier that is none does not count, even if the challenge was made of it: %s',
  (codeVerifier) => {
    const codeChallenge = createHash('sha256').update(codeVerifier, 'ascii').digest('base64url')
    expect(judge({ codeChallenge }, { codeVerifier })).toBe('grant.invalid')
  },
)

test('a code bound to a key is opened by that key alone', () => {
  expect(judge({ dpopJkt: 'key-1' }, { jkt: 'key-1' })).toBe('fresh')
  expect(judge({ dpopJkt: 'key-1' }, { jkt: 'key-2' })).toBe('grant.invalid')
  expect(judge({ dpopJkt: 'key-1' })).toBe('grant.invalid')
  expect(judge({ dpopJkt: null }, { jkt: 'key-2' })).toBe('fresh')
})

test('a second use is known as one for as long as the code is remembered', () => {
  expect(judge({ usedAtMs: NOW_MS })).toBe('reused')
  expect(judge({ usedAtMs: NOW_MS }, {}, NOW_MS + 23 * 3_600_000)).toBe('reused')
  expect(judgeCode(undefined, PROOF, NOW_MS)).toMatchObject({ ok: false, code: 'grant.invalid' })
})

test('a challenge that could be spelt in two ways is none', () => {
  expect(isCodeChallenge(CHALLENGE)).toBe(true)
  expect(isCodeChallenge(`${CHALLENGE.slice(0, -1)}N`)).toBe(false)
  expect(isCodeChallenge(VERIFIER.slice(0, 42))).toBe(false)
  expect(isCodeChallenge(`${CHALLENGE}=`)).toBe(false)
  expect(isCodeChallenge(undefined)).toBe(false)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) =>
      isCodeChallenge(createHash('sha256').update(bytes).digest('base64url')),
    ),
  )
})

test('only codes of ours are looked for', () => {
  expect(parseAuthorizationCode(CODE)).toEqual({ ok: true, value: CODE })
  for (let at = 0; at < CODE.length; at += 1) {
    const changed = CODE.slice(0, at) + (CODE[at] === 'A' ? 'B' : 'A') + CODE.slice(at + 1)
    expect(parseAuthorizationCode(changed)).toMatchObject({ ok: false, code: 'grant.invalid' })
  }
  for (const value of ['', `${CODE} `, CODE.slice(1), null, 1, 'SplxlOBeZQQYbYS6WxSbIA']) {
    expect(parseAuthorizationCode(value)).toMatchObject({ ok: false, code: 'grant.invalid' })
  }
})
