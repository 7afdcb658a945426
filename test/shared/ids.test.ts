import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  base62,
  hashedId,
  type Ids,
  isDocumentId,
  parseTenantId,
  sha256Hex,
  systemIds,
  ulid,
} from '#shared/ids.ts'

const AT = Date.parse('2026-11-23T09:00:00Z')

function idsOf(bytes: readonly number[]): Ids {
  let next = 0
  return {
    uuid: systemIds.uuid,
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => bytes[next++ % bytes.length] ?? 0)),
  }
}

describe('a tenant id', () => {
  test.each(['abc', 'a0z', 'a-b', `a${'b'.repeat(38)}c`, 'platform', 'a--b'])('%s is one', (id) => {
    expect(parseTenantId(id)).toEqual({ ok: true, value: id })
  })

  test.each([
    '',
    'a',
    'ab',
    'Abc',
    'aBc',
    '0abc',
    '-abc',
    'abc-',
    'a_b',
    'a.b',
    'a/b',
    'a b',
    ' abc',
    'abc ',
    'abc\n',
    '\nabc',
    'a\0c',
    'äbc',
    'аbc',
    'a%62c',
    '..',
    '__x__',
    `a${'b'.repeat(39)}c`,
    undefined,
    null,
    7,
    {},
    ['abc'],
    new String('abc'),
    { toString: () => 'abc' },
  ])('%j is the tenant that does not exist', (id) => {
    expect(parseTenantId(id)).toMatchObject({ ok: false, code: 'resource.not_found' })
  })
})

describe('a document id', () => {
  test.each(['a', 'A0', 'op_01', 'a-b', 'x'.repeat(128)])('%s is one', (id) =>
    expect(isDocumentId(id)).toBe(true),
  )

  test.each([
    '',
    '.',
    '..',
    '_a',
    '-a',
    '__a__',
    'a/b',
    'a\\b',
    'a%2fb',
    'a\0',
    'a\n',
    'é',
    'a.b',
    'a b',
    'x'.repeat(129),
    1,
    null,
    undefined,
    ['a'],
  ])('%j is none', (id) => expect(isDocumentId(id)).toBe(false))

  test('any two lists of parts that differ have ids that differ, and each is a document id', () => {
    const part = fc.string({ maxLength: 5 }).filter((text) => !text.includes('\0'))
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 4 }),
        fc.array(part, { minLength: 1, maxLength: 4 }),
        (left, right) => {
          expect(isDocumentId(hashedId(...left))).toBe(true)
          expect(hashedId(...left) === hashedId(...right)).toBe(
            JSON.stringify(left) === JSON.stringify(right),
          )
        },
      ),
    )
  })

  test('a part with a NUL is refused, since it could pass for two parts', () => {
    expect(() => hashedId('a\0b')).toThrow(TypeError)
    expect(() => hashedId('a', '\0')).toThrow(TypeError)
  })

  test('is base64url of SHA-256 over the parts and NUL', () => {
    expect(hashedId('a', 'b')).toBe(`h${Buffer.from(sha256Hex('a\0b'), 'hex').toString('base64url')}`)
  })
})

describe('a ULID', () => {
  test('is the example of its specification', () => {
    const ids = idsOf([...Buffer.from('d0d3a2e8f8a6f0e5b1c2', 'hex')])
    expect(ulid(ids, 1_469_918_176_385)).toMatch(/^01ARYZ6S41[0-9A-HJKMNP-TV-Z]{16}$/)
  })

  test('holds the least and the greatest it can', () => {
    expect(ulid(idsOf([0]), 0)).toBe('0'.repeat(26))
    expect(ulid(idsOf([255]), 2 ** 48 - 1)).toBe(`7${'Z'.repeat(25)}`)
  })

  test('sorts by time', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 47 }), fc.nat({ max: 1e9 }), (at, later) => {
        expect(ulid(systemIds, at) < ulid(systemIds, at + later + 1)).toBe(true)
      }),
    )
  })

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 48])(
    'of the instant %s is refused',
    (at) => {
      expect(() => ulid(systemIds, at)).toThrow(RangeError)
      expect(() => systemIds.uuid(at)).toThrow(RangeError)
    },
  )
})

describe('a UUID', () => {
  test('is version 7 with the variant of RFC 9562, and begins with the time', () => {
    const made = Array.from({ length: 200 }, () => systemIds.uuid(AT))
    for (const uuid of made) {
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(Number.parseInt(uuid.replaceAll('-', '').slice(0, 12), 16)).toBe(AT)
    }
    expect(new Set(made).size).toBe(made.length)
  })
})

describe('base 62', () => {
  test('takes every byte below 248 evenly and throws the others away', () => {
    const all = Array.from({ length: 256 }, (_, byte) => byte)
    const counts = new Map<string, number>()
    for (const character of base62(idsOf(all), 248)) counts.set(character, (counts.get(character) ?? 0) + 1)

    expect(counts.size).toBe(62)
    expect(new Set(counts.values())).toEqual(new Set([4]))
  })

  test.each([0, 1, 2, 43, 1000])('gives %s characters', (length) => {
    expect(base62(systemIds, length)).toMatch(new RegExp(`^[0-9A-Za-z]{${length}}$`))
  })
})

describe('bytes of chance', () => {
  test('are as many as asked for, of their own, and never the same twice', () => {
    const seen = new Set<string>()
    for (let n = 0; n < 2_000; n += 1) {
      const count = 8 + (n % 80)
      const bytes = systemIds.bytes(count)
      expect(bytes).toHaveLength(count)
      seen.add(bytes.toString('hex'))
      // What a caller does with its bytes is nobody else's business.
      bytes.fill(0xff)
    }
    expect(seen.size).toBe(2_000)
  })

  test('use every value of a byte about as often', () => {
    const counts = new Array<number>(256).fill(0)
    for (let n = 0; n < 4_000; n += 1) {
      for (const byte of systemIds.bytes(64)) counts[byte] = (counts[byte] ?? 0) + 1
    }
    // 1,000 each, give or take eight standard deviations.
    expect(Math.min(...counts)).toBeGreaterThan(750)
    expect(Math.max(...counts)).toBeLessThan(1_250)
  })
})
