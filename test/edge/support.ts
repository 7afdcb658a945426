import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { ROUTES } from '#shared/catalogue/routes.ts'
import { readConfig } from '#shared/config.ts'
import { type HandlersOf, httpEdge } from '#shared/http/edge.ts'
import { installFront } from '#shared/http/front.ts'
import type { LoadGate } from '#shared/http/load-gate.ts'
import type { ApiRequest } from '#shared/http/types.ts'
import { ok } from '#shared/result.ts'
import {
  accessClaims,
  callerToken,
  closeServer,
  GATEWAY,
  idClaims,
  listen,
  signAccess,
  type TestPlatform,
  testConfig,
  testPlatform,
  uniqueName,
  userInfoOf,
} from '../shared/support/platform.ts'

export type EdgeServer = {
  readonly url: string
  readonly platform: TestPlatform
  /** What every operation does; it answers 200 until a test says otherwise. */
  behave(act: (request: ApiRequest) => unknown): void
  headersFor(claims?: Record<string, unknown>): Promise<Record<string, string>>
  close(): Promise<void>
}

export type EdgeOptions = {
  readonly env?: Readonly<Record<string, string>>
  readonly gate?: LoadGate
  readonly deadlineMs?: number
  readonly platform?: (made: TestPlatform) => Partial<TestPlatform>
}

/** The tenants API's edge behind the front, as a deployed function has them, with handlers of the test. */
export async function startEdge(options: EdgeOptions = {}): Promise<EdgeServer> {
  const base = testConfig('platform')
  const config = readConfig({
    ...Object.fromEntries(
      Object.entries(base).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    ),
    ...options.env,
  })
  const made = testPlatform(config, 'lifecycle')
  const platform = { ...made, ...options.platform?.(made) }
  const current = { act: (_request: ApiRequest): unknown => ok({ status: 200, json: {} }) }
  const handler = async (request: ApiRequest) => (await current.act(request)) as never
  const ids = Object.entries(ROUTES).flatMap(([id, route]) => (route.function === 'tenants-api' ? [id] : []))
  const handlers = Object.fromEntries(ids.map((id) => [id, handler])) as unknown as HandlersOf<'tenants-api'>
  const name = uniqueName('edge')
  const edgeOptions = options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }
  http(name, httpEdge(platform, 'tenants-api', handlers, edgeOptions))
  installFront({ platform, gate: options.gate })
  const server = getTestServer(name)
  const url = await listen(server)
  const gateway = await callerToken('platform', idClaims(GATEWAY))
  return {
    url,
    platform,
    behave: (act) => {
      current.act = act
    },
    headersFor: async (claims = {}) => {
      const token = await signAccess(accessClaims(claims))
      return {
        authorization: `Bearer ${gateway}`,
        'x-forwarded-authorization': `Bearer ${token}`,
        'x-apigateway-api-userinfo': userInfoOf(token),
      }
    },
    close: () => closeServer(server),
  }
}
