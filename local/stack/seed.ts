import { setTimeout as pause } from 'node:timers/promises'
import type { Tier } from '#shared/catalogue.ts'
import type { Answer, ApiClient, Credentials } from './api-client.ts'
import { StackError } from './options.ts'
import type { DemoSignOn } from './sign-on.ts'

type DemoUser = { readonly login: string; readonly password: string; readonly role: string }

export type DemoTenant = Credentials & {
  readonly tenantId: string
  readonly tier: Tier
  readonly users: readonly DemoUser[]
  /** How people sign in, where the tier has single sign-on. */
  readonly signOn?: DemoSignOn | undefined
}

/** Who and what exists after a start, with their secrets: kept beside the data, made for this machine alone. */
export type Seed = {
  readonly operators: readonly [Credentials, Credentials]
  readonly tenants: readonly DemoTenant[]
  /** The issuer that the tenants with single sign-on are connected to. */
  readonly connectedTo?: string | undefined
}

/** The demo tenants, one for each way of looking at the product. */
const DEMO_TENANTS: readonly { tenantId: string; displayName: string; tier: Tier }[] = [
  { tenantId: 'acme', displayName: 'Acme Robotics', tier: 'standard' },
  { tenantId: 'globex', displayName: 'Globex Corporation', tier: 'enterprise' },
  { tenantId: 'initech', displayName: 'Initech', tier: 'basic' },
]

/** The people of a demo tenant, known to the enterprise identity provider. Their passwords protect nothing. */
function demoUsers(tenantId: string): readonly DemoUser[] {
  return ['owner', 'developer', 'viewer'].map((role) => ({
    login: `${role}@${tenantId}.example`,
    password: `${tenantId}-${role}`,
    role,
  }))
}

/**
 * How a demo tenant's identity provider knows us. The connection is named after the provider's port: on
 * another port it is another issuer, and a connection never changes its issuer.
 */
export function demoConnection(tenantId: string, issuer: string) {
  return {
    connectionId: `con_demo${new URL(issuer).port}`,
    clientId: `energent-${tenantId}`,
    clientSecret: `energent-${tenantId}-secret`,
  }
}

/** The demo tenants' sides at the identity provider: we are a client with the callback of the connection. */
export function demoConnections(gatewayUrl: string, issuer: string) {
  return DEMO_TENANTS.map(({ tenantId }) => {
    const { connectionId, ...client } = demoConnection(tenantId, issuer)
    const path = `${gatewayUrl}/sso/${tenantId}/${connectionId}`
    return {
      tenantId,
      ...client,
      redirectUris: [`${path}/callback`],
      backchannelLogoutUri: `${path}/backchannel-logout`,
      users: demoUsers(tenantId),
    }
  })
}

/** What a demo tenant's own client may do: everything a tenant can. */
const CLIENT_SCOPES = [
  'tenant:read',
  'tenant:manage',
  'usage:write',
  'usage:read',
  'invoices:read',
  'billing:manage',
  'workflows:use',
  'clients:manage',
]
const PROVISION_LIMIT_MS = 30_000

/**
 * Creates the demo tenants as an operator would: through the gateway, by events, waiting until they are
 * active. `settle` resolves when no event is under way any more.
 */
export async function seedTenants(
  api: ApiClient,
  operator: Credentials,
  settle: () => Promise<void>,
): Promise<readonly DemoTenant[]> {
  const token = await api.token(operator)
  return Promise.all(
    DEMO_TENANTS.map(async ({ tenantId, displayName, tier }) => {
      const request = { tenantId, displayName, tier, deploymentModel: 'multi_tenant', region: 'us-central1' }
      const created = await api.call('POST', '/v1/tenants', { token, json: request })
      // 409: tenants are added to a folder where an earlier try was cut off.
      if (![202, 409].includes(created.status))
        throw new StackError(`${tenantId} was not created: ${JSON.stringify(created.body)}`)
      await settle()
      const client = await firstClient(api, token, tenantId)
      const { clientId, clientSecret } = client.body as Record<string, string>
      if (clientId === undefined || clientSecret === undefined)
        throw new StackError('the client has no secret')
      return { tenantId, tier, clientId, clientSecret, users: demoUsers(tenantId) }
    }),
  )
}

/**
 * The tenant's first client, as soon as it can have one: the tenant must be active, and auth must have
 * heard of it, which is a moment later.
 */
async function firstClient(api: ApiClient, token: string, tenantId: string): Promise<Answer> {
  const untilMs = performance.now() + PROVISION_LIMIT_MS
  let last: Answer | undefined
  while (performance.now() < untilMs) {
    last = await api.call('GET', `/v1/tenants/${tenantId}`, { token })
    if (last.body['state'] === 'ACTIVE') {
      const json = { name: 'demo', scopes: CLIENT_SCOPES }
      last = await api.call('POST', `/v1/tenants/${tenantId}/clients`, { token, json })
      if (last.status === 201) return last
    }
    await pause(100)
  }
  const seen = JSON.stringify(last?.body)
  throw new StackError(
    `${tenantId} got no client within ${PROVISION_LIMIT_MS / 1000} s: ${seen}; see .local/logs`,
  )
}
