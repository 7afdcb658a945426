import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatQuantity, parseQuantity } from '#local/kubernetes/quantity.ts'

test.each([
  ['1000m', '1'],
  ['0.5', '500m'],
  ['1024Mi', '1Gi'],
  ['1536Mi', '1536Mi'],
  ['1000', '1k'],
  ['1e3', '1k'],
  ['0.1Gi', '107374182400m'],
  ['-2', '-2'],
  ['0', '0'],
])('the quantity %s is spelled %s', (given, canonical) => {
  const quantity = parseQuantity(given)
  expect(quantity === undefined ? undefined : formatQuantity(quantity)).toBe(canonical)
})

test.each(['', 'x', '1KiB', '1 Gi', 'Gi', '--1', '1.2.3'])('%j is no quantity', (text) => {
  expect(parseQuantity(text)).toBeUndefined()
})

test('a quantity keeps its value and spelling through any number of readings', () => {
  const units = fc.constantFrom('', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi')
  fc.assert(
    fc.property(fc.nat(), units, (amount, unit) => {
      const first = parseQuantity(`${amount}${unit}`)
      if (first === undefined) throw new Error('not parsed')
      const again = parseQuantity(formatQuantity(first))
      expect(again?.nanos).toBe(first.nanos)
    }),
  )
})
