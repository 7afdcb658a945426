import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Scope } from '#shared/catalogue/scopes.ts'
import type { TenantId } from '#shared/ids.ts'
import { parameterOf, parseForm } from '../../../functions/auth/domain/form.ts'
import { checkGivable, narrowScopes, parseScope } from '../../../functions/auth/domain/scope.ts'

test('what a form serializer writes is read back', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { maxKeys: 20 }), (fields) => {
      fc.pre(
        Object.entries(fields).every((pair) =>
          pair.every((text) => !text.includes('\0') && text.isWellFormed()),
        ),
      )
      const form = parseForm(Buffer.from(new URLSearchParams(fields).toString()))
      expect(form.ok).toBe(true)
      if (!form.ok) return
      for (const [name, value] of Object.entries(fields)) {
        expect(parameterOf(form.value, name)).toBe(value === '' ? undefined : value)
      }
    }),
  )
})

test('any bytes are a form or a refusal, never an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(typeof parseForm(bytes).ok).toBe('boolean')
    }),
  )
})

test.each(['a=1&a=2', 'a=1&%61=2', 'a=1&a=', 'a&a'])('%j names a parameter twice', (body) => {
  expect(parseForm(Buffer.from(body)).ok).toBe(false)
})

test('a name that reaches a prototype is a name like any other', () => {
  const form = parseForm(Buffer.from('__proto__=1&constructor=2'))

  expect(form.ok && parameterOf(form.value, 'toString')).toBe(undefined)
  expect(form.ok && parameterOf(form.value, '__proto__')).toBe('1')
})

test.each(['', ' ', 'a ', ' a', 'a  b', 'a\tb', 'a"b', 'a\\b', 'ä', 'a\nb'])('%j is no scope', (scope) => {
  expect(parseScope(scope).ok).toBe(false)
})

test('narrowing never widens', () => {
  const scope = fc.constantFrom<Scope>('tenant:read', 'usage:read', 'usage:write', 'platform:read')
  fc.assert(
    fc.property(fc.uniqueArray(scope), fc.uniqueArray(scope), (granted, asked) => {
      const narrowed = narrowScopes(granted, asked)
      const inside = asked.every((one) => granted.includes(one))
      expect(narrowed.ok).toBe(inside)
      if (narrowed.ok) expect([...narrowed.value].sort()).toEqual([...asked].sort())
    }),
  )
})

const giver = (tenantId: string, ...scopes: Scope[]) => ({
  tenantId: tenantId as TenantId,
  scopes: new Set<string>(scopes),
})

test.each<[string, ReturnType<typeof giver>, string, Scope[], boolean]>([
  ['a tenant gives what it holds', giver('acme', 'usage:read'), 'acme', ['usage:read'], true],
  ['a tenant gives what it lacks', giver('acme', 'usage:read'), 'acme', ['usage:write'], false],
  ['a tenant gives to another tenant', giver('acme', 'usage:read'), 'globex', ['usage:read'], false],
  [
    'a tenant gives platform scopes it should never hold',
    giver('acme', 'platform:read'),
    'acme',
    ['platform:read'],
    false,
  ],
  [
    'an operator gives a tenant its scopes',
    giver('platform', 'platform:tenants'),
    'acme',
    ['billing:manage'],
    true,
  ],
  [
    'an operator gives a tenant platform scopes',
    giver('platform', 'platform:tenants'),
    'acme',
    ['platform:tenants'],
    false,
  ],
  [
    'an operator gives an operator what both hold',
    giver('platform', 'platform:read'),
    'platform',
    ['platform:read'],
    true,
  ],
  [
    'an operator gives an operator more',
    giver('platform', 'platform:read'),
    'platform',
    ['platform:purge'],
    false,
  ],
])('%s', (_name, from, to, scopes, allowed) => {
  expect(checkGivable(from, to as TenantId, scopes).ok).toBe(allowed)
})
