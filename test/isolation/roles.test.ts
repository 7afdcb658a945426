import { describe, expect, test } from 'vitest'
import { type OperationId, ROUTES, type Route } from '#shared/catalogue/routes.ts'
import { PLATFORM_ROLES, TENANT_ROLE_NAMES, TENANT_ROLES, type TenantRole } from '#shared/catalogue/scopes.ts'
import { TENANT_STATES, type TenantState } from '#shared/contracts/events/tenant-fact.ts'
import { authorize } from '#shared/http/authorize.ts'
import { PLATFORM_TENANT, type TenantId } from '#shared/ids.ts'
import { prove, type VerifiedToken } from '#shared/tenancy/proofs.ts'
import { scopesAllowed } from '#shared/tokens/tenant-access.ts'
import { checkOwner } from '../../functions/tenant-events/http/authority.ts'

/**
 * Who gets through to every route that takes a token: the roles of its own tenant, and of operators on a
 * tenant that is not theirs. Written down by hand, so that a scope that moves is seen here.
 */
const TABLE: readonly { readonly own: string; readonly operators: string; readonly routes: string }[] = [
  {
    own: 'everybody',
    operators: 'admin support finance',
    routes:
      'getUsageJob getUsage listUsageEvents listUsageConflicts getEntitlements checkEntitlement getTenant listOperations getOperation getTimeline',
  },
  {
    own: 'everybody',
    operators: 'all',
    routes: 'acceptInvitation',
  },
  {
    own: 'owner admin developer',
    operators: 'admin',
    routes: 'createApiKey listApiKeys deleteApiKey',
  },
  {
    own: 'owner admin developer',
    operators: 'none',
    routes: 'recordUsage acquireWorkflow renewWorkflow releaseWorkflow',
  },
  {
    own: 'owner admin billing',
    operators: 'admin finance',
    routes: 'createExport',
  },
  {
    own: 'owner admin billing',
    operators: 'admin support finance',
    routes: 'getUpcomingInvoice listInvoices getInvoice explainInvoiceLine getExport listGrants',
  },
  {
    own: 'owner admin',
    operators: 'admin',
    routes:
      'createClient listClients getClient updateClient deleteClient rotateClientSecret deleteClientSecret listBindings createBinding deleteBinding createInvitation listInvitations getInvitation withdrawInvitation createConnection listConnections getConnection changeConnection deleteConnection getAuthPolicy setAuthPolicy createDomain listDomains verifyDomain changeTenant changeTier exportTenant',
  },
  {
    own: 'owner admin',
    operators: 'admin security',
    routes:
      'listSessions endSessions endSession listUserSessions endUserSessions endUserSession listAuditEvents',
  },
  {
    own: 'owner admin',
    operators: 'none',
    routes:
      'verifyApiKey listUsers getUser changeUser deleteUser setUserRoles listRoles createRole getRole changeRole deleteRole getRevocations',
  },
  {
    own: 'owner billing',
    operators: 'admin finance',
    routes: 'changeSubscription',
  },
  {
    own: 'owner billing',
    operators: 'admin support finance',
    routes: 'getSubscription previewSubscription',
  },
  {
    own: 'owner',
    operators: 'admin',
    routes: 'offboardTenant cancelOffboarding',
  },
  {
    own: 'nobody',
    operators: 'admin',
    routes:
      'createTenant suspendTenant resumeTenant approvePurge setLegalHold endLegalHold reconcileTenant retryOperation',
  },
  {
    own: 'nobody',
    operators: 'admin finance',
    routes:
      'backfillUsage voidUsage finalizeInvoice voidInvoice rebillInvoice getRevenueReport createGrant voidGrant listPlans createPlan getPlan putPlan retirePlan listPlanVersions getPlanVersion listMeters createMeter getMeter putMeter listMeterVersions getMeterVersion',
  },
  {
    own: 'nobody',
    operators: 'admin support',
    routes: 'listDeadLetters getDeadLetter redriveDeadLetter discardDeadLetter',
  },
  {
    own: 'nobody',
    operators: 'admin support finance',
    routes: 'getMetrics getBillingMetrics listTenants getDeletionCertificate getTenantsMetrics',
  },
]

const NOW_MS = 0
const ACME = 'acme' as TenantId
const routes = Object.entries(ROUTES as Record<OperationId, Route>).filter(
  ([, { security }]) => security === 'token',
) as [OperationId, Route][]

