import { PubSub } from '@google-cloud/pubsub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Credentials } from '#local/stack/api-client.ts'
import { type OperationId, ROUTES, type Route } from '#shared/catalogue/routes.ts'
import { PLATFORM_ROLES, TENANT_SCOPES } from '#shared/catalogue/scopes.ts'
import { tenantFactType } from '#shared/contracts/events/tenant-fact.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { outboxRow } from '#shared/firestore/outbox.ts'
import type { TenantId } from '#shared/ids.ts'
import { eventually, startTestStack, type TestStack } from '../e2e/test-stack.ts'

/** Who calls, and whose resource they ask for. */
const COLUMNS = {
  own: ['acme', 'acme'],
  foreign: ['acme', 'globex'],
  missing: ['acme', 'there-is-none'],
  platform: ['acme', 'platform'],
  otherAllScopes: ['globex-all', 'acme'],
  suspended: ['initech', 'initech'],
  suspendedToOther: ['initech', 'acme'],
  admin: ['platform_admin', 'acme'],
  adminToMissing: ['platform_admin', 'there-is-none'],
  adminToSuspended: ['platform_admin', 'initech'],
  support: ['platform_support', 'acme'],
  finance: ['platform_finance', 'acme'],
  security: ['platform_security', 'acme'],
  nobody: ['nobody', 'acme'],
  nonsense: ['nonsense', 'acme'],
} as const satisfies Record<string, readonly [caller: string, tenant: string]>
type Column = keyof typeof COLUMNS

const NONE_OF_OURS = { suspended: 401, suspendedToOther: 401, nobody: 401, nonsense: 401 } as const

/** A tenant's resource that operators with `platform:read` may look at. */
const READABLE = {
  ...NONE_OF_OURS,
  own: 200,
  foreign: 404,
  missing: 404,
  platform: 404,
  otherAllScopes: 404,
  admin: 200,
  adminToMissing: 404,
  adminToSuspended: 200,
  support: 200,
  finance: 200,
  security: 404,
} as const
/** What only operators with `platform:read` may look at; no tenant stands in the path. */
const OPERATORS_READ = {
  ...NONE_OF_OURS,
  own: 403,
  foreign: 403,
  missing: 403,
  platform: 403,
  otherAllScopes: 403,
  admin: 200,
  adminToMissing: 200,
  adminToSuspended: 200,
  support: 200,
  finance: 200,
  security: 403,
} as const
/** Who is signed in: a matter of whoever may manage sessions, and of the operators for security. */
const SESSIONS = {
  ...READABLE,
  own: 403,
  support: 404,
  finance: 404,
  security: 200,
} as const
const SESSION_UNKNOWN = { ...SESSIONS, admin: 404, adminToSuspended: 404, security: 404 } as const
/** The tenant's own people: the seeded client of a tenant may not manage them, and no operator may look. */
const OWN_PEOPLE = {
  ...READABLE,
  own: 403,
  admin: 404,
  adminToSuspended: 404,
  support: 404,
  finance: 404,
} as const
/** Operators with `platform:tenants` invite a tenant's first owner. */
const INVITATIONS = { ...OWN_PEOPLE, admin: 200, adminToSuspended: 200 } as const
/** Only the holder of an invitation's token learns that it is there. */
const ACCEPTANCE = {
  ...Object.fromEntries(Object.keys(COLUMNS).map((column) => [column, 404])),
  ...NONE_OF_OURS,
} as Record<Column, number>
/** The seeded client of a tenant may not manage its identity providers; operators for tenants may. */
const SIGN_ON = { ...READABLE, own: 403, support: 404, finance: 404 } as const
/** Clients and API keys: operators for tenants keep them too. */
const CLIENTS = { ...READABLE, support: 404, finance: 404 } as const
/** Whoever pays for usage does not take it back: operators for billing alone do, of a tenant that there is. */
const USAGE_BY_OPERATORS = {
  ...OPERATORS_READ,
  admin: 202,
  adminToMissing: 404,
  adminToSuspended: 202,
  support: 403,
  finance: 202,
} as const
/** Plans are nobody's in particular: operators for billing keep them. */
const CATALOGUE = { ...OPERATORS_READ, support: 403 } as const
/** No plan and no meter has the id of this matrix. */
const CATALOGUE_UNKNOWN = {
  ...CATALOGUE,
  admin: 404,
  adminToMissing: 404,
  adminToSuspended: 404,
  finance: 404,
} as const
/** The first caller makes it; to the others it is there. */
const CATALOGUE_MADE = { ...CATALOGUE, admin: 201 } as const
/** Credit is money: no tenant gives it to itself. */
const CREDIT = {
  ...READABLE,
  own: 403,
  admin: 201,
  adminToSuspended: 201,
  support: 404,
  finance: 201,
} as const
const NO_SUCH_INVOICE = {
  ...READABLE,
  own: 404,
  admin: 404,
  adminToSuspended: 404,
  support: 404,
  finance: 404,
} as const
/** What a tenant owes is not the tenant's to decide. */
const NO_INVOICE_TO_SETTLE = { ...NO_SUCH_INVOICE, own: 403 } as const
/** What is done to a tenant, and not by it: operators for tenants do. */
const BY_OPERATORS = { ...READABLE, own: 403, support: 404, finance: 404 } as const
/** A body is read before the tenant is looked for. */
const MISREAD = { ...BY_OPERATORS, admin: 400, adminToMissing: 400, adminToSuspended: 400 } as const
/** No letter has the id of this matrix. */
const OPERATE = {
  ...OPERATORS_READ,
  admin: 404,
  adminToMissing: 404,
  adminToSuspended: 404,
  support: 404,
  finance: 403,
} as const
/** Slots are taken by the tenant's own agents. */
const OWN_AGENTS = { ...READABLE, admin: 404, adminToSuspended: 404, support: 404, finance: 404 } as const
const OPERATORS = ['admin', 'adminToMissing', 'adminToSuspended', 'support', 'finance'] as const
const everywhere = (status: number): Record<Column, number> =>
  Object.fromEntries(Object.keys(COLUMNS).map((column) => [column, status])) as Record<Column, number>
