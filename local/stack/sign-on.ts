import { MAX_CONNECTIONS } from '#shared/catalogue.ts'
import type { Answer, ApiClient } from './api-client.ts'
import type { DnsFile } from './dns-file.ts'
import { StackError } from './options.ts'
import { type DemoTenant, demoConnection, type Seed } from './seed.ts'

/** The application that people of a demo tenant sign in to: a public client, as a native one is. */
export type DemoSignOn = {
  readonly clientId: string
  /** Its port is free (RFC 8252 §7.3). */
  readonly redirectUri: string
}

const SIGN_ON_SCOPES = ['tenant:read', 'usage:read', 'invoices:read', 'users:manage', 'sessions:manage']
const REDIRECT_URI = 'http://127.0.0.1/callback'

type Connecting = {
  readonly issuer: string
  readonly dns: DnsFile
}

/**
 * Connects the demo tenants whose tier has single sign-on to the local identity provider, as an operator
 * does for a customer: the e-mail domain is proven, then the connection made, then the owner invited.
 *
 * Done again where the provider has moved to another port: its issuer is its address.
 */
export async function connectTenants(api: ApiClient, parts: Connecting, seed: Seed): Promise<Seed> {
  if (seed.connectedTo === parts.issuer) return seed
  const token = await api.token(seed.operators[0])
  const tenants = await Promise.all(
    seed.tenants.map(async (tenant) =>
      MAX_CONNECTIONS[tenant.tier] === 0
        ? tenant
        : { ...tenant, signOn: await connect(api, token, parts, tenant, seed.connectedTo) },
    ),
  )
  return { ...seed, tenants, connectedTo: parts.issuer }
}

async function connect(
  api: ApiClient,
  token: string,
  { issuer, dns }: Connecting,
  { tenantId, signOn }: DemoTenant,
  earlier: string | undefined,
): Promise<DemoSignOn> {
  const path = `/v1/tenants/${tenantId}`
  const ask = (method: string, below: string, json?: unknown): Promise<Answer> =>
    api.call(method, `${path}${below}`, { token, ...(json === undefined ? {} : { json }) })
  const call = async (method: string, below: string, json?: unknown): Promise<Answer> => {
    const answer = await ask(method, below, json)
    if (answer.status < 300) return answer
    throw new StackError(`${method} ${path}${below}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  const domain = `${tenantId}.example`
  const claimed = (await call('POST', '/domains', { domain })).body
  const record = claimed['txtRecord'] as { name: string; value: string } | null
  if (record !== null) dns.set(record.name, [record.value])
  await call('POST', `/domains/${String(claimed['domainId'])}/verify`)
  if (earlier !== undefined) {
    await ask('DELETE', `/connections/${demoConnection(tenantId, earlier).connectionId}`)
  }
  const made = await ask('POST', '/connections', {
    ...demoConnection(tenantId, issuer),
    issuer,
    scopes: ['openid', 'email', 'profile', 'roles'],
    groupRoles: ['admin', 'developer', 'viewer'].map((role) => ({ group: role, role })),
    domains: [domain],
  })
  // There already: this was cut off after it and before that was written down.
  if (made.status !== 201 && made.body['code'] !== 'connection.id_taken') {
    throw new StackError(`${tenantId} was not connected: ${made.status} ${JSON.stringify(made.body)}`)
  }
  if (signOn !== undefined) return signOn
  await call('POST', '/invitations', { email: `owner@${domain}`, role: 'owner' })
  const client = await call('POST', '/clients', {
    name: 'single sign-on demo',
    authMethod: 'none',
    grants: ['authorization_code', 'refresh_token'],
    redirectUris: [REDIRECT_URI],
    scopes: SIGN_ON_SCOPES,
  })
  return { clientId: String(client.body['clientId']), redirectUri: REDIRECT_URI }
}
