import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyPatch, parsePatch } from '../../../../functions/auth/domain/scim/patch.ts'
import type { Resource } from '../../../../functions/auth/domain/scim/resource.ts'
import { GROUP_KIND, type ResourceKind, USER_KIND } from '../../../../functions/auth/domain/scim/schema.ts'

const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const SCHEMAS = ['urn:ietf:params:scim:api:messages:2.0:PatchOp']
const ADA: Resource = {
  userName: 'ada@example.com',
  name: { givenName: 'Ada', familyName: 'Byron' },
  active: true,
  emails: [{ value: 'ada@example.com', type: 'work', primary: true }],
}

const patched = (kind: ResourceKind, before: Resource, ...Operations: object[]) => {
  const parsed = parsePatch({ schemas: SCHEMAS, Operations })
  return parsed.ok ? applyPatch(kind, before, parsed.value) : parsed
}

describe('a PATCH as directories send it', () => {
  test.each<[string, object[], object]>([
    [
      'Okta deactivates without a path',
      [{ op: 'replace', value: { active: false } }],
      { ...ADA, active: false },
    ],
    [
      'Entra deactivates with a text in place of a boolean',
      [{ op: 'Replace', path: 'active', value: 'False' }],
      { ...ADA, active: false },
    ],
    [
      'Entra puts paths into a value without a path',
      [
        {
          op: 'Add',
          value: { 'name.familyName': 'Lovelace', title: 'Countess', [`${ENTERPRISE}:department`]: 'R' },
        },
      ],
      {
        ...ADA,
        name: { givenName: 'Ada', familyName: 'Lovelace' },
        title: 'Countess',
        [ENTERPRISE]: { department: 'R' },
      },
    ],
    [
      'Entra sets an address that is not there',
      [{ op: 'Add', path: 'emails[type eq "home"].value', value: 'ada@home.org' }],
      { ...ADA, emails: [...(ADA['emails'] as []), { type: 'home', value: 'ada@home.org' }] },
    ],
    [
      'an address that is there is replaced',
      [{ op: 'replace', path: 'emails[type eq "work"].value', value: 'ada@new.org' }],
      { ...ADA, emails: [{ value: 'ada@new.org', type: 'work', primary: true }] },
    ],
    [
      'a new primary address is the only primary one',
      [{ op: 'add', path: 'emails', value: [{ value: 'b@x.org', primary: true }] }],
      {
        ...ADA,
        emails: [
          { value: 'ada@example.com', type: 'work', primary: false },
          { value: 'b@x.org', primary: true },
        ],
      },
    ],
    [
      'the extension as an object',
      [{ op: 'replace', value: { [ENTERPRISE]: { department: 'R', manager: 'usr_B' } } }],
      { ...ADA, [ENTERPRISE]: { department: 'R', manager: { value: 'usr_B' } } },
    ],
    [
      'a manager by the path of the extension',
      [{ op: 'add', path: `${ENTERPRISE}:manager.value`, value: 'usr_B' }],
      { ...ADA, [ENTERPRISE]: { manager: { value: 'usr_B' } } },
    ],
    [
      'an attribute goes',
      [{ op: 'remove', path: 'emails' }],
      { userName: ADA['userName'], name: ADA['name'], active: true },
    ],
    ['what is not there goes too', [{ op: 'remove', path: 'emails[type eq "fax"]' }], ADA],
    ['null is nothing', [{ op: 'replace', path: 'name', value: null }], { ...ADA, name: ADA['name'] }],
    [
      'read-only attributes without a path are left out',
      [{ op: 'replace', value: { id: 'x', meta: {}, title: 'T' } }],
      { ...ADA, title: 'T' },
    ],
    ['unknown attributes without a path are left out', [{ op: 'add', value: { shoeSize: 9 } }], ADA],
  ])('%s', (_name, operations, expected) => {
    expect(patched(USER_KIND, ADA, ...operations)).toEqual({ ok: true, value: expected })
  })

  test.each<[string, object, string]>([
    ['an unknown operation', { op: 'move', path: 'title' }, 'scim.syntax_invalid'],
    ['a remove without a path', { op: 'remove' }, 'scim.no_target'],
    ['a path of nothing', { op: 'replace', path: 'shoeSize', value: '1' }, 'scim.path_invalid'],
    ['a path into a prototype', { op: 'add', path: '__proto__.admin', value: 'x' }, 'scim.path_invalid'],
    ['the id', { op: 'replace', path: 'id', value: 'x' }, 'scim.immutable'],
    ['groups of a user', { op: 'add', path: 'groups', value: [{ value: 'g' }] }, 'scim.immutable'],
    ['a number for a text', { op: 'replace', path: 'title', value: 5 }, 'scim.value_invalid'],
    ['a word for a boolean', { op: 'replace', path: 'active', value: 'maybe' }, 'scim.value_invalid'],
    [
      'a text that is too long',
      { op: 'replace', path: 'title', value: 'x'.repeat(1_001) },
      'scim.value_invalid',
    ],
    [
      'values beyond number',
      { op: 'add', path: 'emails', value: Array.from({ length: 101 }, (_e, i) => ({ value: `${i}@x.org` })) },
      'scim.value_invalid',
    ],
    [
      'a filter on one value',
      { op: 'replace', path: 'name[givenName eq "Ada"]', value: {} },
      'scim.path_invalid',
    ],
    [
      'a filter that describes nothing',
      { op: 'replace', path: 'emails[value co "zzz"].type', value: 'x' },
      'scim.no_target',
    ],
    ['a value that is no object', { op: 'add', value: 'x' }, 'scim.value_invalid'],
  ])('%s is refused and changes nothing', (_name, operation, code) => {
    expect(patched(USER_KIND, ADA, { op: 'replace', path: 'title', value: 'T' }, operation)).toMatchObject({
      ok: false,
      code,
    })
  })
})

