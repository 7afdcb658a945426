import { expect, test } from 'vitest'
import { aCustomer, anAccount } from './account.ts'

test('lists come newest first and in pages, and deleted objects are not in them', async () => {
  const { stripe } = await anAccount()
  const ids: string[] = []
  for (let index = 0; index < 25; index += 1) ids.unshift((await stripe.customers.create({})).id)
  await stripe.customers.del(ids[3] ?? '')

  const all = await stripe.customers.list({ limit: 10 }).autoPagingToArray({ limit: 100 })
  expect(all.map(({ id }) => id)).toEqual(ids.filter((_, index) => index !== 3))
  expect(await stripe.customers.retrieve(ids[3] ?? '')).toMatchObject({ deleted: true })
  await expect(stripe.customers.update(ids[3] ?? '', { name: 'x' })).rejects.toMatchObject({
    code: 'resource_missing',
  })
})

test('search finds by metadata and by field, and refuses what it cannot parse', async () => {
  const { stripe } = await anAccount()
  const acme = await aCustomer(stripe)
  await aCustomer(stripe, { metadata: { tenant: 'other' } })
  const invoice = await stripe.invoices.create({
    customer: acme.id,
    metadata: { invoice: 'inv "1"', rev: '2' },
  })
  await stripe.invoices.create({ customer: acme.id, metadata: { invoice: 'inv "1"', rev: '3' } })
  const ids = async (query: string) => (await stripe.invoices.search({ query })).data.map(({ id }) => id)

  expect(
    (await stripe.customers.search({ query: `metadata["tenant"]:"acme"` })).data.map(({ id }) => id),
  ).toEqual([acme.id])
  expect(await ids(`metadata['invoice']:'inv "1"' AND metadata["rev"]:"2"`)).toEqual([invoice.id])
  expect(await ids(`metadata["rev"]:"2" OR metadata["rev"]:"3"`)).toHaveLength(2)
  expect(await ids(`-metadata["rev"]:"3" AND status:"draft"`)).toEqual([invoice.id])
  await expect(ids('metadata[')).rejects.toMatchObject({ statusCode: 400 })
  await expect(ids(`a:"1" AND b:"2" OR c:"3"`)).rejects.toMatchObject({ statusCode: 400 })
})

test('a meter event counts once per identifier within a day, and sums come out per window', async () => {
  const { stripe, clock } = await anAccount()
  const customer = await aCustomer(stripe)
  const meter = await stripe.billing.meters.create({
    display_name: 'vCPU hours',
    event_name: 'vcpu',
    default_aggregation: { formula: 'sum' },
  })
  const hour = Math.floor(clock.now() / 1000)
  const send = (identifier: string, value: string, timestamp = hour) =>
    stripe.billing.meterEvents.create({
      event_name: 'vcpu',
      identifier,
      timestamp,
      payload: { value, stripe_customer_id: customer.id },
    })
  await send('acme:1', '40')
  await send('acme:2', '2', hour + 60)
  await expect(send('acme:1', '40')).rejects.toMatchObject({
    statusCode: 400,
    message: expect.stringContaining('acme:1'),
  })
  await expect(send('acme:3', '1.5')).rejects.toMatchObject({ code: 'meter_event_invalid_value' })
  await expect(send('acme:4', '1', hour + 301)).rejects.toMatchObject({ code: 'timestamp_in_future' })
  await expect(send('acme:5', '1', hour - 36 * 86_400)).rejects.toMatchObject({
    code: 'timestamp_too_far_in_past',
  })

  const sums = async () =>
    (
      await stripe.billing.meters.listEventSummaries(meter.id, {
        customer: customer.id,
        start_time: hour,
        end_time: hour + 3600,
      })
    ).data.map((one) => one.aggregated_value)
  expect(await sums()).toEqual([42])
  await stripe.billing.meterEventAdjustments.create({
    event_name: 'vcpu',
    type: 'cancel',
    cancel: { identifier: 'acme:2' },
  })
  expect(await sums()).toEqual([40])
  clock.advance(86_400_000)
  await send('acme:1', '1')
  expect(await sums()).toEqual([41])
})
