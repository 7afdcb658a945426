import { MAX_CONNECTIONS } from '#shared/catalogue.ts'
import type { Answer, ApiClient, Credentials } from './api-client.ts'
import type { DnsFile } from './dns-file.ts'
import { StackError } from './options.ts'
import { type DemoTenant, demoConnection } from './seed.ts'

/** What an application needs to sign people in at a demo tenant: a public client, as a native one has. */
export type DemoSignOn = {
  readonly issuer: string
  readonly connectionId: string
  readonly clientId: string
  /** Any port and path of its own; the port is free (RFC 8252 §7.3). */
  readonly redirectUri: string
}

const SIGN_ON_SCOPES = ['tenant:read', 'usage:read', 'invoices:read', 'users:manage', 'sessions:manage']
const REDIRECT_URI = 'http://127.0.0.1/callback'

/**
 * Connects the demo tenants whose tier has single sign-on to the local identity provider, as an operator
 * does for a customer: the e-mail domain is proven, then the connection made, then the owner invited.
 *
 * Done again where the provider has moved to another port: its issuer is its address.
 */
export async function connectTenants(
  api: ApiClient,
  operator: Credentials,
  parts: { readonly issuer: string; readonly dns: DnsFile },
  tenants: readonly DemoTenant[],
): Promise<readonly DemoTenant[]> {
  const missing = (tenant: DemoTenant): boolean =>
    MAX_CONNECTIONS[tenant.tier] > 0 && tenant.signOn?.issuer !== parts.issuer
  if (!tenants.some(missing)) return tenants
  const token = await api.token(operator)
  return Promise.all(
    tenants.map(async (tenant) =>
      missing(tenant) ? { ...tenant, signOn: await connect(api, token, parts, tenant) } : tenant,
    ),
  )
}

async function connect(
  api: ApiClient,
  token: string,
  { issuer, dns }: { readonly issuer: string; readonly dns: DnsFile },
  { tenantId, signOn: earlier }: DemoTenant,
): Promise<DemoSignOn> {
  const path = `/v1/tenants/${tenantId}`
  const call = async (method: string, below: string, json?: unknown): Promise<Answer> => {
    const answer = await api.call(method, `${path}${below}`, {
      token,
      ...(json === undefined ? {} : { json }),
    })
    if (answer.status < 300) return answer
    throw new StackError(`${method} ${path}${below}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  const domain = `${tenantId}.example`
  const claimed = (await call('POST', '/domains', { domain })).body
  const record = claimed['txtRecord'] as { name: string; value: string } | null
  if (record !== null) dns.set(record.name, [record.value])
  await call('POST', `/domains/${String(claimed['domainId'])}/verify`)
  if (earlier !== undefined)
    await api.call('DELETE', `${path}/connections/${earlier.connectionId}`, { token })
  const { connectionId, clientId, clientSecret } = demoConnection(tenantId, issuer)
  const made = await api.call('POST', `${path}/connections`, {
    token,
    json: {
      connectionId,
      issuer,
      clientId,
      clientSecret,
      scopes: ['openid', 'email', 'profile', 'roles'],
      groupRoles: ['admin', 'developer', 'viewer'].map((role) => ({ group: role, role })),
      domains: [domain],
    },
  })
  // 409: this was cut off after the connection and before it was written down.
  if (made.status !== 201 && made.body['code'] !== 'connection.id_taken') {
    throw new StackError(`${tenantId} was not connected: ${made.status} ${JSON.stringify(made.body)}`)
  }
  await api.call('POST', `${path}/invitations`, { token, json: { email: `owner@${domain}`, role: 'owner' } })
  if (earlier !== undefined) return { ...earlier, issuer, connectionId }
  const client = await call('POST', '/clients', {
    name: 'single sign-on demo',
    authMethod: 'none',
    grants: ['authorization_code', 'refresh_token'],
    redirectUris: [REDIRECT_URI],
    scopes: SIGN_ON_SCOPES,
  })
  return { issuer, connectionId, clientId: String(client.body['clientId']), redirectUri: REDIRECT_URI }
}
