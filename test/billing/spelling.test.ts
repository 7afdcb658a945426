import { afterEach, beforeEach, expect, test } from 'vitest'
import { aTenantFact, aUsageEvent, startWorld, type World } from './support/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.close())

/** An event whose value is spelled just so. */
const spelled = (id: string, value: string) =>
  JSON.stringify(aUsageEvent({ id, meter: 'egress_bytes', value: '@' })).replace('"@"', value)
const post = (body: string) =>
  world.request({ method: 'POST', path: '/v1/usage', token: 'acme', body: Buffer.from(body) })

const ROUNDED = [
  '9007199254740990.6',
  '9007199254740992',
  '9007199254740993',
  '0.99999999999999999999',
  '1e3',
]

test.each(ROUNDED)('the JSON number %s is not counted as another number', async (value) => {
  expect(await post(spelled('a', value))).toMatchObject({ status: 400, json: { accepted: 0 } })
  await world.fact(aTenantFact({}))
  expect(await world.usage(Buffer.from(`[${spelled('a', value)},${spelled('b', '7')}]`))).toBe(204)
  expect(world.documents('billing_quarantine')).toHaveLength(1)
  const path = '/v1/tenants/acme/usage?meter=egress_bytes'
  const { json } = await world.request({ path, token: 'acme' })
  expect(json['data']).toMatchObject([{ value: '7', events: 1 }])
})

test('the largest safe integer is counted to the last digit, and members of others keep their numbers', async () => {
  await world.fact(aTenantFact({}))
  const event = spelled('a', '9007199254740991').replace(
    '"data":{',
    '"extra":{"value":0.5},"data":{"more":{"value":1.5},',
  )
  expect(await post(event)).toMatchObject({ status: 202 })
  expect(Buffer.from(world.published[0]?.data ?? '').toString()).toContain('"more":{"value":1.5}')
  await world.deliver()
  const { json } = await world.request({ path: '/v1/tenants/acme/usage?meter=egress_bytes', token: 'acme' })
  expect(json['data']).toMatchObject([{ value: '9007199254740991' }])
})

test('an element nested too deep for a reviver hides no number and harms no neighbour', async () => {
  await world.fact(aTenantFact({}))
  const deep = `${'['.repeat(60_000)}${']'.repeat(60_000)}`
  const good = JSON.stringify(aUsageEvent({ id: 'b', meter: 'egress_bytes', value: '7' }))
  expect(await world.usage(Buffer.from(`[${deep},${spelled('a', '9007199254740990.6')},${good}]`))).toBe(204)
  const { json } = await world.request({ path: '/v1/tenants/acme/usage?meter=egress_bytes', token: 'acme' })
  expect(json['data']).toMatchObject([{ value: '7', events: 1 }])
})

test.each([
  ['a NUL in a dimension', { value: '1', dimensions: { workflow_class: 'a\0b' } }],
  ['a line feed in a dimension', { value: '1', dimensions: { workflow_class: 'a\nb' } }],
  ['a NUL in a resource', { value: '1', resource: 'a\0' }],
  ['an escape of a terminal in a resource', { value: '1', resource: '\u009b31m' }],
])('an event with %s is rejected', async (_name, data) => {
  expect(await post(JSON.stringify(aUsageEvent({ id: 'a', data })))).toMatchObject({ status: 400 })
})

test.each([
  ['an empty dimension', { value: '1', dimensions: { workflow_class: '' } }],
  ['a resource in any script', { value: '1', resource: 'übung/日本' }],
])('an event with %s is accepted', async (_name, data) => {
  expect(await post(JSON.stringify(aUsageEvent({ id: 'a', data })))).toMatchObject({ status: 202 })
})
