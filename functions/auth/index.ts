import { http } from '@google-cloud/functions-framework'
import { readConfig } from '#shared/config.ts'
import { httpEdge } from '#shared/http/edge.ts'
import { installFront } from '#shared/http/front.ts'
import { eventEdge } from '#shared/pubsub/event-edge.ts'
import { authEventHandlers } from './events.ts'
import { authHandlers, authRefusalReply } from './http.ts'
import { wireAuth } from './wiring.ts'

// Read at start, so that a wrong configuration fails the deployment and not the first request.
const deps = wireAuth(readConfig(process.env))
installFront({ platform: deps.platform })

http('authHandler', httpEdge(deps.platform, 'auth', authHandlers(deps), { refusalReply: authRefusalReply }))
http('authEventsHandler', eventEdge(deps.platform, 'auth-events', authEventHandlers(deps)))
