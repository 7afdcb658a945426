/**
 * Test vectors of Project Wycheproof for JSON Web Signatures and Keys, restated: `json_web_signature_test`
 * and `json_web_key_test`, `testvectors_v1`, github.com/C2SP/wycheproof (Apache License 2.0).
 *
 * The ids are those of the original. Where a vector is an edit of a valid one it is stated as the edit,
 * and gives the same bytes. Left out and made anew with a key of our own (`rsa-paddings.ts`) are the
 * RSASSA-PKCS1-v1_5 signatures 46 to 344 with modified paddings, each 342 characters of noise.
 */
export type Vector = {
  readonly id: number
  readonly name: string
  readonly jws: string
  readonly valid: boolean
}

export type VectorGroup = {
  readonly name: string
  /** A key set, as an issuer would publish it. */
  readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  readonly vectors: readonly Vector[]
}

const EC_PUBLIC = {
  kty: 'EC',
  kid: 'kid-ec-sign',
  crv: 'P-256',
  x: '04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY',
  y: 'UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw',
}
const EC_SIGN = { ...EC_PUBLIC, alg: 'ES256', use: 'sig' }
const EC_PRIVATE = { ...EC_SIGN, d: 'yy49oPcINGK2ps0LmtxpB6UTEOiITghHBif6wDqmJ3c' }
const EC_JWS =
  'eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v.5cA0OHyMP7ezamUd5c9kV-FrGxdx4hbGXOdplQkutrqWrte5P-pAvsE3Ve6xSyU3YDQwUHjVVOtvcrEbbnZ8yA'

const RSA_PUBLIC = {
  kty: 'RSA',
  kid: 'kid-rsa-sign',
  n: 'kqGboBfAWttWPCA-0cGRgsY6SaYoIARt0B_PkaEcIq9HPYNdu9n6UuWHuuTHrjF_ZoQW97r5HaAorNvrMEGTGdxCHZdEtkHvNVVmrtxTBLiQCbCozXhFoIrVcr3qUBrdGnNn_M3jJi7Wg7p_-x62nS5gNG875oyheRkutHsQXikFZwsN3q_TsPNOVlCiHy8mxzaFTUQGm-X8UYexFyAivlDSjgDJLAZSWfxd7k9Gxuwa3AUfQqQcVcegmgKGCaErQ3qQbh1x7WB6iopE3_-GZ8HMAVtR9AmrVscqYsnjhaCehfAI0iKKs8zXr8tISc0ORbaalrkk03H1ZrsEnDKEWQ',
  e: 'AQAB',
}
const RSA_SIGN = { ...RSA_PUBLIC, alg: 'RS256', use: 'sig' }
const RSA_JWS =
  'eyJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC1yc2Etc2lnbiJ9.Zm9v.HUwxI1-cZrZgcuOgBQ7G7NE-GrqK79l6GV1KT4DKXnSMFwC8pfZCzE7pmLE7mYpLCIvzC87yuOjuhT0uW5oe6aaAEtR978cm-q8dfly45flqMrd_ifhi9GCsMlyi8dpQ42Ou1etZljFZuWjfyk8CN1c5DaHRwhqjScAPIFp6xmzKIRUJ_xdQfUSfSlujLaixtScU518EoNP4oo1v7E8RAz6ZO4g2N4Xqs8OvSxYydcoTEg42QnLHe9JnXgI37Q5gSwinwaPsG3Ry56UYiLoL8mCUa74S51y02VsIgVmmGWgaXjM-i_lCiKQDBiBnvWlka4XhVuvd6ZWibM9cbCPtPg'

export const HMAC_KEY = {
  kty: 'oct',
  kid: 'kid-aes-sign',
  alg: 'HS256',
  use: 'sig',
  k: '-ebuDNsVZ2iJtoZ-akfXTSCt4UO2cruLCsbWlBinggE',
}
const HMAC_JWS =
  'eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC1hZXMtc2lnbiJ9.Zm9v.TD37p4c_0jmreSrBSDmE0F3mYSPtkZ3WrSyI5wb_KTg'

