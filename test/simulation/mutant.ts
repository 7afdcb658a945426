import type { ServerResponse } from 'node:http'
import type { FrameworkRequest } from '#shared/http/read-request.ts'
import type { EventHandlers } from '#shared/pubsub/event-edge.ts'
import type { Platform } from '#shared/wiring.ts'
import type { BillingDeps } from '../../functions/billing/ports.ts'
import type { LifecycleDeps } from '../../functions/tenant-events/ports.ts'

type Handler = (request: FrameworkRequest, response: ServerResponse) => Promise<void>

/** A bug planted into otherwise unchanged code: alternatives to parts of one process. */
export type Mutant = {
  readonly name: string
  readonly billing?: (deps: BillingDeps, platform: Platform) => BillingDeps
  readonly billingEvents?: (deps: BillingDeps, platform: Platform) => EventHandlers
  readonly lifecycle?: (deps: LifecycleDeps, platform: Platform) => LifecycleDeps
  readonly edge?: (edge: Handler) => Handler
}

/** The code as it is. */
export const NO_MUTANT: Mutant = { name: 'none' }