const BAD = everywhere(400)
/** A directory authenticates with an API key of the tenant: our own tokens say nothing there. */
const SCIM = Object.fromEntries(
  Object.keys(ROUTES)
    .filter((id) => id.startsWith('scim'))
    .map((id) => [id, everywhere(401)]),
) as Record<Extract<OperationId, `scim${string}`>, Record<Column, number>>
const OPEN = everywhere(200)

/** Every route and every column: what the gateway and the functions behind it must answer. */
const EXPECTED: Readonly<Record<OperationId, Readonly<Record<Column, number>> | 'scheduler'>> = {
  getTenant: READABLE,
  changeTenant: { ...READABLE, support: 404, finance: 404 },
  getOperation: { ...READABLE, adminToSuspended: 404 },
  listOperations: READABLE,
  getTimeline: READABLE,
  // Only of a tenant that is gone; it is for operators to hand out.
  getDeletionCertificate: NO_INVOICE_TO_SETTLE,
  // The tier it has: nothing changes.
  changeTier: { ...READABLE, own: 202, admin: 202, adminToSuspended: 202, support: 404, finance: 404 },
  // Bodies that nobody could mean, so that no row changes what the next one sees.
  suspendTenant: MISREAD,
  resumeTenant: { ...BY_OPERATORS, admin: 202, adminToSuspended: 202 },
  // A machine with the scope is no owner.
  offboardTenant: MISREAD,
  cancelOffboarding: { ...BY_OPERATORS, admin: 202, adminToSuspended: 202 },
  exportTenant: { ...MISREAD, own: 400 },
  approvePurge: MISREAD,
  setLegalHold: BY_OPERATORS,
  endLegalHold: { ...BY_OPERATORS, admin: 204, adminToSuspended: 204 },
  reconcileTenant: { ...BY_OPERATORS, admin: 202, adminToSuspended: 202 },
  retryOperation: { ...BY_OPERATORS, admin: 409, adminToSuspended: 404 },
  listDeadLetters: { ...OPERATE, admin: 400, adminToMissing: 400, adminToSuspended: 400, support: 400 },
  getDeadLetter: OPERATE,
  redriveDeadLetter: OPERATE,
  discardDeadLetter: OPERATE,
  getUsage: READABLE,
  listUsageEvents: READABLE,
  listUsageConflicts: READABLE,
  getUpcomingInvoice: READABLE,
  listInvoices: READABLE,
  getInvoice: NO_SUCH_INVOICE,
  explainInvoiceLine: NO_SUCH_INVOICE,
  finalizeInvoice: NO_INVOICE_TO_SETTLE,
  voidInvoice: NO_INVOICE_TO_SETTLE,
  rebillInvoice: NO_INVOICE_TO_SETTLE,
  createExport: { ...READABLE, own: 202, admin: 202, adminToSuspended: 202, finance: 202, support: 404 },
  getExport: NO_SUCH_INVOICE,
  getRevenueReport: { ...OPERATORS_READ, support: 403 },
  createClient: { ...READABLE, own: 201, admin: 201, adminToSuspended: 201, support: 404, finance: 404 },
  listClients: CLIENTS,
  getClient: { ...CLIENTS, own: 404, admin: 404, adminToSuspended: 404 },
  updateClient: { ...CLIENTS, own: 404, admin: 404, adminToSuspended: 404 },
  deleteClient: { ...CLIENTS, own: 404, admin: 404, adminToSuspended: 404 },
  rotateClientSecret: { ...CLIENTS, own: 404, admin: 404, adminToSuspended: 404 },
  deleteClientSecret: { ...CLIENTS, own: 404, admin: 404, adminToSuspended: 404 },
  // The seeded client of a tenant may not keep its keys.
  listApiKeys: { ...CLIENTS, own: 403 },
  createApiKey: { ...CLIENTS, own: 403, admin: 201, adminToSuspended: 201 },
  deleteApiKey: { ...CLIENTS, own: 403, admin: 404, adminToSuspended: 404 },
  // Of the caller's own tenant, whoever stands in no path; operators hold no such scope.
  verifyApiKey: {
    ...OPERATORS_READ,
    ...Object.fromEntries(OPERATORS.map((column) => [column, 403])),
    otherAllScopes: 200,
  },
  listBindings: { ...READABLE, support: 404, finance: 404 },
  // The operator comes second, and an account is bound once.
  createBinding: { ...READABLE, own: 201, admin: 409, adminToSuspended: 201, support: 404, finance: 404 },
  deleteBinding: { ...READABLE, own: 404, admin: 404, adminToSuspended: 404, support: 404, finance: 404 },
  listSessions: SESSIONS,
  endSessions: { ...SESSIONS, admin: 204, adminToSuspended: 204, security: 204 },
  endSession: SESSION_UNKNOWN,
  listUserSessions: SESSION_UNKNOWN,
  endUserSessions: SESSION_UNKNOWN,
  endUserSession: SESSION_UNKNOWN,
  listAuditEvents: SESSIONS,
  // Of the caller's own tenant; operators hold no such scope.
  getRevocations: { ...everywhere(403), ...NONE_OF_OURS, otherAllScopes: 200 },
  listUsers: OWN_PEOPLE,
  getUser: OWN_PEOPLE,
  changeUser: OWN_PEOPLE,
  deleteUser: OWN_PEOPLE,
  setUserRoles: OWN_PEOPLE,
  listRoles: OWN_PEOPLE,
  getRole: OWN_PEOPLE,
  createRole: OWN_PEOPLE,
  changeRole: OWN_PEOPLE,
  deleteRole: OWN_PEOPLE,
  listInvitations: INVITATIONS,
  getInvitation: { ...INVITATIONS, admin: 404, adminToSuspended: 404 },
  createInvitation: { ...INVITATIONS, admin: 201, adminToSuspended: 201 },
  withdrawInvitation: { ...INVITATIONS, admin: 404, adminToSuspended: 404 },
  acceptInvitation: ACCEPTANCE,
  ...SCIM,
  // In a browser: what fits no client and no sign-in is a page of ours.
  authorize: BAD,
  completeSignIn: BAD,
  endProviderSession: BAD,
  // The tenants of this matrix do not have the tier for it.
  getAuthPolicy: { ...SIGN_ON, admin: 403, adminToSuspended: 403 },
  setAuthPolicy: { ...SIGN_ON, admin: 403, adminToSuspended: 403 },
  listConnections: SIGN_ON,
  createConnection: { ...SIGN_ON, admin: 403, adminToSuspended: 403 },
  getConnection: { ...SIGN_ON, admin: 404, adminToSuspended: 404 },
  changeConnection: { ...SIGN_ON, admin: 404, adminToSuspended: 404 },
  deleteConnection: { ...SIGN_ON, admin: 404, adminToSuspended: 404 },
  listDomains: SIGN_ON,
  createDomain: { ...SIGN_ON, admin: 403, adminToSuspended: 403 },
  verifyDomain: { ...SIGN_ON, admin: 404, adminToSuspended: 404 },
  // Whose usage it is stands in the events: those of another tenant are refused one by one.
  recordUsage: {
    ...NONE_OF_OURS,
    own: 202,
    foreign: 400,
    missing: 400,
    platform: 400,
    otherAllScopes: 400,
    admin: 403,
    adminToMissing: 403,
    adminToSuspended: 403,
    support: 403,
    finance: 403,
    security: 403,
  },
  getSubscription: READABLE,
  changeSubscription: { ...READABLE, support: 404 },
  previewSubscription: READABLE,
  createGrant: CREDIT,
  listGrants: READABLE,
  voidGrant: { ...CREDIT, admin: 404, adminToSuspended: 404, finance: 404 },
  getEntitlements: READABLE,
  checkEntitlement: { ...READABLE, adminToSuspended: 402 },
  acquireWorkflow: OWN_AGENTS,
  renewWorkflow: OWN_AGENTS,
  releaseWorkflow: OWN_AGENTS,
  listPlans: CATALOGUE,
  createPlan: CATALOGUE_MADE,
  getPlan: CATALOGUE_UNKNOWN,
  putPlan: CATALOGUE_UNKNOWN,
  retirePlan: CATALOGUE_UNKNOWN,
  listPlanVersions: CATALOGUE_UNKNOWN,
  getPlanVersion: CATALOGUE_UNKNOWN,
  listMeters: CATALOGUE,
  createMeter: CATALOGUE_MADE,
  getMeter: CATALOGUE_UNKNOWN,
  putMeter: CATALOGUE_UNKNOWN,
  listMeterVersions: CATALOGUE_UNKNOWN,
  getMeterVersion: CATALOGUE_UNKNOWN,
  backfillUsage: USAGE_BY_OPERATORS,
  voidUsage: USAGE_BY_OPERATORS,
  getUsageJob: { ...everywhere(404), ...NONE_OF_OURS },
  createTenant: {
    ...OPERATORS_READ,
    admin: 409,
    adminToMissing: 202,
    adminToSuspended: 409,
    support: 403,
    finance: 403,
  },
  listTenants: OPERATORS_READ,
  getMetrics: OPERATORS_READ,
  getBillingMetrics: OPERATORS_READ,
  getTenantsMetrics: OPERATORS_READ,
  getHealth: OPEN,
  getBillingHealth: OPEN,
  getTenantsHealth: OPEN,
  getEvidenceKeys: OPEN,
  getJwks: OPEN,
  getAuthorizationServerMetadata: OPEN,
  getOpenidConfiguration: OPEN,
  // Authenticates by the client's own credentials: a bearer token says nothing there.
  createToken: BAD,
  // Whose token it is stands in no path: without the scope 403, and with it the form is missing.
  introspectToken: { ...everywhere(403), ...NONE_OF_OURS, otherAllScopes: 400 },
  revokeToken: everywhere(401),
  runAuthSweep: 'scheduler',
  runBillingSweep: 'scheduler',
  runBillingRollups: 'scheduler',
  runBillingClose: 'scheduler',
  runLifecycleSweep: 'scheduler',
  runLifecycleTimers: 'scheduler',
}