/** The edits that each group of signatures has in common. */
function formVectors(first: number, jws: string, modified: (kidHeader: string) => string): Vector[] {
  const [header = '', payload = '', signature = ''] = jws.split('.')
  const edits: readonly (readonly [name: string, jws: string])[] = [
    ['acceptsValid', jws],
    ['rejectsModifiedSignature', `${header}.${payload}.X${signature.slice(1)}`],
    ['rejectsMissingSignature', `${header}.${payload}.`],
    ['rejectsMissingSignatureAndSeparator', `${header}.${payload}`],
    ['rejectsModifiedPayload', `${header}.WG9v.${signature}`],
    ['rejectsMissingPayload', `${header}..${signature}`],
    ['rejectsMissingPayloadAndSeparator', `${header}.${signature}`],
    ['rejectsModifiedHeader', `${modified(header)}.${payload}.${signature}`],
    ['rejectsMissingHeader', `.${payload}.${signature}`],
    ['rejectsMissingHeaderAndSeparator', `${payload}.${signature}`],
    ['rejectsMissingHeaderAndSignature', `.${payload}.`],
    ['rejectsMissingHeaderSignatureAndSeparators', payload],
    ['rejectsEmptyString', ''],
  ]
  return edits.map(([name, text], at) => ({ id: first + at, name, jws: text, valid: at === 0 }))
}

const otherKid = (header: string): string => {
  const text = Buffer.from(header, 'base64url').toString()
  return Buffer.from(text.replace('"kid-', '"Xid-')).toString('base64url')
}

const invalid = (id: number, name: string, jws: string): Vector => ({ id, name, jws, valid: false })
const valid = (id: number, name: string, jws: string): Vector => ({ id, name, jws, valid: true })

const [HMAC_HEADER = ''] = HMAC_JWS.split('.')
const JSON_SERIALIZED = `{"payload":"Zm9v","signatures":[{"protected":"${HMAC_HEADER}","header":{"unknown":"untrustworthy"},"signature":"${HMAC_JWS.split('.')[2]}"}`
const RFC7520_EC = {
  kty: 'EC',
  kid: 'bilbo.baggins@hobbiton.example',
  crv: 'P-521',
  x: 'AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt',
  y: 'AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1',
}
const RFC7520_RSA = {
  kty: 'RSA',
  kid: 'bilbo.baggins@hobbiton.example',
  n: 'n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw',
  e: 'AQAB',
}
const RFC7520_PAYLOAD =
  'SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4'
const RFC7520_ES512 = `eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${RFC7520_PAYLOAD}.AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2`
const RFC7520_RS256 = `eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${RFC7520_PAYLOAD}.MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg`

