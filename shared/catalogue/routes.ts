import type { FunctionId } from './functions.ts'
import type { PlatformScope, Scope } from './scopes.ts'

/**
 * One HTTP operation.
 *
 * `security` says who may call: `public` needs no token at the gateway, `token` needs ours with
 * `scope`, `scheduler` is Cloud Scheduler alone and never stands in `api-spec.yaml`.
 * `operatorScope` is what lets an operator act on a tenant that is not their own. `ownUser` lets the
 * user of the path do to themselves what takes the scope with others.
 */
export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly function: FunctionId
  readonly security: 'public' | 'token' | 'scheduler'
  readonly scope?: Scope
  readonly operatorScope?: PlatformScope
  readonly ownUser?: true
  /** The largest body the route takes, in bytes. */
  readonly maxBodyBytes: number
  readonly accepts?: readonly string[]
  /** How long an answer may take, in milliseconds, where longer than usual; the gateway's own must be longer. */
  readonly deadlineMs?: number
}

const JSON_TYPE = ['application/json']
const FORM_TYPE = ['application/x-www-form-urlencoded']
const USAGE_TYPES = ['application/json', 'application/cloudevents+json', 'application/cloudevents-batch+json']
const KIB = 1024
const form = { maxBodyBytes: 16 * KIB, accepts: FORM_TYPE } as const
const json = { maxBodyBytes: 64 * KIB, accepts: JSON_TYPE } as const
/** A plan has prices in several currencies. */
const plan = { maxBodyBytes: 256 * KIB, accepts: JSON_TYPE } as const
/** A group may come with some thousand members. */
const scim = { maxBodyBytes: 256 * KIB, accepts: ['application/scim+json', 'application/json'] } as const