function token(tenant: TenantId, scopes: readonly string[], role: string): VerifiedToken {
  return prove.token({
    ...{ tenant, tier: 'enterprise', subject: 'usr_1', clientId: 'cid_1', tokenId: 'j1' },
    ...{ scopes: new Set(scopes), roles: [role], issuedAt: 0, expiresAt: 3_600 },
  })
}

/** What the edge decides, and the one handler that asks for a role besides. */
function opens(id: OperationId, route: Route, by: VerifiedToken, tenant: TenantId = ACME): boolean {
  const inPath = route.path.includes('{tenantId}') ? tenant : undefined
  if (!authorize(route, by, inPath, NOW_MS).ok) return false
  return !['offboardTenant', 'cancelOffboarding'].includes(id) || checkOwner({ token: by }).ok
}

function ofRole(role: TenantRole, state: TenantState = 'ACTIVE'): VerifiedToken {
  return token(ACME, scopesAllowed(state, [role], TENANT_ROLES[role]), role)
}

describe.each(routes)('%s', (id, route) => {
  const row = TABLE.find(({ routes: ids }) => ids.split(' ').includes(id))

  test('stands in the table once', () => {
    expect(TABLE.filter(({ routes: ids }) => ids.split(' ').includes(id))).toHaveLength(1)
  })

  test('is open to the roles of its tenant that the table names, and to no other', () => {
    const open = TENANT_ROLE_NAMES.filter((role) => opens(id, route, ofRole(role)))
    const named = open.length === TENANT_ROLE_NAMES.length ? 'everybody' : open.join(' ') || 'nobody'
    expect(named).toBe(row?.own)
  })

  test('is open to the operators that the table names, and to no other', () => {
    const open = Object.entries(PLATFORM_ROLES).filter(([role, scopes]) =>
      opens(id, route, token(PLATFORM_TENANT, scopes, role)),
    )
    const names = open.map(([role]) => role.replace('platform_', ''))
    expect(names.length === 4 ? 'all' : names.join(' ') || 'none').toBe(row?.operators)
  })

  test('of another tenant is closed to every role, whatever scopes it holds', () => {
    if (!route.path.includes('{tenantId}')) return
    const everything = [...TENANT_ROLES.owner, ...(PLATFORM_ROLES['platform_admin'] ?? [])]
    for (const role of TENANT_ROLE_NAMES) {
      for (const scopes of [TENANT_ROLES[role], everything]) {
        expect(opens(id, route, token(ACME, scopes, role), 'globex' as TenantId)).toBe(false)
      }
    }
  })
})

describe('in a tenant that is', () => {
  const openIn = (state: TenantState, role: TenantRole) =>
    routes
      .filter(([id, route]) => route.scope !== undefined && opens(id, route, ofRole(role, state)))
      .map(([id]) => id)
      .sort()
  const LOOKING = 'getTenant listOperations getOperation getTimeline listAuditEvents'
  const INVOICES =
    'getUpcomingInvoice listInvoices getInvoice explainInvoiceLine createExport getExport listGrants'
  const PAYING = 'getSubscription changeSubscription previewSubscription'
  const LEAVING = 'changeTenant changeTier exportTenant'
  const words = (...texts: string[]) => texts.flatMap((text) => text.split(' ')).sort()

  test.each(['SUSPENDING', 'SUSPENDED', 'RESUMING'] as const)(
    '%s owners look, and pay; admins look; nobody else does anything',
    (state) => {
      expect(openIn(state, 'owner')).toEqual(words(LOOKING, INVOICES, PAYING))
      expect(openIn(state, 'admin')).toEqual(words(LOOKING, INVOICES))
      for (const role of ['billing', 'developer', 'viewer'] as const) expect(openIn(state, role)).toEqual([])
    },
  )

  // A tier and a name are refused behind the route, by the state.
  test.each(['OFFBOARDING', 'GRACE'] as const)('%s owners can also come back', (state) => {
    expect(openIn(state, 'owner')).toEqual(
      words(LOOKING, INVOICES, PAYING, LEAVING, 'offboardTenant cancelOffboarding'),
    )
    expect(openIn(state, 'admin')).toEqual(words(LOOKING, INVOICES, LEAVING))
    for (const role of ['billing', 'developer', 'viewer'] as const) expect(openIn(state, role)).toEqual([])
  })

  const CLOSED = TENANT_STATES.filter((state) => /REQUESTED|PROVISION|REJECTED|PURG/.test(state))
  test.each(CLOSED)('%s nobody does anything', (state) => {
    for (const role of TENANT_ROLE_NAMES) expect(openIn(state, role)).toEqual([])
  })
})
