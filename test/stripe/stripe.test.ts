import { Stripe } from 'stripe'
import { expect, test } from 'vitest'
import { API_KEY, aClient, aCustomer, anAccount } from './account.ts'

test('an invoice goes from draft over its lines to open and paid, and its totals are those of its lines', async () => {
  const { stripe } = await anAccount()
  const customer = await aCustomer(stripe)
  const draft = await stripe.invoices.create({
    customer: customer.id,
    currency: 'eur',
    collection_method: 'send_invoice',
    days_until_due: 30,
    metadata: { tenant: 'acme', invoice: 'inv-1' },
  })
  expect([draft.status, draft.total, draft.number]).toEqual(['draft', 0, null])
  for (const amount of [1999, 250, -49]) {
    await stripe.invoiceItems.create({
      customer: customer.id,
      invoice: draft.id,
      amount,
      currency: 'eur',
      period: { start: 1_700_000_000, end: 1_702_592_000 },
      metadata: { line: String(amount) },
    })
  }
  const filled = await stripe.invoices.retrieve(draft.id)
  expect(filled.total).toBe(2200)
  expect(filled.lines.data.map((line) => line.amount)).toEqual([1999, 250, -49])

  const open = await stripe.invoices.finalizeInvoice(draft.id)
  expect(open).toMatchObject({ status: 'open', amount_due: 2200, amount_remaining: 2200 })
  expect(open.number).toMatch(/^[A-Z0-9]+-0001$/)
  const paid = await stripe.invoices.pay(draft.id, { paid_out_of_band: true })
  expect(paid).toMatchObject({ status: 'paid', amount_paid: 2200, amount_remaining: 0 })
})

test('an invoice of more than ten lines shows ten and lists all', async () => {
  const { stripe } = await anAccount()
  const customer = await aCustomer(stripe)
  const draft = await stripe.invoices.create({ customer: customer.id, currency: 'usd' })
  const lines = Array.from({ length: 23 }, (_, index) => ({
    amount: index + 1,
    description: `line ${index}`,
  }))
  const full = await stripe.invoices.addLines(draft.id, { lines })

  expect([full.lines.data.length, full.lines.has_more, full.total]).toEqual([10, true, 276])
  const listed = await stripe.invoices.listLineItems(draft.id, { limit: 7 }).autoPagingToArray({ limit: 100 })
  expect(listed.map((line) => line.amount)).toEqual(lines.map((line) => line.amount))
})

test('a finalized invoice takes no more lines and is not finalized twice', async () => {
  const { stripe } = await anAccount()
  const customer = await aCustomer(stripe)
  const draft = await stripe.invoices.create({ customer: customer.id })
  const item = { customer: customer.id, invoice: draft.id, amount: 100, currency: 'usd' }
  await stripe.invoiceItems.create(item)
  await stripe.invoices.finalizeInvoice(draft.id)

  await expect(stripe.invoiceItems.create(item)).rejects.toMatchObject({ code: 'invoice_not_editable' })
  await expect(stripe.invoices.finalizeInvoice(draft.id)).rejects.toMatchObject({
    code: 'invoice_not_editable',
  })
  await expect(stripe.invoices.del(draft.id)).rejects.toMatchObject({ code: 'invoice_not_editable' })
})

test('a pending item is left alone by a draft that excludes it and taken by one that includes it', async () => {
  const { stripe } = await anAccount()
  const customer = await aCustomer(stripe)
  await stripe.invoiceItems.create({ customer: customer.id, amount: 500, currency: 'usd' })

  const without = await stripe.invoices.create({ customer: customer.id, currency: 'usd' })
  const including = await stripe.invoices.create({
    customer: customer.id,
    currency: 'usd',
    pending_invoice_items_behavior: 'include',
  })

  expect([without.total, including.total]).toEqual([0, 500])
})

