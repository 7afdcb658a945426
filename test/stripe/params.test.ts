import { expect, test } from 'vitest'
import { decodeForm } from '#local/stripe/form.ts'
import { lineAmount } from '#local/stripe/params.ts'

test.each([
  ['a[b][c]=1&a[b][d]=2', { a: { b: { c: '1', d: '2' } } }],
  ['l[]=x&l[]=y', { l: ['x', 'y'] }],
  ['l[0][a]=1&l[1][a]=2', { l: [{ a: '1' }, { a: '2' }] }],
  ['m[1]=x', { m: { 1: 'x' } }],
  ['metadata=', { metadata: '' }],
  ['__proto__[x]=1&a[__proto__][x]=1', { a: {} }],
])('the form %s is read as nested values', (form, value) => {
  expect(decodeForm(form)).toEqual(value)
})

test.each([
  ['0.5', 1, 1],
  ['0.4', 1, 0],
  ['-0.5', 1, -1],
  ['0.000000000001', 1_000_000, 0],
  ['12.34', 100, 1234],
])('%s per unit times %i is %i minor units', (unit, quantity, amount) => {
  expect(lineAmount(unit, quantity)).toBe(amount)
})