describe('every route, whoever calls and whosever it is', () => {
  let stack: TestStack
  const tokens = new Map<string, string>([['nonsense', 'e30.e30.e30']])
  let operationId = ''

  beforeAll(async () => {
    stack = await startTestStack()
    const api = stack.api()
    const operator = await api.token(stack.info().operator)
    const clientOf = async (tenantId: string, scopes: readonly string[]): Promise<Credentials> => {
      const made = await api.call('POST', `/v1/tenants/${tenantId}/clients`, {
        token: operator,
        json: { scopes },
      })
      expect(made.status, JSON.stringify(made.body)).toBe(201)
      return made.body as Credentials
    }
    await renewTenantTokens()
    tokens.set('globex-all', await api.token(await clientOf('globex', TENANT_SCOPES)))
    for (const [role, scopes] of Object.entries(PLATFORM_ROLES)) {
      tokens.set(role, await api.token(await clientOf('platform', scopes)))
    }
    const [operation] = stack.parts().engines.firestore?.dump('tenants/acme/lifecycle_operations') ?? []
    operationId = operation?.path.split('/').at(-1) ?? ''
    await suspend(stack, 'initech')
    await eventually('the suspension bites', async () => {
      const { status } = await api.call('GET', '/v1/tenants/initech', { token: tokens.get('initech') ?? '' })
      return status === 401 ? true : undefined
    })
  }, 90_000)
  afterAll(() => stack.close())

  const renewTenantTokens = async (): Promise<void> => {
    for (const tenant of stack.info().tenants) {
      if (tenant.tenantId !== 'initech' || !tokens.has('initech'))
        tokens.set(tenant.tenantId, await stack.api().token(tenant))
    }
  }

  const ask = (route: Route, caller: string, tenant: string) => {
    const path = route.path
      .replace('{tenantId}', tenant)
      .replace('{operationId}', operationId)
      .replace('{connectionId}', 'con_none')
      .replace('{clientId}', `cid_acme_${'A'.repeat(16)}`)
      .replace('{secretId}', 'none')
      .replace('{keyId}', 'A'.repeat(16))
      .replace('{domainId}', `h${'A'.repeat(43)}`)
      .replace('{bindingId}', `h${'A'.repeat(43)}`)
      .replace('{userId}', 'usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E')
      .replace('{sessionId}', 'ses_01KAR6Z1B0V7D8E9F0G1H2J3K4')
      .replace(/\{\w+\}/g, 'none')
    const token = tokens.get(caller)
    const json = route.path === '/oauth2/token' ? undefined : bodyFor(route, tenant)
    const withBody = route.method === 'POST' && json === undefined ? { 'content-type': FORM } : undefined
    return stack.api().call(route.method, path, {
      ...(token === undefined ? {} : { token }),
      ...(json === undefined ? {} : { json }),
      ...(withBody === undefined ? {} : { headers: withBody }),
    })
  }

  test('the table has every route and every column', () => {
    expect(Object.keys(EXPECTED).sort()).toEqual(Object.keys(ROUTES).sort())
  })

  test.each(Object.entries(EXPECTED))('%s', async (id, expected) => {
    const route: Route = ROUTES[id as OperationId]
    if (expected === 'scheduler') {
      for (const [caller, tenant] of Object.values(COLUMNS))
        expect((await ask(route, caller, tenant)).status).toBe(404)
      return
    }
    const seen: Record<string, number> = {}
    for (const [column, [caller, tenant]] of Object.entries(COLUMNS)) {
      seen[column] = (await ask(route, caller, tenant)).status
      // It ends all tokens of the tenant: those of its own clients are asked for again.
      if (id === 'endSessions' && seen[column] === 204) await renewTenantTokens()
    }
    expect(seen).toEqual(expected)
  })

  const ofTenants = Object.entries(ROUTES as Record<string, Route>).filter(
    ([, route]) => route.path.includes('{tenantId}') && route.security === 'token',
  )
  test.each(ofTenants)(
    '%s: another’s and a missing one are the same answer but for the request’s id',
    async (_id, route) => {
      for (const caller of ['acme', 'globex', 'globex-all', 'platform_security']) {
        const [own] = caller.split(/[-_]/)
        // To these operators the others' tenants are no foreign ones.
        if (caller === 'platform_security' && route.operatorScope === 'platform:security') continue
        const missing = plain(await ask(route, caller, 'there-is-none'))
        expect(missing.status).toBe(404)
        for (const tenant of ['acme', 'globex', 'initech', 'platform', 'a', 'UPPER', '__proto__', 'x%20y']) {
          if (tenant !== own)
            expect(plain(await ask(route, caller, tenant)), `${caller} on ${tenant}`).toEqual(missing)
        }
      }
    },
  )

  test('a suspended tenant gets no new token either', async () => {
    const suspended = stack.info().tenants.find(({ tenantId }) => tenantId === 'initech')
    if (suspended === undefined) throw new Error('no initech')
    await expect(stack.api().token(suspended)).rejects.toThrow(/unauthorized_client/)
  })
})