test('a declined card fails the payment, counts an attempt, and a good one pays afterwards', async () => {
  const { stripe } = await anAccount()
  const customer = await aCustomer(stripe)
  const draft = await stripe.invoices.create({ customer: customer.id })
  await stripe.invoiceItems.create({ customer: customer.id, invoice: draft.id, amount: 900, currency: 'usd' })
  await stripe.invoices.finalizeInvoice(draft.id)

  const declined = stripe.invoices.pay(draft.id, {
    payment_method: 'pm_card_chargeDeclinedInsufficientFunds',
  })
  await expect(declined).rejects.toBeInstanceOf(Stripe.errors.StripeCardError)
  await expect(stripe.invoices.pay(draft.id)).rejects.toMatchObject({ statusCode: 400 })
  expect(await stripe.invoices.retrieve(draft.id)).toMatchObject({ status: 'open', attempt_count: 1 })
  const paid = await stripe.invoices.pay(draft.id, { payment_method: 'pm_card_visa' })
  expect(paid.status).toBe('paid')
  const events = await stripe.events.list({ type: 'invoice.payment_failed' })
  expect(events.data).toHaveLength(1)
})

test('a card that fails later is attached and then declined; one that is declined is not attached', async () => {
  const { stripe } = await anAccount()
  const customer = await aCustomer(stripe, {
    payment_method: 'pm_card_chargeCustomerFail',
    invoice_settings: { default_payment_method: 'pm_card_chargeCustomerFail' },
  })
  const price = await stripe.prices.create({
    currency: 'usd',
    unit_amount: 5000,
    recurring: { interval: 'month' },
    product_data: { name: 'Premium' },
  })
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
  })

  expect(subscription.status).toBe('incomplete')
  await expect(
    stripe.paymentMethods.attach('pm_card_chargeDeclined', { customer: customer.id }),
  ).rejects.toMatchObject({ code: 'card_declined', decline_code: 'generic_decline' })
})

test('a subscription bills its first period, changes its price and is cancelled', async () => {
  const { stripe } = await anAccount()
  const customer = await aCustomer(stripe, {
    payment_method: 'pm_card_visa',
    invoice_settings: { default_payment_method: 'pm_card_visa' },
  })
  const monthly = (unit_amount: number) =>
    stripe.prices.create({
      currency: 'usd',
      unit_amount,
      recurring: { interval: 'month' },
      product_data: { name: 'P' },
    })
  const [standard, premium] = [await monthly(1000), await monthly(4000)]
  const created = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: standard.id, quantity: 3 }],
    metadata: { tenant: 'acme' },
    expand: ['latest_invoice'],
  })
  expect(created.status).toBe('active')
  expect(created.latest_invoice).toMatchObject({
    status: 'paid',
    total: 3000,
    billing_reason: 'subscription_create',
  })
  const [item] = created.items.data
  expect(new Date((item?.current_period_end ?? 0) * 1000).toISOString()).toBe('2026-12-23T00:00:00.000Z')

  const changed = await stripe.subscriptions.update(created.id, {
    items: [{ id: item?.id ?? '', price: premium.id }],
  })
  expect(changed.items.data.map((one) => [one.id, one.price.id, one.quantity])).toEqual([
    [item?.id, premium.id, 3],
  ])
  await stripe.subscriptions.cancel(created.id)
  expect((await stripe.subscriptions.list({ customer: customer.id })).data).toEqual([])
  expect((await stripe.subscriptions.list({ customer: customer.id, status: 'all' })).data).toHaveLength(1)
})

test('the same key gives the same answer and one effect, for a day', async () => {
  const { stripe, clock } = await anAccount()
  const create = () => stripe.customers.create({ name: 'Acme' }, { idempotencyKey: 'create-acme' })
  const first = await create()
  clock.advance(86_399_000)
  const second = await create()

  expect(second.id).toBe(first.id)
  expect(second.lastResponse.headers['idempotent-replayed']).toBe('true')
  expect(second.lastResponse.headers['original-request']).toBe(first.lastResponse.requestId)
  await expect(
    stripe.customers.create({ name: 'Other' }, { idempotencyKey: 'create-acme' }),
  ).rejects.toMatchObject({ rawType: 'idempotency_error', statusCode: 400 })
  await expect(
    stripe.products.create({ name: 'Acme' }, { idempotencyKey: 'create-acme' }),
  ).rejects.toMatchObject({ rawType: 'idempotency_error' })
  clock.advance(1000)
  expect((await create()).id).not.toBe(first.id)
})

