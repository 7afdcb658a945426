import { JSON_TYPE, json, KIB, open, type Route, scheduled, secured } from '../route-forms.ts'

/** What energent-tenants-api answers. */
export const LIFECYCLE_ROUTES = {
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
  runLifecycleSweep: scheduled('/internal/sweep/run', 'tenants-api'),
} as const satisfies Record<string, Route>
