import { createServer } from 'node:http'
import { readConfig } from '#shared/config.ts'
import { httpEdge } from '#shared/http/edge.ts'
import { authHandlers, authRefusalReply } from '../../functions/auth/http.ts'
import { wireAuth } from '../../functions/auth/wiring.ts'
import { announce } from './announce.ts'

/** Our handler without functions-framework around it: what the framework adds is the difference. */
const deps = wireAuth(readConfig(process.env))
const handle = httpEdge(deps.platform, 'auth', authHandlers(deps), { refusalReply: authRefusalReply })
announce(createServer((request, response) => void handle(request, response)))
