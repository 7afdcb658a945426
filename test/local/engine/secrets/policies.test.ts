import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SecretManagerEngine, startSecretManagerEngine } from '#local/engine/secrets/index.ts'
import { type SecretManager, secretManager } from '#shared/secrets.ts'

const PARENT = 'projects/demo-test'
const READER = 'roles/secretmanager.secretAccessor'
const ADA = 'user:ada@demo.example'

let engine: SecretManagerEngine
let client: SecretManager
let secrets = 0
beforeAll(async () => {
  engine = await startSecretManagerEngine({ now: () => Date.parse('2026-11-23T09:00:00Z') })
  client = await secretManager(engine.host)()
})
afterAll(async () => {
  await client.close()
  await engine.close()
})

async function aSecret(): Promise<string> {
  secrets += 1
  const secretId = `secret-${secrets}`
  await client.createSecret({ parent: PARENT, secretId, secret: { replication: { automatic: {} } } })
  return `${PARENT}/secrets/${secretId}`
}
const policyOf = async (resource: string, requestedPolicyVersion = 3) =>
  (await client.getIamPolicy({ resource, options: { requestedPolicyVersion } }))[0]

test('a policy is written with the etag that was read, and with no other', async () => {
  const resource = await aSecret()
  const empty = await policyOf(resource)
  expect(empty).toMatchObject({ bindings: [] })
  const bindings = [
    { role: READER, members: [ADA] },
    { role: READER, members: [ADA, 'group:all@demo.example'] },
  ]

  await client.setIamPolicy({ resource, policy: { bindings, etag: empty.etag ?? '' } })

  expect((await policyOf(resource)).bindings).toMatchObject([
    { role: READER, members: [ADA, 'group:all@demo.example'] },
  ])
  const late = client.setIamPolicy({ resource, policy: { bindings: [], etag: empty.etag ?? '' } })
  await expect(late).rejects.toMatchObject({ code: 10, message: expect.stringContaining('concurrent') })
  await client.setIamPolicy({ resource, policy: { bindings: [] } })
  expect((await policyOf(resource)).bindings).toEqual([])
})

test('who asks for an older version sees that a binding has a condition, and cannot write one', async () => {
  const resource = await aSecret()
  const condition = { title: 'until', expression: 'false' }
  const binding = { role: READER, members: [ADA], condition }
  await expect(
    client.setIamPolicy({ resource, policy: { version: 1, bindings: [binding] } }),
  ).rejects.toMatchObject({ code: 3 })
  await client.setIamPolicy({ resource, policy: { version: 3, bindings: [binding] } })

  const old = await policyOf(resource, 1)

  expect(old.bindings?.[0]?.role).toMatch(/^roles\/secretmanager\.secretAccessor_withcond_[0-9a-f]{20}$/)
  expect((await policyOf(resource)).bindings?.[0]).toMatchObject({ role: READER, condition })
})

test.each([
  ['a member of no known kind', [{ role: READER, members: ['ada'] }]],
  ['a role that is none', [{ role: 'reader', members: [ADA] }]],
  [
    'more than 1,500 members',
    [{ role: READER, members: Array.from({ length: 1_501 }, (_none, at) => `user:u${at}@demo.example`) }],
  ],
])('%s is refused', async (_name, bindings) => {
  const resource = await aSecret()
  await expect(client.setIamPolicy({ resource, policy: { bindings } })).rejects.toMatchObject({ code: 3 })
})

test('a policy goes with its secret', async () => {
  const resource = await aSecret()
  await client.setIamPolicy({ resource, policy: { bindings: [{ role: READER, members: [ADA] }] } })
  await client.deleteSecret({ name: resource })

  await expect(policyOf(resource)).rejects.toMatchObject({ code: 5 })
  expect(engine.dump().some(({ name }) => name === resource)).toBe(false)
})