/** Every operation by its operationId: `api-spec.yaml` and the functions' routers are checked against it. */
export const ROUTES = {
  getAuthorizationServerMetadata: open('GET', '/.well-known/oauth-authorization-server', 'auth'),
  getOpenidConfiguration: open('GET', '/.well-known/openid-configuration', 'auth'),
  getJwks: open('GET', '/.well-known/jwks.json', 'auth'),
  createToken: { ...open('POST', '/oauth2/token', 'auth'), maxBodyBytes: 16 * KIB, accepts: FORM_TYPE },
  createClient: {
    ...secured('POST', '/v1/tenants/{tenantId}/clients', 'auth', 'clients:manage', 'platform:tenants'),
    maxBodyBytes: 64 * KIB,
    accepts: JSON_TYPE,
  },
  listClients: clients('GET', '/v1/tenants/{tenantId}/clients'),
  getClient: clients('GET', '/v1/tenants/{tenantId}/clients/{clientId}'),
  updateClient: { ...clients('PATCH', '/v1/tenants/{tenantId}/clients/{clientId}'), ...json },
  deleteClient: clients('DELETE', '/v1/tenants/{tenantId}/clients/{clientId}'),
  rotateClientSecret: { ...clients('POST', '/v1/tenants/{tenantId}/clients/{clientId}/secrets'), ...json },
  deleteClientSecret: clients('DELETE', '/v1/tenants/{tenantId}/clients/{clientId}/secrets/{secretId}'),
  introspectToken: { ...open('POST', '/oauth2/introspect', 'auth'), ...form },
  revokeToken: { ...open('POST', '/oauth2/revoke', 'auth'), ...form },
  createApiKey: { ...apiKeys('POST', '/v1/tenants/{tenantId}/api-keys'), ...json },
  listApiKeys: apiKeys('GET', '/v1/tenants/{tenantId}/api-keys'),
  deleteApiKey: apiKeys('DELETE', '/v1/tenants/{tenantId}/api-keys/{keyId}'),
  verifyApiKey: { ...secured('POST', '/v1/api-keys/verify', 'auth', 'introspect'), ...json },
  listBindings: bindings('GET', '/v1/tenants/{tenantId}/bindings'),
  createBinding: { ...bindings('POST', '/v1/tenants/{tenantId}/bindings'), ...json },
  deleteBinding: bindings('DELETE', '/v1/tenants/{tenantId}/bindings/{bindingId}'),
  listSessions: sessions('GET', '/v1/tenants/{tenantId}/sessions'),
  endSessions: sessions('DELETE', '/v1/tenants/{tenantId}/sessions'),
  endSession: sessions('DELETE', '/v1/tenants/{tenantId}/sessions/{sessionId}'),
  listUserSessions: { ...sessions('GET', '/v1/tenants/{tenantId}/users/{userId}/sessions'), ownUser: true },
  endUserSessions: { ...sessions('DELETE', '/v1/tenants/{tenantId}/users/{userId}/sessions'), ownUser: true },
  endUserSession: {
    ...sessions('DELETE', '/v1/tenants/{tenantId}/users/{userId}/sessions/{sessionId}'),
    ownUser: true,
  },
  listUsers: users('GET', '/v1/tenants/{tenantId}/users'),
  getUser: users('GET', '/v1/tenants/{tenantId}/users/{userId}'),
  changeUser: { ...users('PATCH', '/v1/tenants/{tenantId}/users/{userId}'), ...json },
  deleteUser: users('DELETE', '/v1/tenants/{tenantId}/users/{userId}'),
  setUserRoles: { ...users('PUT', '/v1/tenants/{tenantId}/users/{userId}/roles'), ...json },
  listRoles: users('GET', '/v1/tenants/{tenantId}/roles'),
  createRole: { ...users('POST', '/v1/tenants/{tenantId}/roles'), ...json },
  getRole: users('GET', '/v1/tenants/{tenantId}/roles/{roleName}'),
  changeRole: { ...users('PATCH', '/v1/tenants/{tenantId}/roles/{roleName}'), ...json },
  deleteRole: users('DELETE', '/v1/tenants/{tenantId}/roles/{roleName}'),
  createInvitation: { ...invitations('POST', '/v1/tenants/{tenantId}/invitations'), ...json },
  listInvitations: invitations('GET', '/v1/tenants/{tenantId}/invitations'),
  getInvitation: invitations('GET', '/v1/tenants/{tenantId}/invitations/{invitationId}'),
  withdrawInvitation: invitations('DELETE', '/v1/tenants/{tenantId}/invitations/{invitationId}'),
  // Whoever holds the invitation's token and is signed in: they have no role and so no scope yet.
  acceptInvitation: {
    method: 'POST',
    path: '/v1/invitations/accept',
    function: 'auth',
    security: 'token',
    ...json,
  },
  authorize: open('GET', '/oauth2/authorize', 'auth'),
  completeSignIn: open('GET', '/sso/{tenantId}/{connectionId}/callback', 'auth'),
  endProviderSession: {
    ...open('POST', '/sso/{tenantId}/{connectionId}/backchannel-logout', 'auth'),
    maxBodyBytes: 24 * KIB,
    accepts: FORM_TYPE,
  },
  createConnection: { ...signOn('POST', '/v1/tenants/{tenantId}/connections'), ...json },
  listConnections: signOn('GET', '/v1/tenants/{tenantId}/connections'),
  getConnection: signOn('GET', '/v1/tenants/{tenantId}/connections/{connectionId}'),
  changeConnection: { ...signOn('PATCH', '/v1/tenants/{tenantId}/connections/{connectionId}'), ...json },
  deleteConnection: signOn('DELETE', '/v1/tenants/{tenantId}/connections/{connectionId}'),
  getAuthPolicy: signOn('GET', '/v1/tenants/{tenantId}/auth-policy'),
  setAuthPolicy: { ...signOn('PUT', '/v1/tenants/{tenantId}/auth-policy'), ...json },
  createDomain: {
    ...signOn('POST', '/v1/tenants/{tenantId}/domains'),
    maxBodyBytes: 4 * KIB,
    accepts: JSON_TYPE,
  },
  listDomains: signOn('GET', '/v1/tenants/{tenantId}/domains'),
  verifyDomain: signOn('POST', '/v1/tenants/{tenantId}/domains/{domainId}/verify'),
  getRevocations: { ...secured('GET', '/v1/revocations', 'auth', 'revocations:read'), deadlineMs: 28_000 },
  scimServiceProviderConfig: open('GET', '/scim/v2/{tenantId}/ServiceProviderConfig', 'auth'),
  scimResourceTypes: open('GET', '/scim/v2/{tenantId}/ResourceTypes', 'auth'),
  scimResourceType: open('GET', '/scim/v2/{tenantId}/ResourceTypes/{typeName}', 'auth'),
  scimSchemas: open('GET', '/scim/v2/{tenantId}/Schemas', 'auth'),
  scimListUsers: open('GET', '/scim/v2/{tenantId}/Users', 'auth'),
  scimCreateUser: { ...open('POST', '/scim/v2/{tenantId}/Users', 'auth'), ...scim },
  scimGetUser: open('GET', '/scim/v2/{tenantId}/Users/{resourceId}', 'auth'),
  scimReplaceUser: { ...open('PUT', '/scim/v2/{tenantId}/Users/{resourceId}', 'auth'), ...scim },
  scimPatchUser: { ...open('PATCH', '/scim/v2/{tenantId}/Users/{resourceId}', 'auth'), ...scim },
  scimDeleteUser: open('DELETE', '/scim/v2/{tenantId}/Users/{resourceId}', 'auth'),
  scimListGroups: open('GET', '/scim/v2/{tenantId}/Groups', 'auth'),
  scimCreateGroup: { ...open('POST', '/scim/v2/{tenantId}/Groups', 'auth'), ...scim },
  scimGetGroup: open('GET', '/scim/v2/{tenantId}/Groups/{resourceId}', 'auth'),
  scimReplaceGroup: { ...open('PUT', '/scim/v2/{tenantId}/Groups/{resourceId}', 'auth'), ...scim },
  scimPatchGroup: { ...open('PATCH', '/scim/v2/{tenantId}/Groups/{resourceId}', 'auth'), ...scim },
  scimDeleteGroup: open('DELETE', '/scim/v2/{tenantId}/Groups/{resourceId}', 'auth'),
  listAuditEvents: secured(
    'GET',
    '/v1/tenants/{tenantId}/audit-events',
    'auth',
    'audit:read',
    'platform:security',
  ),
  getHealth: open('GET', '/health', 'auth'),
  getMetrics: secured('GET', '/metrics', 'auth', 'platform:read'),
  recordUsage: {
    ...secured('POST', '/v1/usage', 'billing-api', 'usage:write'),
    maxBodyBytes: 256 * KIB,
    accepts: USAGE_TYPES,
  },
  backfillUsage: {
    ...secured('POST', '/v1/usage/backfill', 'billing-api', 'platform:billing'),
    maxBodyBytes: 256 * KIB,
    accepts: JSON_TYPE,
  },
  voidUsage: {
    ...secured('POST', '/v1/usage/void', 'billing-api', 'platform:billing'),
    maxBodyBytes: 256 * KIB,
    accepts: JSON_TYPE,
  },
  getUsageJob: secured(
    'GET',
    '/v1/tenants/{tenantId}/usage/jobs/{jobId}',
    'billing-api',
    'usage:read',
    'platform:read',
  ),
  getUsage: secured('GET', '/v1/tenants/{tenantId}/usage', 'billing-api', 'usage:read', 'platform:read'),
  listUsageEvents: usage('GET', '/v1/tenants/{tenantId}/usage/events'),
  listUsageConflicts: usage('GET', '/v1/tenants/{tenantId}/usage/conflicts'),
  getUpcomingInvoice: secured(
    'GET',
    '/v1/tenants/{tenantId}/invoices/upcoming',
    'billing-api',
    'invoices:read',
    'platform:read',
  ),
  listInvoices: invoices('GET', '/v1/tenants/{tenantId}/invoices'),
  getInvoice: invoices('GET', '/v1/tenants/{tenantId}/invoices/{invoiceId}'),
  explainInvoiceLine: invoices('GET', '/v1/tenants/{tenantId}/invoices/{invoiceId}/lines/{lineId}/explain'),
  // What a tenant owes is not the tenant's to decide: these take an operator for billing.
  finalizeInvoice: {
    ...operatorsBilling('POST', '/v1/tenants/{tenantId}/invoices/{invoiceId}/finalize'),
    ...json,
  },
  voidInvoice: { ...operatorsBilling('POST', '/v1/tenants/{tenantId}/invoices/{invoiceId}/void'), ...json },
  rebillInvoice: {
    ...operatorsBilling('POST', '/v1/tenants/{tenantId}/invoices/{invoiceId}/rebill'),
    ...json,
  },
  createExport: {
    ...secured('POST', '/v1/tenants/{tenantId}/exports', 'billing-api', 'invoices:read', 'platform:billing'),
    ...json,
  },
  getExport: invoices('GET', '/v1/tenants/{tenantId}/exports/{exportId}'),
  getRevenueReport: secured('GET', '/v1/reports/revenue', 'billing-api', 'platform:billing'),
  getSubscription: billingOf('GET', '/v1/tenants/{tenantId}/subscription', 'billing:manage', 'platform:read'),
  changeSubscription: {
    ...billingOf('PUT', '/v1/tenants/{tenantId}/subscription', 'billing:manage', 'platform:billing'),
    ...json,
  },
  previewSubscription: {
    ...billingOf('POST', '/v1/tenants/{tenantId}/subscription/preview', 'billing:manage', 'platform:read'),
    ...json,
  },
  // Credit is money: no tenant gives it to itself.
  createGrant: {
    ...billingOf('POST', '/v1/tenants/{tenantId}/grants', 'platform:billing', 'platform:billing'),
    ...json,
  },
  listGrants: billingOf('GET', '/v1/tenants/{tenantId}/grants', 'invoices:read', 'platform:read'),
  voidGrant: {
    ...billingOf(
      'POST',
      '/v1/tenants/{tenantId}/grants/{grantId}/void',
      'platform:billing',
      'platform:billing',
    ),
    ...json,
  },
  getEntitlements: billingOf('GET', '/v1/tenants/{tenantId}/entitlements', 'usage:read', 'platform:read'),
  checkEntitlement: {
    ...billingOf('POST', '/v1/tenants/{tenantId}/entitlements/check', 'usage:read', 'platform:read'),
    ...json,
  },
  acquireWorkflow: {
    ...billingOf('POST', '/v1/tenants/{tenantId}/workflows/acquire', 'workflows:use'),
    ...json,
  },
  renewWorkflow: { ...billingOf('POST', '/v1/tenants/{tenantId}/workflows/renew', 'workflows:use'), ...json },
  releaseWorkflow: {
    ...billingOf('POST', '/v1/tenants/{tenantId}/workflows/release', 'workflows:use'),
    ...json,
  },
  listPlans: billingOf('GET', '/v1/plans', 'platform:billing'),
  createPlan: { ...billingOf('POST', '/v1/plans', 'platform:billing'), ...plan },
  getPlan: billingOf('GET', '/v1/plans/{planId}', 'platform:billing'),
  putPlan: { ...billingOf('PUT', '/v1/plans/{planId}', 'platform:billing'), ...plan },
  retirePlan: billingOf('DELETE', '/v1/plans/{planId}', 'platform:billing'),
  listPlanVersions: billingOf('GET', '/v1/plans/{planId}/versions', 'platform:billing'),
  getPlanVersion: billingOf('GET', '/v1/plans/{planId}/versions/{version}', 'platform:billing'),
  listMeters: billingOf('GET', '/v1/meters', 'platform:billing'),
  createMeter: { ...billingOf('POST', '/v1/meters', 'platform:billing'), ...json },
  getMeter: billingOf('GET', '/v1/meters/{meterId}', 'platform:billing'),
  putMeter: { ...billingOf('PUT', '/v1/meters/{meterId}', 'platform:billing'), ...json },
  listMeterVersions: billingOf('GET', '/v1/meters/{meterId}/versions', 'platform:billing'),
  getMeterVersion: billingOf('GET', '/v1/meters/{meterId}/versions/{version}', 'platform:billing'),
  getBillingHealth: open('GET', '/health/billing', 'billing-api'),
  getBillingMetrics: secured('GET', '/metrics/billing', 'billing-api', 'platform:read'),
  createTenant: {
    ...secured('POST', '/v1/tenants', 'tenants-api', 'platform:tenants'),
    maxBodyBytes: 64 * KIB,
    accepts: JSON_TYPE,
  },
  listTenants: secured('GET', '/v1/tenants', 'tenants-api', 'platform:read'),
  getTenant: secured('GET', '/v1/tenants/{tenantId}', 'tenants-api', 'tenant:read', 'platform:read'),
  changeTenant: {
    ...secured('PATCH', '/v1/tenants/{tenantId}', 'tenants-api', 'tenant:manage', 'platform:tenants'),
    ...json,
  },
  getOperation: secured(
    'GET',
    '/v1/tenants/{tenantId}/operations/{operationId}',
    'tenants-api',
    'tenant:read',
    'platform:read',
  ),
  getTenantsHealth: open('GET', '/health/tenants', 'tenants-api'),
  getTenantsMetrics: secured('GET', '/metrics/tenants', 'tenants-api', 'platform:read'),
  runAuthSweep: scheduled('/internal/sweep/run', 'auth'),
  runBillingSweep: scheduled('/internal/sweep/run', 'billing-api'),
  runBillingRollups: scheduled('/internal/rollups/run', 'billing-api'),
  runBillingClose: scheduled('/internal/close/run', 'billing-api'),
  runLifecycleSweep: scheduled('/internal/sweep/run', 'tenants-api'),
} as const satisfies Record<string, Route>