const FORM = 'application/x-www-form-urlencoded'

const PEOPLE_BODIES: readonly (readonly [path: RegExp, body: object])[] = [
  [/\/users\/\{userId\}\/roles$/, { roles: ['viewer'] }],
  [/\/users\/\{userId\}$/, { status: 'disabled' }],
  [/\/roles$/, { name: 'auditor', scopes: ['audit:read'] }],
  [/\/roles\/\{roleName\}$/, { scopes: ['audit:read'] }],
  [/\/invitations$/, { email: 'ada@example.com', role: 'owner' }],
  [/\/invitations\/accept$/, { token: 'none' }],
]

const PLAN_OF_NOBODY = {
  name: 'Matrix',
  tier: 'basic',
  currency: 'USD',
  currencies: { USD: { fees: [], prices: [] } },
}
const BILLING_BODIES: readonly (readonly [path: RegExp, body: (tenant: string) => object])[] = [
  [
    /\/subscription(?:\/preview)?$/,
    (tenant) => ({
      planId: `example-${tenant === 'initech' ? 'basic' : 'standard'}`,
      effective: 'period_end',
    }),
  ],
  [/\/grants$/, () => ({ amount: '10', currency: 'USD', reason: 'matrix' })],
  [/\/grants\/\{grantId\}\/void$/, () => ({})],
  [/\/invoices\/\{invoiceId\}\/\w+$/, () => ({ rev: 1, reason: 'matrix' })],
  [/\/exports$/, () => ({ kind: 'invoices', from: '2026-01-01T00:00:00Z', to: new Date().toISOString() })],
  [/\/entitlements\/check$/, () => ({ meter: 'workflow_runs', amount: '1' })],
  [/\/workflows\/\w+$/, () => ({ runId: 'matrix' })],
  [/^\/v1\/plans$/, () => ({ planId: 'matrix', ...PLAN_OF_NOBODY })],
  [/^\/v1\/plans\/\{planId\}$/, () => PLAN_OF_NOBODY],
  [
    /^\/v1\/meters(?:\/\{meterId\})?$/,
    () => ({
      meterId: 'active_users',
      version: 2,
      validFrom: '2099-01-01T00:00:00Z',
      aggregation: 'unique_count',
      field: 'resource',
      scale: 0,
      unit: 'person',
      dimensions: [],
      filters: {},
      carryOver: false,
      stalenessSeconds: null,
    }),
  ],
]

