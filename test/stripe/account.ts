import { Stripe } from 'stripe'
import { afterEach } from 'vitest'
import { type StripeOptions, type StripeStandIn, startStripe } from '#local/stripe/index.ts'
import { manualClock } from '#shared/clock.ts'

export const API_KEY = 'sk_test_local_0123456789abcdef'
export const SECRET = 'whsec_local'

const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

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
  closing.push(standIn.close)
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

export const closeAfterTest = (close: () => Promise<void>): void => void closing.push(close)