/** `n - 1` and `n` of P-256, and the two numbers that are no signatures either, as 32 bytes each. */
const EDGE_NUMBERS: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['Zero', Buffer.alloc(32)],
  ['One', Buffer.concat([Buffer.alloc(31), Buffer.from([1])])],
  ['Nminus1', Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550', 'hex')],
  ['N', Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')],
]
const EC_SIGNED = EC_JWS.slice(0, EC_JWS.lastIndexOf('.'))
const EC_SIGNATURE = Buffer.from(EC_JWS.split('.')[2] ?? '', 'base64url')
const R = EC_SIGNATURE.subarray(0, 32)
const S = EC_SIGNATURE.subarray(32)
const ecJws = (...parts: readonly Uint8Array[]): string =>
  `${EC_SIGNED}.${Buffer.concat(parts).toString('base64url')}`
const byte = (value: number): Buffer => Buffer.from([value])

export const SIGNATURE_GROUPS: readonly VectorGroup[] = [
  {
    name: 'hs256',
    jwks: { keys: [HMAC_KEY] },
    vectors: [
      ...formVectors(1, HMAC_JWS, otherKid),
      invalid(14, 'rejectsExtraEmptyComponent', `${HMAC_JWS}.`),
      invalid(15, 'rejectsExtraComponent', `${HMAC_JWS}.foo`),
      invalid(
        16,
        'rejectsNoneAlgorithmAndMissingSignature',
        'eyJhbGciOiJub25lIiwia2lkIjoia2lkLWFlcy1zaWduIn0.Zm9v.',
      ),
      invalid(17, 'rejectsValidJsonSerialization', JSON_SERIALIZED),
    ],
  },
  {
    name: 'es256',
    jwks: { keys: [EC_SIGN] },
    vectors: [
      ...formVectors(18, EC_JWS, otherKid),
      invalid(
        31,
        'rejectsSymmetryConfusionAttacks_aesKeyFromEcVerificationKeyBytes',
        'eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v.TgWtz2FIRukBQ_mA5sgHa0Ybtgn7bl-YBPAi7Z0XdHU',
      ),
      invalid(
        32,
        'rejectsAttackerProvidedEmbeddedJwk',
        'eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIiwiandrIjp7Imt0eSI6IkVDIiwia2lkIjoia2lkLWVjLXNpZ24iLCJ1c2UiOiJzaWciLCJhbGciOiJFUzI1NiIsIngiOiJNZG5UWkRJaERKYmZBU2RGcWFtY3BPMkNoOUdOS0sybTBNUWxoNDAyU3BvIiwieSI6Ijdhdko0bHFfV3l4LW5MUERCUTJZcHl0dUh5TWlvMDdCVXl2bDNqYUMtMVkiLCJjcnYiOiJQLTI1NiJ9fQ.Zm9v.4jmsollQD8ZxvySzXYnIEYA4fwaZi2ZbC0aI1J4LYmW2Bn31NhKdjms2N6o51Dff5-InWXQF9m45VtTexl6yjg',
      ),
    ],
  },
  { name: 'rs256', jwks: { keys: [RSA_SIGN] }, vectors: formVectors(33, RSA_JWS, otherKid) },
  // Their `alg` is no algorithm (`ES521`), so that we take none of these keys; the next two are right.
  {
    name: 'rfc7520',
    jwks: { keys: [{ ...RFC7520_EC, alg: 'ES521', use: 'sig' }] },
    vectors: [valid(347, 'Figure27', RFC7520_ES512)],
  },
  {
    name: 'rfc7520WithKeyOps',
    jwks: { keys: [{ ...RFC7520_RSA, alg: 'RS256', key_ops: ['verify'] }] },
    vectors: [valid(349, 'Figure13', RFC7520_RS256)],
  },
  {
    name: 'rfc7520WithKeyOps',
    jwks: { keys: [{ ...RFC7520_EC, alg: 'ES521', key_ops: ['verify'] }] },
    vectors: [valid(351, 'Figure27', RFC7520_ES512)],
  },
  {
    name: 'rsa_encryption',
    jwks: { keys: [{ ...RSA_PUBLIC, use: 'enc' }] },
    vectors: [invalid(353, 'rejectWrongUse', RSA_JWS)],
  },
  {
    name: 'ec_key_for_encryption',
    jwks: { keys: [{ ...EC_PUBLIC, use: 'enc' }] },
    vectors: [invalid(354, 'rejectWrongUse', EC_JWS)],
  },
  {
    name: 'rsa_encryption',
    jwks: { keys: [{ ...RSA_PUBLIC, key_ops: ['encrypt'] }] },
    vectors: [invalid(355, 'rejectWrongKeyOps', RSA_JWS)],
  },
  {
    name: 'ec_key_for_encryption',
    jwks: { keys: [{ ...EC_PUBLIC, key_ops: ['encrypt'] }] },
    vectors: [invalid(356, 'rejectWrongKeyOps', EC_JWS)],
  },
  {
    name: 'SpecialCaseEs256',
    jwks: { keys: [EC_SIGN] },
    vectors: [
      valid(
        378,
        'valid',
        'eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v.5cA0OHyMP7ezamUd5c9kV-FrGxdx4hbGXOdplQkutrppUShFwBW_Qj7IqhFOtNrIXLLKXS5CSZmERxmnjeyoiQ',
      ),
      invalid(379, 'SignatureTooLong', ecJws(byte(0), R, byte(0), S)),
      invalid(380, 'TrailingZeros', ecJws(R, byte(0), S, byte(0))),
      invalid(
        381,
        'RisTooBig',
        'eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v.AeXANDd8jD-4s2plHeXPZFeeUhXFGPm1S1ChNFgFkdwLAJau17k_6kC-wTdV7rFLJTdgNDBQeNVU629ysRtudnzI',
      ),
      invalid(
        382,
        'SisTooBig',
        'eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v.AOXANDh8jD-3s2plHeXPZFfhaxsXceIWxlznaZUJLra6AZau17g_6kC_wTdV7rFLJTcdGyr-H-zzcGMse95q2aIZ',
      ),
      invalid(383, 'IntegerOverflow', ecJws(byte(1), R, byte(0), S)),
      invalid(384, 'IntegerOverflow', ecJws(byte(0), R, byte(1), S)),
      invalid(385, 'BufferOverflow', ecJws(Buffer.alloc(225), R, Buffer.alloc(225), S)),
      ...EDGE_NUMBERS.flatMap(([rName, r], row) =>
        EDGE_NUMBERS.map(([sName, s], column) =>
          invalid(386 + row * 4 + column, `rIs${rName}_sIs${sName}`, ecJws(r, s)),
        ),
      ),
    ],
  },
]

const MAC_HEADER = 'eyJraWQiOiJoczI1Ni1rZXkiLCJhbGciOiJIUzI1NiJ9'
const MAC = 'c1LROH7eNQwUT8KMVEO52VC3WZ9e_AnDWbZ7aMmowV8'
const mac = (payload: string, tag: string, header = MAC_HEADER): string => `${header}.${payload}.${tag}`

/** About how a token is spelled, with a key that is a secret: we take no such keys, but the same spellings. */
export const SPELLING_KEY = Buffer.alloc(32)
export const SPELLING_VECTORS: readonly Vector[] = [
  valid(357, 'ValidMac', mac('VGVzdA', MAC)),
  valid(358, 'ValidEdgeCaseMac', mac('VDIxMzI1NjY4', 'AAAAtBuQqoI9HuBeAsgjL4nx8sCGYJa5-G2OrureLO4')),
  valid(359, 'ValidEdgeCaseMac', mac('VDgxMjM0MTM', '____ETVRY0lRV9XgQeYX6ixdGT0NLHYb-wZem_ifJ5k')),
  invalid(360, 'rejectsSpacesInMac', mac('VGVzdA', `    ${MAC}`)),
  invalid(361, 'rejectsInvalidCharacterInsertedInMac', mac('VGVzdA', `?${MAC}`)),
  invalid(362, 'rejectsInvalidCharacterInsertedInMac', mac('VGVzdA', `${MAC}?`)),
  invalid(
    363,
    'rejects0ReplacedbyInvalidCharacter',
    mac('VDIxMzI1NjY4', '?AAAtBuQqoI9HuBeAsgjL4nx8sCGYJa5-G2OrureLO4'),
  ),
  invalid(364, 'rejectsInvalidCharacters', mac('VDgxMjM0MTM', '????ETVRY0lRV9XgQeYX6ixdGT0NLHYb-wZem_ifJ5k')),
  invalid(
    365,
    'spacesInHeader',
    mac('VGVzdA', 'DR-cdw2cCB53b3mpzMfk2gKTeyN0PhXBrTW1atMfSdM', `${MAC_HEADER}    `),
  ),
  invalid(
    366,
    'invalidCharactersInHeader',
    mac('VGVzdA', '23srvDiEYo7665_26qKv4D-0E2a149WRWH_av2ki2I4', `${MAC_HEADER}####`),
  ),
  invalid(367, 'invalidBase64Padding', mac('VGVzdA', MAC)),
  invalid(368, 'spacesInPayload', mac('    VGVzdA', 'AbPJgmXfihyNBUYpbdPK8qRpPjNuTE-Z_wYQyrU2lMQ')),
  invalid(
    369,
    'invalidCharactersInPayload',
    mac('####VGVzdA', 'Ixs2CdBkk8qjqe2-hq2dobqVvv9iDcDS6gPNgoXJyFY'),
  ),
  invalid(370, 'invalidBase64PaddingInPayload', mac('VGVzdA', MAC)),
  invalid(371, 'InvalidCharacterInPayload', mac('?VGVzdA', 'q0zEA3Js33N6HcOFfBK875qJ_nFwSzI9SN9qJnx5sOc')),
  valid(
    372,
    'InvalidCharacterInsertedInHeader',
    mac('VGVzdA', MAC, 'eyJraWQiOiJoczI1Ni1rZXkiLCJhbGciOiJIUzI1NiJ?9'),
  ),
  valid(373, 'InvalidCharacterInsertedInPayload', mac('VGVzdA?', MAC)),
  invalid(374, 'ModifiedUnusedBitsInPayload', mac('AB', '8sL_ycV8G_D-K_2A3I0EW3NoPMeQzv13cAzuHlQ5TAE')),
  invalid(375, 'MacOfIncorrectlyEncodedMessage', mac('AB', '9phoKDvkBMAqTgeVIYeqAi6-lvC0pbKg9ER--3T97w0')),
  valid(
    376,
    'ValidSpacesInJsonHeader',
    mac(
      'VGVzdA',
      '3nl1C7dKVGLfNyALp4ZKkmNFBJlFP8M9VGzCyil9S1c',
      'eyAia2lkIiA6ICJoczI1Ni1rZXkiLCAiYWxnIiA6ICJIUzI1NiIgfQ',
    ),
  ),
  valid(
    377,
    'ValidWhiteSpaceInJsonHeader',
    mac(
      'VGVzdA',
      'Yxn8cTl7IHpFIoEPOFrWmjm-GQlr_RMqHNJOp1ZuweY',
      'eyJraWQiOiJoczI1Ni1rZXkiLAoJImFsZyI6IkhTMjU2In0',
    ),
  ),
]

const ROCA = {
  kty: 'RSA',
  kid: 'kid-rsa-roca-sign',
  alg: 'RS256',
  use: 'sig',
  n: 'AanFpofbj7KjD4Lf-N2hVMKR7yewSyXhhbirIMTGpfYEhZ_lnt5UoK98DnKIgArXGTu3MaW_HhFw16HGaTDUHqPrId7fe4r11CqRw09yBFuW79V8sYIwHdzCaWflUI6auImYbVfoN9_nD5n8N8SY9DwXw7mwZM9wREPXoDPgOoIWl6q_MPsp7n0zs3Z5ZaiQWOOzl1S9OhwAfSiiOwz6efnXEaxuTEtPd7BjSx7NaFka8Dx9U7YqXy2RFj1O9PjyaDGuRh7YXsX3iMUSP_wSyHQg_c_qHRtKUsNSGCT7OZg0hzm2KphtjnayKJvC64vAbROBR4Ubg6Bxg9IQVZ-QYyE',
  e: 'AQAB',
}
const SHORT = {
  kty: 'RSA',
  kid: 'RS256_1024',
  alg: 'RS256',
  use: 'sig',
  n: 'rJBIp6T1YK-RtPyvYqFFlcucqewSAA_IReSFchE8qyiQrbARqRlXWkB2DR8j_pJQnIpYELbQWZC5Cd0PTGAU8rMbar2AW6zpmBbi7aQf17lUBdt8XI9M9rq7FPVQ1dDdUXm1SVH_9qqWhvMPR422SbfHBEzCAtzK0ANDRo6qz78',
  e: 'AQAB',
}
const EXPONENT_ONE = {
  kty: 'RSA',
  kid: 'RS256_2048',
  alg: 'RS256',
  use: 'sig',
  n: 'u-SfdHPjFtGmzuoH6gheIIZ4nLwUHBQEtFGqOe0N8JuZUc5VOzlI8yl0r8ESilAouttkdftexj4VFJz5R9FH90ypVQDPL0H4mC_RtkcJ1DBB8MriU8dmzqSXP1SBs4s5L-pJWxKKLjXddD6gXJZ7HT_aPl2olvlLh8JkD_52U6sjdeP3OWDKvMu5GsrMlS9XJCVaCx8r9698OEElwK-ZW9PztgTSb-MvyTuyzis5Yc13n_z0wMLahpDilI2fzNsZ3yH6htu4VXPraSEZV6C0Z7epAAAUqiUnxh3WRupEICaewYEnW3MVS2hHwLwtPu_RR0XHoZr1oPSlQMP3Zi2QKw',
  e: 'AQ',
}
/** What a signature with exponent one is: the padded digest itself. */
const EXPONENT_ONE_JWS = `eyJhbGciOiJSUzI1NiIsImtpZCI6IlJTMjU2XzIwNDgifQ..AAH${'_'.repeat(269)}ADAxMA0GCWCGSAFlAwQCAQUABCC2RQuThyxZrC1hF3430kwQRUtpKnK2r9hhkP2mQe8zsg`

const oct = (kid: string, alg: string, k: string) => ({ kty: 'oct', use: 'sig', kid, alg, k })
const counting = (bytes: number): string =>
  Buffer.from(Array.from({ length: bytes }, (_, at) => at)).toString('base64url')

export const KEY_GROUPS: readonly VectorGroup[] = [
  {
    name: 'jws_mixedSymmetryKeyset',
    jwks: { keys: [HMAC_KEY, EC_SIGN] },
    vectors: [invalid(1, 'rejectsValid', HMAC_JWS)],
  },
  {
    name: 'jws_keyset',
    jwks: {
      keys: [
        HMAC_KEY,
        { ...HMAC_KEY, kid: 'kid-aes-sign-2', k: '-xbuDNsVZ2iJtoZ-akfXTSCt4UO2cruLCsbWlBinggE' },
      ],
    },
    vectors: [
      valid(2, 'acceptsValid', HMAC_JWS),
      invalid(3, 'rejectsModifiedSignature', HMAC_JWS.replace('.TD3', '.XD3')),
    ],
  },
  {
    name: 'jws_duplicate_kid',
    jwks: { keys: [HMAC_KEY, { ...HMAC_KEY, k: '-xxuDNsVZ2iJtos-akfXTSCt4UO2cruLCsbWlBingge' }] },
    vectors: [invalid(4, 'rejectsDuplicateKid', HMAC_JWS)],
  },
  { name: 'rs256', jwks: { keys: [RSA_SIGN] }, vectors: [valid(5, 'acceptsValid', RSA_JWS)] },
  {
    name: 'rs256',
    jwks: { keys: [{ ...RSA_PUBLIC, alg: 'RSA1_5', use: 'enc' }] },
    vectors: [invalid(6, 'rejectsWrongUse', RSA_JWS)],
  },
  {
    name: 'jws_rsa_roca_key',
    jwks: { keys: [ROCA] },
    vectors: [
      invalid(
        7,
        'rejectsKeyWithRocaVulnerability',
        'eyJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC1yc2Etcm9jYS1zaWduIn0.Zm9v.AF_6dFYBEaaI5OlOehaktwYarwKZwFFeKTNwz9ar6ntNh4k8oeQwiODJqT1nnX2KhrWMUc80JJIdaCq3y7wOSmlPrqRgrL5r9xqfQdokirCuynoq4Lbi226VlZmijmkyYtSeEbzvkhyjbY8cDQF_c2DMMQG8FBRNJPOSTxi_I75Twj0877G-16i3bAWcvFxcNKGQzSQNcp5Lvh15N2I3PDM5W7HaFwPO0drzLR9dsDW9uDCqHvMMyshC7rgZdqfXpkaJL8Whn_mUScnLxS7J-2wVt9xKY3LpR97HoanIK-rcqYS_eq9hY_65te4qbwPCtQMjipIgIGo9HZrNRomAB1c',
      ),
    ],
  },
  {
    name: 'keysize_too_small',
    jwks: { keys: [SHORT] },
    vectors: [
      invalid(
        8,
        'rejects1024bitRsaKey',
        'eyJhbGciOiJSUzI1NiIsImtpZCI6IlJTMjU2XzEwMjQifQ..AFuv9BiuEQP1Nmidc5xFw0qIT1d0NmgqakVKmJ-mMJNzg_J1L6nNXxMrSXCS6sfGIgXc44-vk8StVf7eIKjxozqzZ3Z2jT8AX_vp6_1WOje9jSPYEwf-3OgmD2QcyV14jXVTx9s0M8WKoYIo4_zA4qGiViE18khwGd9uqsjrJVA',
      ),
    ],
  },
  {
    name: 'exponentOne',
    jwks: { keys: [EXPONENT_ONE] },
    vectors: [invalid(9, 'rejectsPublicExponent1', EXPONENT_ONE_JWS)],
  },
  {
    name: 'HS256',
    jwks: { keys: [oct('short_hs256_key', 'HS256', counting(31))] },
    vectors: [
      invalid(
        10,
        'key_too_short',
        'eyJhbGciOiJIUzI1NiIsImtpZCI6InNob3J0X2hzMjU2X2tleSJ9.Zm9v.OHXFiYUEmZcuvFx8FTvvN0fCfe8bspBX1ctB4dqcv0U',
      ),
    ],
  },
  {
    name: 'HS384',
    jwks: { keys: [oct('short_hs384_key', 'HS384', counting(47))] },
    vectors: [
      invalid(
        11,
        'key_too_short',
        'eyJhbGciOiJIUzM4NCIsImtpZCI6InNob3J0X2hzMzg0X2tleSJ9.Zm9v.TKvI_fld4zqTKPhLBgiDArC88o2Lr4XyabrrD50VJUPQGev0k_q3g2kTIgK6evi8',
      ),
    ],
  },
  {
    name: 'HS512',
    jwks: { keys: [oct('short_hs512_key', 'HS512', counting(63))] },
    vectors: [
      invalid(
        12,
        'key_too_short',
        'eyJhbGciOiJIUzUxMiIsImtpZCI6InNob3J0X2hzNTEyX2tleSJ9.Zm9v.8e1Oohdq6XP8EjQUEpX-E5fdbj9GG4JscFqPfxdN86R6DdFiRLXW6l0FZ5k4m-itvXSKDLvIsrdtJ6rZriHWiw',
      ),
    ],
  },
  {
    name: 'HS256',
    jwks: { keys: [oct('long_hs256_key', 'HS256', counting(65))] },
    vectors: [
      valid(
        13,
        'long_key',
        'eyJhbGciOiJIUzI1NiIsImtpZCI6ImxvbmdfaHMyNTZfa2V5In0.Zm9v.21LcS4mucXHeWxB34_udiXxb3M3MHd0127KdnfF726o',
      ),
    ],
  },
  {
    name: 'HS256',
    jwks: { keys: [oct('hs256_key', 'HS256', '')] },
    vectors: [
      invalid(
        16,
        'empty_key',
        'eyJhbGciOiJIUzI1NiIsImtpZCI6ImhzMjU2X2tleSJ9.Zm9v.fyLEImF-r3ro2KJGK6cE1r304rKYqPMDLOwWF7A8cn4',
      ),
    ],
  },
  {
    name: 'HS384',
    jwks: { keys: [oct('hs384_key', 'HS384', '')] },
    vectors: [
      invalid(
        17,
        'empty_key',
        'eyJhbGciOiJIUzM4NCIsImtpZCI6ImhzMzg0X2tleSJ9.Zm9v.MucSluWWs1vlepYBpVrIrCv9_j1E3QjP2_bjx6Elmv6hs08BFpZHZgAzKmkuE8Hq',
      ),
    ],
  },
  {
    name: 'HS512',
    jwks: { keys: [oct('hs512_key', 'HS512', '')] },
    vectors: [
      invalid(
        18,
        'empty_key',
        'eyJhbGciOiJIUzUxMiIsImtpZCI6ImhzNTEyX2tleSJ9.Zm9v.DvLOFJrm8h9rvMXLtami3YIXZXrDVxnKAjputDbIo4NWt5WvfCkV7xlf8kqOhmQeBSi38VBBSI-Jl0tqJvrfNg',
      ),
    ],
  },
  {
    name: 'wrong_algorithm',
    jwks: { keys: [{ ...EC_SIGN, alg: 'ES521' }] },
    vectors: [invalid(19, 'mismatchedAlgAndCurve', EC_JWS)],
  },
  {
    name: 'invalid_algorithm',
    jwks: { keys: [{ ...EC_SIGN, alg: 'ES224' }] },
    vectors: [invalid(20, 'mismatchedAlgAndCurve', EC_JWS)],
  },
  {
    name: 'invalid_use',
    jwks: { keys: [{ ...EC_SIGN, use: 'enc' }] },
    vectors: [invalid(21, 'rejectsModifiedKey', EC_JWS)],
  },
  {
    name: 'invalid_point',
    jwks: { keys: [{ ...EC_SIGN, y: 'UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgnw' }] },
    vectors: [invalid(22, 'rejectsModifiedKey', EC_JWS)],
  },
  {
    name: 'wrong_curve',
    jwks: { keys: [{ ...EC_SIGN, crv: 'P-384' }] },
    vectors: [invalid(23, 'rejectsModifiedKey', EC_JWS)],
  },
  {
    name: 'wrong_kty',
    jwks: { keys: [{ ...EC_SIGN, kty: 'RSA' }] },
    vectors: [invalid(24, 'rejectsModifiedKey', EC_JWS)],
  },
  {
    name: 'invalid_aes_gcm_key',
    jwks: { keys: [{ ...HMAC_KEY, alg: 'A256GCM' }] },
    vectors: [invalid(25, 'rejectsAesKey', HMAC_JWS)],
  },
  {
    name: 'invalid_aes_kw_key',
    jwks: { keys: [{ ...HMAC_KEY, alg: 'A256KW' }] },
    vectors: [invalid(26, 'rejectsAesKey', HMAC_JWS)],
  },
  // What the original keeps beside the public sets: the private halves, which nobody may publish.
  {
    name: 'private halves',
    jwks: { keys: [EC_PRIVATE] },
    vectors: [invalid(0, 'rejectsPrivateKeySet', EC_JWS)],
  },
]
