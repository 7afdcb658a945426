import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  COMPARISONS,
  parseFilter,
  parsePatchPath,
  type ScimFilter,
} from '../../../../functions/auth/domain/scim/filter.ts'
import { matches } from '../../../../functions/auth/domain/scim/match.ts'
import { USER_KIND } from '../../../../functions/auth/domain/scim/schema.ts'

const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const ADA = {
  id: 'usr_A',
  userName: 'Ada@Example.com',
  externalId: 'X-1',
  name: { familyName: "O'Malley", givenName: 'Ada' },
  title: 'Tour Guide',
  active: true,
  emails: [
    { type: 'work', value: 'ada@example.com', primary: true },
    { type: 'home', value: 'ada@home.org' },
  ],
  [ENTERPRISE]: { department: 'Sales', manager: { value: 'usr_B' } },
  meta: { resourceType: 'User', lastModified: '2026-05-13T04:42:34Z' },
}

const accepts = (filter: string): boolean => {
  const parsed = parseFilter(filter)
  if (!parsed.ok) throw new Error(`${filter}: ${parsed.hint}`)
  return matches(USER_KIND, ADA, parsed.value)
}

// Most of them stand in RFC 7644 §3.4.2.2, with values of ours.
describe('a filter finds what it asks for', () => {
  test.each([
    ['userName eq "ada@example.com"', true],
    ['USERNAME Eq "ADA@EXAMPLE.COM"', true],
    ['userName ne "ada@example.com"', false],
    ['name.familyName co "O\'Malley"', true],
    ['userName sw "ada"', true],
    ['userName ew ".com"', true],
    ['urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ada"', true],
    ['title pr', true],
    ['nickName pr', false],
    ['not (nickName pr)', true],
    ['meta.lastModified gt "2011-05-13T04:42:34Z"', true],
    ['meta.lastModified ge "2026-05-13T06:42:34+02:00"', true],
    ['meta.lastModified lt "2026-05-13T04:42:34Z"', false],
    ['meta.lastModified le "2026-05-13T04:42:34Z"', true],
    ['title pr and active eq true', true],
    ['active eq "True"', true],
    ['active eq false', false],
    ['title eq "x" or title pr and nickName pr', false],
    ['(title eq "x" or title pr) and nickName pr', false],
    ['title pr or title pr and nickName pr', true],
    ['emails co "home.org"', true],
    ['emails.type eq "home"', true],
    ['emails.value eq "nobody@example.com"', false],
    ['emails[type eq "work" and value co "@example.com"]', true],
    ['emails[type eq "home" and value co "@example.com"]', false],
    ['emails[not (type eq "work")]', true],
    ['emails[primary eq true] and emails[type eq "home"]', true],
    [`${ENTERPRISE}:department eq "sales"`, true],
    [`${ENTERPRISE}:manager.value eq "usr_B"`, true],
    ['externalId eq "x-1"', false],
    ['externalId eq "X-1"', true],
    ['id eq "usr_a"', false],
    ['nickName eq null', true],
    ['title eq null', false],
    ['title eq 5', false],
    ['password pr', false],
    ['constructor pr', false],
    ['urn:other:2.0:User:userName pr', false],
    ['userName eq "a\\u0064a@example.com"', true],
  ])('%s', (filter, expected) => {
    expect(accepts(filter)).toBe(expected)
  })
})