function bodyFor(route: Route, tenant: string): unknown {
  if (!['POST', 'PUT', 'PATCH'].includes(route.method)) return undefined
  const ofPeople = PEOPLE_BODIES.find(([path]) => path.test(route.path))
  if (ofPeople !== undefined) return ofPeople[1]
  const ofBilling = BILLING_BODIES.find(([path]) => path.test(route.path))
  if (ofBilling !== undefined) return ofBilling[1](tenant)
  if (route.path === '/v1/tenants/{tenantId}') return { displayName: 'Matrix' }
  if (route.path.endsWith('/tier-change')) {
    return { toTier: tenant === 'initech' ? 'basic' : 'standard', effective: 'now' }
  }
  if (/\/(?:suspend|offboard|export|approvals)$/.test(route.path)) return { mode: 'Matrix' }
  if (/\/(?:resume|cancel|reconcile|retry|redrive)$/.test(route.path)) return {}
  if (route.path.endsWith('/legal-hold')) return { reference: 'MATRIX-1' }
  if (route.path.endsWith('/clients')) return { scopes: ['tenant:read'] }
  if (route.path === '/v1/api-keys/verify') return { key: 'dak_none' }
  if (route.path.endsWith('/secrets')) return { overlapSeconds: 0 }
  if (route.path.endsWith('/{clientId}')) return { name: 'Matrix' }
  if (route.path.endsWith('/api-keys')) return { scopes: ['tenant:read'] }
  if (/^\/oauth2\/(?:introspect|revoke)$/.test(route.path)) return undefined
  if (route.path.endsWith('/domains/{domainId}/verify')) return undefined
  if (route.path.endsWith('/domains')) return { domain: 'acme.example' }
  if (route.path.endsWith('/auth-policy')) return { requireDpop: false }
  if (route.path.endsWith('/connections')) return { issuer: 'https://idp.example', clientId: 'us' }
  if (route.path.endsWith('/connections/{connectionId}')) return { status: 'disabled' }
  if (route.path.endsWith('/backchannel-logout')) return undefined
  if (route.path.endsWith('/bindings')) {
    return { cluster: 'energent-shared', serviceAccount: 'matrix', scopes: ['tenant:read'] }
  }
  if (route.path === '/v1/tenants') {
    const fixed = {
      displayName: 'Matrix',
      tier: 'basic',
      deploymentModel: 'multi_tenant',
      region: 'us-central1',
    }
    return { tenantId: tenant === 'there-is-none' ? 'matrix-made' : tenant, ...fixed }
  }
  if (route.path === '/v1/usage/void') {
    return { tenantId: tenant, reason: 'matrix', events: [{ source: '//matrix.example', id: 'matrix-2' }] }
  }
  if (route.path === '/v1/usage/backfill') return { reason: 'matrix', events: [anEventOf(tenant)] }
  return anEventOf(tenant)
}