test('a refusal after work began is remembered under its key, one of bad parameters is not', async () => {
  const { stripe } = await anAccount()
  const customer = await aCustomer(stripe)
  const draft = await stripe.invoices.create({ customer: customer.id })
  await stripe.invoiceItems.create({ customer: customer.id, invoice: draft.id, amount: 900, currency: 'usd' })
  await stripe.invoices.finalizeInvoice(draft.id)
  const pay = () =>
    stripe.invoices.pay(draft.id, { payment_method: 'pm_card_chargeDeclined' }, { idempotencyKey: 'pay' })
  await expect(pay()).rejects.toMatchObject({ code: 'card_declined' })
  await expect(pay()).rejects.toMatchObject({ code: 'card_declined' })
  expect((await stripe.invoices.retrieve(draft.id)).attempt_count).toBe(1)

  const nameless = { idempotencyKey: 'product' }
  await expect(stripe.products.create({ name: '' }, nameless)).rejects.toMatchObject({ param: 'name' })
  expect((await stripe.products.create({ name: 'P' }, nameless)).name).toBe('P')
})

test('an answer that was lost is given again under its key, without a second effect', async () => {
  const { stripe, standIn } = await anAccount()
  // The SDK itself tries a closed connection once more, even when told to retry nothing.
  let lost = 0
  standIn.setFault(() => (lost++ < 2 ? { mode: 'lostAnswer' } : undefined))
  const create = () => stripe.customers.create({ name: 'Acme' }, { idempotencyKey: 'k' })
  await expect(create()).rejects.toBeInstanceOf(Stripe.errors.StripeConnectionError)
  const again = await create()

  expect(again.lastResponse.headers['idempotent-replayed']).toBe('true')
  expect((await stripe.customers.list()).data).toHaveLength(1)
})

test('who shows no key or a wrong one gets 401, and an unknown path or parameter is named', async () => {
  const { stripe, standIn } = await anAccount()
  await expect(aClient(standIn.port, 'sk_test_wrong_key_123').customers.list()).rejects.toBeInstanceOf(
    Stripe.errors.StripeAuthenticationError,
  )
  expect((await fetch(`${standIn.url}/v1/customers`)).status).toBe(401)
  const authorization = `Bearer ${API_KEY}`
  expect((await fetch(`${standIn.url}/v1/nothing`, { headers: { authorization } })).status).toBe(404)
  await expect(stripe.customers.retrieve('cus_none')).rejects.toMatchObject({
    code: 'resource_missing',
    statusCode: 404,
  })
  const response = await fetch(`${standIn.url}/v1/customers`, {
    method: 'POST',
    headers: { authorization },
    body: 'emial=x',
  })
  expect(await response.json()).toMatchObject({ error: { code: 'parameter_unknown', param: 'emial' } })
  expect(response.headers.get('request-id')).toMatch(/^req_/)
  expect(response.headers.get('stripe-version')).toBe('2026-10-28.endive')
})

test('metadata is merged, a key with an empty value goes, and its limits hold', async () => {
  const { stripe } = await anAccount()
  const customer = await aCustomer(stripe, { metadata: { a: '1', b: '2' } })
  const updated = await stripe.customers.update(customer.id, { metadata: { a: '', c: '3' } })
  expect(updated.metadata).toEqual({ b: '2', c: '3' })
  expect((await stripe.customers.update(customer.id, { metadata: '' })).metadata).toEqual({})
  await expect(stripe.customers.create({ metadata: { ['k'.repeat(41)]: 'x' } })).rejects.toMatchObject({
    statusCode: 400,
  })
})

test('a credit note lowers what an open invoice asks and never below nothing', async () => {
  const { stripe } = await anAccount()
  const customer = await aCustomer(stripe)
  const draft = await stripe.invoices.create({ customer: customer.id })
  await stripe.invoiceItems.create({
    customer: customer.id,
    invoice: draft.id,
    amount: 1000,
    currency: 'usd',
  })
  await stripe.invoices.finalizeInvoice(draft.id)
  await stripe.creditNotes.create({ invoice: draft.id, amount: 400 })
  expect((await stripe.invoices.retrieve(draft.id)).amount_remaining).toBe(600)
  await expect(stripe.creditNotes.create({ invoice: draft.id, amount: 601 })).rejects.toMatchObject({
    statusCode: 400,
  })
})