/**
 * The paths that pages call, for which browsers first ask whether they may (CORS): a tenant's resources.
 * Not the token endpoint, where a secret would have to lie in the page; not collectors' and operators' routes.
 */
export const CALLED_BY_PAGES = /^\/v1\/(?:tenants|invitations)(?:\/|$)/

export type OperationId = keyof typeof ROUTES

/** The operations one function answers. */
export type OperationsOf<F extends FunctionId> = {
  [Id in OperationId]: (typeof ROUTES)[Id]['function'] extends F ? Id : never
}[OperationId]

function open<F extends FunctionId>(method: Route['method'], path: string, owner: F) {
  return { method, path, function: owner, security: 'public', maxBodyBytes: 0 } as const
}

function bindings(method: Route['method'], path: string) {
  return secured(method, path, 'auth', 'clients:manage', 'platform:tenants')
}

function secured<F extends FunctionId>(
  method: Route['method'],
  path: string,
  owner: F,
  scope: Scope,
  operatorScope?: PlatformScope,
) {
  const route = { method, path, function: owner, security: 'token', scope, maxBodyBytes: 0 } as const
  return operatorScope === undefined ? route : { ...route, operatorScope }
}

/** How a tenant's people and clients sign in; operators set it up with them. */
function signOn(method: Route['method'], path: string) {
  return secured(method, path, 'auth', 'sso:manage', 'platform:tenants')
}

