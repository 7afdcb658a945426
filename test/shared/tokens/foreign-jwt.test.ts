import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkForeignTimes, DPOP_MEMBERS, splitForeignJwt } from '#shared/tokens/foreign-jwt.ts'

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const raw = (text: string): string => Buffer.from(text).toString('base64url')
const HEADER = { alg: 'RS256', kid: 'a', typ: 'JWT' }
const token = (header: string = part(HEADER), payload: string = part({ iss: 'x' })): string =>
  `${header}.${payload}.AAAA`

test('a token that others spell in their own way is read', () => {
  expect(splitForeignJwt(token())).toMatchObject({
    ok: true,
    value: { alg: 'RS256', kid: 'a', typ: 'JWT', payload: { iss: 'x' } },
  })
  const spelled = token(raw(' { "kid" : "\\u0061",\n"alg":"RS256" } '), raw('{"a":1.0,"b":[ ]}'))
  expect(splitForeignJwt(spelled)).toMatchObject({ ok: true, value: { kid: 'a', typ: undefined } })
  const withThumbprint = token(part({ ...HEADER, x5t: 'AA', 'x5t#S256': 'AA' }))
  expect(splitForeignJwt(withThumbprint).ok).toBe(true)
})

test('a proof of possession brings its key, and nothing else does', () => {
  const proof = token(part({ alg: 'ES256', typ: 'dpop+jwt', jwk: {} }))
  expect(splitForeignJwt(proof, { members: DPOP_MEMBERS }).ok).toBe(true)
  expect(splitForeignJwt(proof).ok).toBe(false)
})

test.each<[string, string]>([
  ['nothing', ''],
  ['two parts', `${part(HEADER)}.${part({})}`],
  ['four parts', `${token()}.AAAA`],
  ['five parts, as encrypted tokens have', 'AAAA.AAAA.AAAA.AAAA.AAAA'],
  ['no signature', `${part(HEADER)}.${part({})}.`],
  ['no payload', `${part(HEADER)}..AAAA`],
  ['no header', `.${part({})}.AAAA`],
  ['padding', `${token()}=`],
  ['stray bits', `${part(HEADER)}.${part({})}.AB`],
  ['base64 of the other alphabet', token(part(HEADER), part({ x: '\u03ff\u03ff' })).replace(/_/g, '/')],
  ['white space', ` ${token()}`],
  ['a line break at the end', `${token()}\n`],
  ['a header that is no object', token(part(['RS256']))],
  ['a header that is a text', token(part('RS256'))],
  ['a header that is null', token(part(null))],
  ['a payload that is a list', token(part(HEADER), part([]))],
  ['a payload that is no JSON', token(part(HEADER), 'AAAA')],
  ['JSON with something behind it', token(raw(`${JSON.stringify(HEADER)} x`))],
  ['a comment', token(raw('{"alg":"RS256"/*x*/}'))],
  [
    'invalid UTF-8',
    token(part(HEADER), Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')),
  ],
  [
    'a byte order mark',
    token(
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(JSON.stringify(HEADER))]).toString(
        'base64url',
      ),
    ),
  ],
  ['a lone surrogate', token(part(HEADER), raw('{"a":"\\ud800"}'))],
  ['a number beyond all numbers', token(part(HEADER), raw('{"a":1e999}'))],
  ['a member of the header twice', token(raw('{"alg":"none","alg":"RS256"}'))],
  ['a member of the payload twice', token(part(HEADER), raw('{"iss":"x","iss":"y"}'))],
  ['a member twice, once escaped', token(part(HEADER), raw('{"iss":"x","\\u0069ss":"y"}'))],
  ['a member twice, deep inside', token(part(HEADER), raw('{"a":[{"b":1,"b":2}]}'))],
  ['a prototype', token(part(HEADER), raw('{"__proto__":{}}'))],
  ['a constructor in the header', token(raw('{"alg":"RS256","constructor":1}'))],
  ['nine levels', token(part(HEADER), part({ a: [[[[[[[[1]]]]]]]] }))],
  ['more than 16 KiB', token(part(HEADER), part({ a: 'a'.repeat(12_300) }))],
  ['no algorithm', token(part({ kid: 'a' }))],
  ['an algorithm that is a list', token(part({ alg: ['RS256'] }))],
  ['an algorithm that is null', token(part({ alg: null }))],
  ['a key id that is a number', token(part({ alg: 'RS256', kid: 1 }))],
  ['an empty key id', token(part({ alg: 'RS256', kid: '' }))],
  ['an endless key id', token(part({ alg: 'RS256', kid: 'a'.repeat(257) }))],
  ['a type that is a list', token(part({ alg: 'RS256', typ: ['JWT'] }))],
  ...[
    'jwk',
    'jku',
    'x5u',
    'x5c',
    'crit',
    'b64',
    'zip',
    'cty',
    'enc',
    'epk',
    'p2c',
    'iss',
    'ALG',
    'nonce',
  ].map((name): [string, string] => [`the header member ${name}`, token(part({ ...HEADER, [name]: [] }))]),
])('%s is not read', (_name, text) => {
  expect(splitForeignJwt(text)).toMatchObject({ ok: false, code: 'token.invalid' })
})

