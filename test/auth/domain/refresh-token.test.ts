import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import type { ClientId } from '../../../functions/auth/domain/client-id.ts'
import {
  isAuthentic,
  makeRefreshToken,
  parseRefreshToken,
  type RefreshBinding,
} from '../../../functions/auth/domain/refresh-token.ts'
import {
  bytesOfSessionId,
  parseSessionId,
  type SessionId,
  sessionIdOfBytes,
} from '../../../functions/auth/domain/session-id.ts'

const PEPPER = { version: 1, pepper: Buffer.alloc(32, 7) }
const PEPPERS = new Map([[1, PEPPER.pepper]])
const BINDING: RefreshBinding = {
  salt: Buffer.alloc(16, 3).toString('base64url'),
  sessionId: 'ses_01KAR6Z1B0V7D8E9F0G1H2J3K4' as SessionId,
  clientId: 'cid_acme_0000000000000001' as ClientId,
  tenantId: 'acme' as TenantId,
}
const TOKEN = makeRefreshToken(BINDING, 1, PEPPER)

function authentic(text: string, binding = BINDING, peppers: ReadonlyMap<number, Uint8Array> = PEPPERS) {
  const parsed = parseRefreshToken(text)
  return parsed.ok && isAuthentic(parsed.value, binding, peppers)
}

test('every session id is 16 bytes and back, and every 16 bytes are one id', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const sessionId = sessionIdOfBytes(bytes)
      expect(parseSessionId(sessionId)).toBe(sessionId)
      expect(bytesOfSessionId(sessionId).equals(bytes)).toBe(true)
    }),
  )
})

test.each([
  'ses_81KAR6Z1B0V7D8E9F0G1H2J3K4',
  'ses_01kar6z1b0v7d8e9f0g1h2j3k4',
  'ses_01KAR6Z1B0V7D8E9F0G1H2J3KU',
  'x',
])('%s is no session id, so that no id is spelt twice', (text) => {
  expect(parseSessionId(text)).toBeUndefined()
})

test('a token says which session and which number, and is the same bytes each time', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      fc.integer({ min: 1, max: 700 }),
      (counter, version) => {
        const pepper = { version, pepper: Buffer.alloc(32, version) }
        const token = makeRefreshToken(BINDING, counter, pepper)
        const parsed = parseRefreshToken(token)

        expect(parsed).toMatchObject({ ok: true, value: { sessionId: BINDING.sessionId, counter } })
        expect(authentic(token, BINDING, new Map([[version, pepper.pepper]]))).toBe(true)
        expect(makeRefreshToken(BINDING, counter, pepper)).toBe(token)
      },
    ),
  )
})

test('no other session, client, tenant, salt or pepper makes it authentic', () => {
  const otherSession = 'ses_01KAR6Z1B0V7D8E9F0G1H2J3K5' as SessionId
  const others: RefreshBinding[] = [
    { ...BINDING, sessionId: otherSession },
    { ...BINDING, clientId: 'cid_acme_0000000000000002' as ClientId },
    { ...BINDING, tenantId: 'globex' as TenantId },
    { ...BINDING, salt: Buffer.alloc(16, 4).toString('base64url') },
  ]
  expect(authentic(TOKEN)).toBe(true)
  expect(others.map((binding) => authentic(TOKEN, binding))).toEqual([false, false, false, false])
  expect(authentic(TOKEN, BINDING, new Map([[1, Buffer.alloc(32, 8)]]))).toBe(false)
  expect(authentic(TOKEN, BINDING, new Map([[2, PEPPER.pepper]]))).toBe(false)
  expect(authentic(TOKEN, BINDING, new Map())).toBe(false)
})

test('a pepper 256 versions later does not make tokens of the earlier one authentic', () => {
  expect(authentic(TOKEN, BINDING, new Map([[257, Buffer.alloc(32, 9)]]))).toBe(false)
  expect(
    authentic(
      TOKEN,
      BINDING,
      new Map([
        [257, Buffer.alloc(32, 9)],
        [1, PEPPER.pepper],
      ]),
    ),
  ).toBe(true)
})

describe('what is not a token of ours is refused before anything is read', () => {
  // The checksum is no secret: whoever computes it gets as far as the MAC and no further.
  test('any one character changed', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (let at = 4; at < TOKEN.length; at += 1) {
      for (const character of alphabet) {
        if (character === TOKEN[at]) continue
        const changed = TOKEN.slice(0, at) + character + TOKEN.slice(at + 1)
        expect(parseRefreshToken(changed).ok, changed).toBe(false)
      }
    }
  })

  test.each([
    ['nothing', ''],
    ['another prefix', TOKEN.replace('drt_', 'dcs_')],
    ['padding', `${TOKEN}==`],
    ['white space', `${TOKEN} `],
    ['one character less', TOKEN.slice(0, -1)],
    ['one more', `${TOKEN}A`],
    ['plain base64', `${TOKEN.slice(0, 20)}+${TOKEN.slice(21)}`],
    ['something long', `drt_${'A'.repeat(10_000)}`],
    ['no text', 7],
    ['a list', [TOKEN]],
  ])('%s', (_name, value) => {
    expect(parseRefreshToken(value)).toMatchObject({ ok: false, code: 'grant.invalid' })
  })

  test('whatever anybody may send', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => `drt_${text}`),
        ),
        (text) => {
          expect(parseRefreshToken(text).ok).toBe(false)
        },
      ),
      { numRuns: 500 },
    )
  })
})

const withByte =
  (at: number, change: (byte: number) => number) =>
  (signed: Buffer): Buffer =>
    Buffer.from(signed.with(at, change(signed.readUInt8(at))))

describe('with a right checksum', () => {
  const forged = (change: (signed: Buffer) => Buffer): string => {
    const bytes = Buffer.from(TOKEN.slice(4), 'base64url')
    const signed = change(Buffer.from(bytes.subarray(0, -4)))
    const crc = Buffer.alloc(4)
    crc.writeUInt32BE(crc32(signed))
    return `drt_${Buffer.concat([signed, crc]).toString('base64url')}`
  }

  test.each<[string, (signed: Buffer) => Buffer]>([
    ['another format', withByte(0, () => 2)],
    ['the number 0', withByte(18, () => 0)],
    [
      'a number in more bytes than it needs',
      (signed) => Buffer.concat([signed.subarray(0, 18), Buffer.of(0x81, 0), signed.subarray(19)]),
    ],
    [
      'a number that goes on',
      (signed) => Buffer.concat([signed.subarray(0, 18), Buffer.of(0x81, 0x80), signed.subarray(19)]),
    ],
    [
      'a number beyond all numbers',
      (signed) =>
        Buffer.concat([signed.subarray(0, 18), Buffer.alloc(4, 0xff), Buffer.of(0x7f), signed.subarray(19)]),
    ],
  ])('%s is refused', (_name, change) => {
    expect(parseRefreshToken(forged(change)).ok).toBe(false)
  })

  test('a higher number, another session and another MAC parse, and are not authentic', () => {
    const changes: ((signed: Buffer) => Buffer)[] = [
      withByte(18, () => 2),
      withByte(17, (byte) => byte ^ 1),
      withByte(20, (byte) => byte ^ 1),
      withByte(1, () => 2),
    ]
    for (const change of changes) {
      expect(parseRefreshToken(forged(change)).ok).toBe(true)
      expect(authentic(forged(change))).toBe(false)
    }
  })
})
