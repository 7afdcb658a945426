import { expect, test } from 'vitest'
import type { TenantId } from '#shared/ids.ts'
import { decodedBatches } from '../../../functions/billing/adapters/decoded-batches.ts'

const [acme, rival] = ['acme' as TenantId, 'rival' as TenantId]

function counting(mostOfTenant: number, mostInAll: number) {
  const batches = decodedBatches(mostOfTenant, mostInAll)
  const decoded: string[] = []
  const get = (tenantId: TenantId, name: string, events = 1) =>
    batches.of(tenantId, name, events, async () => {
      decoded.push(`${tenantId} ${name}`)
      return []
    })
  return { get, decoded, batches }
}

test('a batch is decoded once, also by two who ask at the same time', async () => {
  const { get, decoded } = counting(10, 10)
  await Promise.all([get(acme, 'a'), get(acme, 'a')])
  await get(acme, 'a')
  expect(decoded).toEqual(['acme a'])
})

test("a batch of one tenant is never another's, though the names are the same", async () => {
  const batches = decodedBatches()
  const [mine, theirs] = [[{ id: 'mine' }], [{ id: 'theirs' }]] as never[]
  expect(await batches.of(acme, 'a', 1, async () => mine as never)).toBe(mine)
  expect(await batches.of(rival, 'a', 1, async () => theirs as never)).toBe(theirs)
  expect(await batches.of(acme, 'a', 1, async () => theirs as never)).toBe(mine)
})

test('a tenant that reads much drives out its own batches, the oldest first', async () => {
  const { get, decoded } = counting(3, 100)
  await get(rival, 'x')
  for (const name of ['a', 'b', 'c']) await get(acme, name)
  await get(acme, 'a')
  await get(acme, 'd')
  decoded.length = 0
  for (const name of ['a', 'c', 'd']) await get(acme, name)
  await get(rival, 'x')
  expect(decoded).toEqual([])
  await get(acme, 'b')
  expect(decoded).toEqual(['acme b'])
})

test('all tenants together keep to the bound', async () => {
  const { get, decoded } = counting(3, 4)
  await get(acme, 'a', 3)
  await get(rival, 'b', 3)
  decoded.length = 0
  await get(rival, 'b', 3)
  await get(acme, 'a', 3)
  expect(decoded).toEqual(['acme a'])
})

test('what could not be decoded is tried again', async () => {
  const { get, batches } = counting(10, 10)
  const failing = batches.of(acme, 'a', 1, async () => {
    throw new Error('broken')
  })
  await expect(failing).rejects.toThrow('broken')
  expect(await get(acme, 'a')).toEqual([])
})