test('no text makes it throw, and what it reads is one text alone', () => {
  const parts = fc.oneof(fc.string(), fc.base64String(), fc.json().map(raw), fc.json())
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 4 }), (segments) => void splitForeignJwt(segments.join('.'))),
  )
  // Nobody can change a character of a token and have the same token.
  fc.assert(
    fc.property(fc.nat(token().length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
      const text = token()
      fc.pre(text[at] !== character)
      const changed = splitForeignJwt(text.slice(0, at) + character + text.slice(at + 1))
      const before = splitForeignJwt(text)
      if (!changed.ok || !before.ok) return
      const { header, payload } = changed.value
      const signature = changed.value.payloadSegment
      expect([header, payload, signature, at > text.lastIndexOf('.')]).not.toEqual([
        before.value.header,
        before.value.payload,
        before.value.payloadSegment,
        false,
      ])
    }),
  )
})

describe('times', () => {
  const NOW = 1_800_000_000
  const good = { iat: NOW - 10, exp: NOW + 60 }
  const check = (payload: Record<string, unknown>) =>
    checkForeignTimes(payload, { nowMs: NOW * 1000, longestLifeSeconds: 3600 })

  test.each<[string, Record<string, unknown>]>([
    ['what is valid now', good],
    ['what begins now', { ...good, iat: NOW, nbf: NOW }],
    ['what begins within the skew', { iat: NOW + 30, nbf: NOW + 30, exp: NOW + 60 }],
    ['what ended within the skew', { iat: NOW - 60, exp: NOW - 29 }],
    ['the longest life', { iat: NOW, exp: NOW + 3600 }],
  ])('%s counts', (_name, payload) => {
    expect(check(payload)).toMatchObject({ ok: true, value: { expiresAt: payload['exp'] } })
  })

  test.each<[string, Record<string, unknown>]>([
    ['no end', { iat: NOW }],
    ['no beginning', { exp: NOW + 60 }],
    ['an end that is over', { iat: NOW - 100, exp: NOW - 30 }],
    ['a beginning to come', { iat: NOW + 31, exp: NOW + 60 }],
    ['a validity to come', { ...good, nbf: NOW + 31 }],
    ['a life too long', { iat: NOW, exp: NOW + 3601 }],
    ['an end before the beginning', { iat: NOW + 10, exp: NOW + 10 }],
    ['a fraction', { ...good, exp: NOW + 0.5 }],
    ['a text', { ...good, exp: String(NOW + 60) }],
    ['a negative second', { iat: -5, exp: NOW + 60 }],
    ['a number beyond the whole ones', { ...good, exp: 2 ** 53 }],
    ['null', { ...good, nbf: null }],
    ['a validity that is a text', { ...good, nbf: '0' }],
  ])('%s does not', (_name, payload) => {
    expect(check(payload)).toMatchObject({ ok: false })
  })
})
