import { http } from '@google-cloud/functions-framework'
import { readConfig } from '#shared/config.ts'
import { httpEdge } from '#shared/http/edge.ts'
import { installFront } from '#shared/http/front.ts'
import { eventEdge } from '#shared/pubsub/event-edge.ts'
import { billingEvents } from './events.ts'
import { billingApi } from './http.ts'
import { wireBilling } from './wiring.ts'

// Read at start, so that a wrong configuration fails the deployment and not the first request.
const { platform, deps } = wireBilling(readConfig(process.env))
installFront({ platform })

http('billingApiHandler', httpEdge(platform, 'billing-api', billingApi(platform, deps)))
http('billingHandler', eventEdge(platform, 'billing', billingEvents(deps)))