describe('members of a group', () => {
  const group = { displayName: 'Staff', members: [{ value: 'a' }, { value: 'b' }] }
  test.each<[string, object, string[]]>([
    [
      'are added, nobody twice',
      { op: 'add', path: 'members', value: [{ value: 'b' }, { value: 'c' }] },
      ['a', 'b', 'c'],
    ],
    ['are removed by a filter', { op: 'remove', path: 'members[value eq "a"]' }, ['b']],
    ['are removed by name, as Entra does', { op: 'Remove', path: 'members', value: [{ value: 'b' }] }, ['a']],
    ['are replaced', { op: 'replace', path: 'members', value: [{ value: 'z' }] }, ['z']],
    ['are all removed', { op: 'remove', path: 'members' }, []],
    ['come without a path', { op: 'add', value: { members: [{ value: 'c' }] } }, ['a', 'b', 'c']],
  ])('%s', (_name, operation, expected) => {
    const result = patched(GROUP_KIND, group, operation)
    const members = result.ok ? ((result.value['members'] ?? []) as { value: string }[]) : []
    expect(members.map(({ value }) => value)).toEqual(expected)
  })
})

test('whatever is sent, the result has attributes of the schema alone, and doing it twice changes no more', () => {
  const value = fc.oneof(
    fc.constantFrom<unknown>('x', 'True', true, null, 5, [], {}),
    fc.record({ value: fc.string({ maxLength: 3 }), primary: fc.boolean() }),
    fc.array(fc.record({ value: fc.constantFrom('a', 'b', 'c'), type: fc.constantFrom('work', 'home') }), {
      maxLength: 4,
    }),
  )
  const operation = fc.record({
    op: fc.constantFrom('add', 'replace', 'remove'),
    path: fc.constantFrom(
      'emails',
      'emails.value',
      'emails[type eq "work"]',
      'name',
      'name.givenName',
      'active',
      'title',
      '__proto__',
      'constructor.prototype',
      'emails[value eq "a"].type',
    ),
    value,
  })
  const known = new Set(USER_KIND.attributes.map(({ name }) => name))
  fc.assert(
    fc.property(operation, (each) => {
      const once = patched(USER_KIND, ADA, each)
      if (!once.ok) return
      expect(Object.keys(once.value).every((name) => known.has(name))).toBe(true)
      expect(({} as Record<string, unknown>)['value']).toBeUndefined()
      const twice = patched(USER_KIND, once.value, each)
      expect(twice).toEqual(once)
    }),
    { numRuns: 1_000 },
  )
})
