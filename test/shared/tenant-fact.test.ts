import { describe, expect, test } from 'vitest'
import { TENANT_FACT_KINDS, TENANT_FACTS } from '#shared/contracts.ts'

describe.each(TENANT_FACT_KINDS)('the fact %s', (kind) => {
  const { example, parseData } = TENANT_FACTS[kind]

  test('has an example that parses', () => {
    expect(parseData(example)).toEqual({ ok: true, value: example })
  })

  // A listener binds identities to this namespace: whoever could name another would be another tenant.
  test.each(['tenant-globex', 'kube-system', 'tenant-acme2', ''])(
    'cannot name the namespace "%s"',
    (namespace) => {
      expect(parseData({ ...example, namespace })).toMatchObject({ ok: false, code: 'event.malformed' })
    },
  )
})

test.each([
  ['activated', 'SUSPENDED'],
  ['suspended', 'ACTIVE'],
  ['purged', 'ACTIVE'],
  ['requested', 'ACTIVE'],
] as const)('%s does not tell of %s', (kind, state) => {
  const { example, parseData } = TENANT_FACTS[kind]

  expect(parseData({ ...example, state })).toMatchObject({ ok: false })
})
