export { createUsageClient } from './client.ts'
export { httpTransport } from './http-transport.ts'
export { pubsubTransport } from './pubsub-transport.ts'
export type {
  Batch,
  Fate,
  Outcome,
  Transport,
  UsageClient,
  UsageClientOptions,
  UsageEvent,
} from './types.ts'