describe('what is no filter is refused, and nothing of it is run', () => {
  test.each([
    [''],
    ['userName'],
    ['userName eq'],
    ['userName eq ada'],
    ["userName eq 'ada'"],
    ['userName eq "ada'],
    ['userName eq "a" and'],
    ['userName eq "a" title pr'],
    ['eq "a"'],
    ['userName like "a"'],
    ['(userName pr'],
    ['userName pr)'],
    ['emails[type eq "work"'],
    ['emails[type eq "work"].value eq "x"'],
    ['not userName pr'],
    ['userName eq "a"; drop'],
    ['userName eq "a" || true'],
    ['a.b.c eq "x"'],
    ['urn:x eq'],
    ['userName eq "\ud800"'],
    ['userName eq "a\u0000"'],
    ['userName eq 1e999'],
    [`${'('.repeat(11)}userName pr${')'.repeat(11)}`],
    [`userName eq "${'a'.repeat(1_000)}"`],
    [Array.from({ length: 41 }, () => 'title pr').join(' and ')],
    ['__proto__ pr'],
    ['emails[__proto__ pr]'],
  ])('%s', (filter) => {
    expect(parseFilter(filter)).toMatchObject({ ok: false, code: 'scim.filter_invalid' })
  })

  test('whatever the text, the answer is a filter or a refusal, soon', () => {
    const piece = fc.constantFrom(
      ...[
        '(',
        ')',
        '[',
        ']',
        'and',
        'or',
        'not',
        'eq',
        'pr',
        '"a"',
        'userName',
        'emails',
        '.',
        'x.y',
        'urn:a:b',
      ],
      ...['true', 'null', '1', '-', '"', '\\', ' ', '\t'],
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 300 }),
          fc.array(piece).map((all) => all.join(' ')),
        ),
        (text) => {
          const parsed = parseFilter(text)
          if (parsed.ok) matches(USER_KIND, ADA, parsed.value)
          else expect(parsed.code).toBe('scim.filter_invalid')
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

const path = fc.record({
  schema: fc.constantFrom(undefined, 'urn:ietf:params:scim:schemas:core:2.0:user'),
  name: fc.constantFrom('username', 'emails', 'title'),
  sub: fc.constantFrom(undefined, 'value', 'type'),
})
const { filter: aFilter } = fc.letrec<{ filter: ScimFilter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    fc.record({ kind: fc.constant('present' as const), path }),
    fc.record({
      kind: fc.constant('compare' as const),
      path,
      op: fc.constantFrom(...COMPARISONS),
      value: fc.oneof(
        fc.string({ unit: 'grapheme-ascii', maxLength: 8 }),
        fc.boolean(),
        fc.constant(null),
        fc.nat(99),
      ),
    }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      left: tie('filter'),
      right: tie('filter'),
    }),
    fc.record({ kind: fc.constant('not' as const), filter: tie('filter') }),
  ),
}))

function textOf(filter: ScimFilter): string {
  const attribute = (at: { schema: string | undefined; name: string; sub: string | undefined }): string =>
    `${at.schema === undefined ? '' : `${at.schema}:`}${at.name}${at.sub === undefined ? '' : `.${at.sub}`}`
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `(${textOf(filter.left)}) ${filter.kind} (${textOf(filter.right)})`
    case 'not':
      return `not (${textOf(filter.filter)})`
    case 'present':
      return `${attribute(filter.path)} pr`
    case 'compare':
      return `${attribute(filter.path)} ${filter.op} ${JSON.stringify(filter.value)}`
    case 'values':
      return `${attribute(filter.path)}[${textOf(filter.filter)}]`
  }
}

test('a filter that was written down reads as the same filter', () => {
  fc.assert(
    fc.property(aFilter, (filter) => {
      const text = textOf(filter)
      fc.pre(text.length <= 1_000)
      expect(parseFilter(text)).toEqual({ ok: true, value: filter })
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['members', { name: 'members' }, false],
  ['name.familyName', { name: 'name', sub: 'familyname' }, false],
  ['addresses[type eq "work"]', { name: 'addresses' }, true],
  ['members[value eq "usr_1"].display', { name: 'members', sub: 'display' }, true],
  [`${ENTERPRISE}:manager`, { schema: ENTERPRISE.toLowerCase(), name: 'manager' }, false],
  ['emails[type eq "work" and value ew "example.com"].value', { name: 'emails', sub: 'value' }, true],
])('the path %s of a PATCH is read', (text, expected, filtered) => {
  const parsed = parsePatchPath(text)
  expect(parsed).toMatchObject({ ok: true, value: { path: expected } })
  expect(parsed.ok && parsed.value.filter !== undefined).toBe(filtered)
})

test.each([
  [''],
  ['a b'],
  ['a[b pr'],
  ['a[b pr]c'],
  ['a[b pr].c.d'],
  ['a.b[c pr]'],
  ['[a pr]'],
  ['a[b pr][c pr]'],
  ['1'],
  ['"a"'],
])('the path %s of a PATCH is refused', (text) => {
  expect(parsePatchPath(text)).toMatchObject({ ok: false, code: 'scim.path_invalid' })
})