function billingOf<M extends Route['method']>(
  method: M,
  path: string,
  scope: Scope,
  operatorScope?: PlatformScope,
) {
  return { ...secured(method, path, 'billing-api', scope, operatorScope), method } as const
}

/** Who may see and end sessions may be told who is signed in: operators for security, not for support. */
function sessions<M extends 'GET' | 'DELETE'>(method: M, path: string) {
  return { ...secured(method, path, 'auth', 'sessions:manage', 'platform:security'), method } as const
}

function users(method: Route['method'], path: string) {
  return secured(method, path, 'auth', 'users:manage')
}

/** Operators invite a tenant's first owner: before that there is nobody who could. */
function invitations(method: Route['method'], path: string) {
  return secured(method, path, 'auth', 'users:manage', 'platform:tenants')
}

function invoices(method: Route['method'], path: string) {
  return secured(method, path, 'billing-api', 'invoices:read', 'platform:read')
}

function operatorsBilling(method: Route['method'], path: string) {
  return secured(method, path, 'billing-api', 'platform:billing', 'platform:billing')
}

function usage(method: Route['method'], path: string) {
  return secured(method, path, 'billing-api', 'usage:read', 'platform:read')
}

function clients<M extends Route['method']>(method: M, path: string) {
  return { ...secured(method, path, 'auth', 'clients:manage', 'platform:tenants'), method } as const
}

function apiKeys<M extends Route['method']>(method: M, path: string) {
  return { ...secured(method, path, 'auth', 'keys:manage', 'platform:tenants'), method } as const
}

function scheduled<F extends FunctionId>(path: string, owner: F) {
  return { method: 'POST', path, function: owner, security: 'scheduler', maxBodyBytes: 4 * KIB } as const
}
