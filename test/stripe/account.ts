import { Stripe } from 'stripe'
import { type StripeOptions, type StripeStandIn, startStripe } from '#local/stripe/index.ts'
import { manualClock } from '#shared/clock.ts'
import { closeAfterTest } from '../support/close-after-test.ts'

export const API_KEY = 'sk_test_local_0123456789abcdef'
export const SECRET = 'whsec_local'

/** A Stripe account of its own and the real SDK pointed at it; closed after the test. */
export async function anAccount(options: Partial<StripeOptions> = {}) {
  const clock = manualClock(Date.parse('2026-11-23T00:00:00Z'))
  const standIn: StripeStandIn = await startStripe({
    now: clock.now,
    apiKey: API_KEY,
    webhookSecret: SECRET,
    automaticWebhooks: false,
    ...options,
  })
  closeAfterTest(standIn.close)
  return { standIn, clock, stripe: aClient(standIn.port) }
}

export function aClient(port: number, apiKey = API_KEY): Stripe {
  return new Stripe(apiKey, {
    host: '127.0.0.1',
    port,
    protocol: 'http',
    maxNetworkRetries: 0,
    telemetry: false,
  })
}

/** A customer of a tenant of ours. */
export async function aCustomer(stripe: Stripe, extra: Stripe.CustomerCreateParams = {}) {
  return stripe.customers.create({ email: 'it@acme.test', metadata: { tenant: 'acme' }, ...extra })
}
