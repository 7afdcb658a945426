import { http } from '@google-cloud/functions-framework'
import { readConfig } from '#shared/config.ts'
import { httpEdge } from '#shared/http/edge.ts'
import { installFront } from '#shared/http/front.ts'
import { eventEdge } from '#shared/pubsub/event-edge.ts'
import { lifecycleEvents } from './events.ts'
import { tenantsApi } from './http.ts'
import { wireLifecycle } from './wiring.ts'

// Read at start, so that a wrong configuration fails the deployment and not the first request.
const { platform, deps, checks } = wireLifecycle(readConfig(process.env))
installFront({ platform })

http('tenantsApiHandler', httpEdge(platform, 'tenants-api', tenantsApi(platform, deps, checks)))
http('tenantEventsHandler', eventEdge(platform, 'tenant-events', { events: lifecycleEvents(deps) }))