function anEventOf(tenant: string) {
  return {
    specversion: '1.0',
    id: 'matrix-1',
    source: '//matrix.example',
    type: 'ai.energent.usage.workflow_runs.v1',
    subject: `tenants/${tenant}`,
    time: new Date(Date.now() - 60_000).toISOString(),
    data: { value: '1' },
  }
}

/** What a caller can compare: all but the request's own id and the moment. */
function plain(answer: { status: number; headers: Headers; body: Record<string, unknown> }) {
  const { requestId: _id, ...body } = answer.body
  const changing =
    /^(?:date|x-request-id|traceparent|x-cloud-trace-context|content-length|connection|keep-alive)$/
  return {
    status: answer.status,
    body,
    headers: [...answer.headers].filter(([name]) => !changing.test(name)),
  }
}

/** Says what tenant-events will say once it can suspend: auth hears it like any other fact. */
async function suspend(stack: TestStack, tenant: string): Promise<void> {
  const { project, pubsubHost } = stack.info()
  const tenantId = tenant as TenantId
  const nowMs = stack.parts().now()
  const event = newEvent({
    id: `${tenant}.900.1`,
    source: '//energent.ai/tenant-events',
    type: tenantFactType('suspended'),
    tenantId,
    nowMs,
    sequence: 900n,
    data: {
      tenantId,
      state: 'SUSPENDED',
      tier: 'basic',
      deploymentModel: 'multi_tenant',
      cluster: 'energent-shared',
      namespace: `tenant-${tenant}`,
      revision: 900,
      at: new Date(nowMs).toISOString(),
    },
  })
  const row = outboxRow({ topic: 'tenant-facts', event }, tenantId, 0, nowMs)
  const client = new PubSub({ projectId: project, apiEndpoint: pubsubHost, emulatorMode: true })
  await client
    .topic('tenant-facts')
    .publishMessage({ data: Buffer.from(row.body), attributes: { ...row.attributes } })
  await client.close()
}
