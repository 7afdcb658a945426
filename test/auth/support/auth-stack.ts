import type { AddressInfo } from 'node:net'
import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { type SecretManagerEngine, startSecretManagerEngine } from '#local/engine/secrets/index.ts'
import { manualClock } from '#shared/clock.ts'
import { type Config, readConfig } from '#shared/config.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import { httpEdge } from '#shared/http/edge.ts'
import { installFront } from '#shared/http/front.ts'
import { createLogger, type Logger } from '#shared/log.ts'
import { eventEdge } from '#shared/pubsub/event-edge.ts'
import type { OutgoingMessage } from '#shared/pubsub/publisher.ts'
import type { AuthDeps } from '../../../functions/auth/deps.ts'
import { newClientSecret } from '../../../functions/auth/domain/client-secret.ts'
import { authEventHandlers } from '../../../functions/auth/events.ts'
import { authHandlers, authRefusalReply } from '../../../functions/auth/http.ts'
import { bootstrapOperator } from '../../../functions/auth/operations/bootstrap-operator.ts'
import { type AuthParts, wireAuth } from '../../../functions/auth/wiring.ts'
import { memoryKms } from './memory-kms.ts'

export const BASE_URL = 'https://api.energent.test'
export const START_MS = Date.parse('2026-11-23T09:00:00.000Z')
export const OPERATOR = presetOf('platform', 1)

export type AuthStack = {
  readonly clock: ReturnType<typeof manualClock>
  readonly config: Config
  readonly deps: AuthDeps
  readonly firestore: FirestoreEngine
  readonly secretManager: SecretManagerEngine
  readonly kms: ReturnType<typeof memoryKms>
  readonly published: OutgoingMessage[]
  readonly logLines: string[]
  /** The entry point over HTTP, as functions-framework serves it. */
  readonly httpUrl: string
  readonly eventsUrl: string
  /** Another process of the same function: its own caches, the same store. */
  another(parts?: AuthParts): AuthDeps
  close(): Promise<void>
}

/** Credentials that are the same in every run. */
export function presetOf(tenantId: string, seed: number): { clientId: string; clientSecret: string } {
  return {
    clientId: `cid_${tenantId}_${String(seed).padStart(16, '0')}`,
    clientSecret: newClientSecret(Buffer.alloc(32, seed)),
  }
}

let started = 0

/** The auth function over the embedded Firestore and Secret Manager, at a clock that stands still. */
export async function startAuth(own: AuthParts = {}): Promise<AuthStack> {
  installFront()
  const clock = manualClock(START_MS)
  const [firestore, secretManager] = await Promise.all([
    startFirestoreEngine({ now: clock.now }),
    startSecretManagerEngine({ now: clock.now }),
  ])
  const config = readConfig({
    GOOGLE_CLOUD_PROJECT: 'demo-test',
    FUNCTION_TARGET: 'authHandler',
    FUNCTION_URI: 'https://auth.energent.test',
    PUBLIC_BASE_URL: BASE_URL,
    CALLER_CHECK: 'direct',
    FIRESTORE_EMULATOR_HOST: firestore.host,
    SECRET_MANAGER_EMULATOR_HOST: secretManager.host,
  })
  const kms = memoryKms()
  const published: OutgoingMessage[] = []
  const logLines: string[] = []
  const log: Logger = createLogger({
    clock,
    project: 'demo-test',
    service: 'auth',
    write: (line) => void logLines.push(line),
  })
  const publisher = {
    publish: async (message: OutgoingMessage) => `m${published.push(message)}`,
  }
  const all: AuthDeps[] = []
  const another = (parts: AuthParts = {}): AuthDeps => {
    const made = wireAuth(config, { clock, log, publisher, kms, ...own, ...parts })
    all.push(made)
    return made
  }
  const deps = another()
  started += 1
  http(
    `auth${started}`,
    httpEdge(deps.platform, 'auth', authHandlers(deps), { refusalReply: authRefusalReply }),
  )
  http(`events${started}`, eventEdge(deps.platform, 'auth-events', authEventHandlers(deps)))
  const servers = [getTestServer(`auth${started}`), getTestServer(`events${started}`)]
  const urls = await Promise.all(
    servers.map(
      (server) =>
        new Promise<string>((resolve) => {
          server.listen(0, '127.0.0.1', () =>
            resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
          )
        }),
    ),
  )
  return {
    clock,
    config,
    deps,
    firestore,
    secretManager,
    kms,
    published,
    logLines,
    httpUrl: urls[0] ?? '',
    eventsUrl: urls[1] ?? '',
    another,
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
      await Promise.all(all.map((made) => closeDatabase(made.platform.database)))
      await Promise.all([firestore.close(), secretManager.close()])
    },
  }
}

/** The first operator with `OPERATOR`'s credentials. */
export async function addFirstOperator(stack: AuthStack): Promise<void> {
  const made = await bootstrapOperator(stack.deps, {
    email: 'ops@example.com',
    deployer: 'test',
    nowMs: stack.clock.now(),
    preset: OPERATOR,
  })
  if (!made.ok) throw new Error(made.detail)
}

/** POSTs a form to the token endpoint; credentials by HTTP Basic unless the form has them. */
export function askToken(
  stack: AuthStack,
  form: Record<string, string>,
  credentials?: { clientId: string; clientSecret: string },
): Promise<Response> {
  return fetch(`${stack.httpUrl}/oauth2/token`, {
    method: 'POST',
    headers: credentials === undefined ? {} : { authorization: basic(credentials) },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...form }),
  })
}

export function basic({ clientId, clientSecret }: { clientId: string; clientSecret: string }): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
}

/** An access token, or a failure of the test. */
export async function tokenOf(
  stack: AuthStack,
  credentials: { clientId: string; clientSecret: string },
  scope?: string,
): Promise<string> {
  const response = await askToken(stack, scope === undefined ? {} : { scope }, credentials)
  const body = (await response.json()) as { access_token?: string }
  if (body.access_token === undefined) throw new Error(`no token: ${JSON.stringify(body)}`)
  return body.access_token
}

/** Calls a management route with a token. */
export function manage(
  stack: AuthStack,
  token: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${stack.httpUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}
