import {
  deadLetters,
  json,
  managed,
  maybeJson,
  ofTenant,
  open,
  operatorsTenants,
  type Route,
  scheduled,
  secured,
} from '../route-forms.ts'

/** What energent-tenants-api answers. */
export const LIFECYCLE_ROUTES = {
  createTenant: { ...secured('POST', '/v1/tenants', 'tenants-api', 'platform:tenants'), ...json },
  listTenants: secured('GET', '/v1/tenants', 'tenants-api', 'platform:read'),
  getTenant: ofTenant('/v1/tenants/{tenantId}'),
  changeTenant: { ...managed('PATCH', '/v1/tenants/{tenantId}'), ...json },
  changeTier: { ...managed('POST', '/v1/tenants/{tenantId}/tier-change'), ...json },
  suspendTenant: { ...operatorsTenants('POST', '/v1/tenants/{tenantId}/suspend'), ...json },
  resumeTenant: { ...operatorsTenants('POST', '/v1/tenants/{tenantId}/resume'), ...maybeJson },
  // Of the tenant's own people only an owner: whether somebody is one, the handler asks.
  offboardTenant: { ...managed('POST', '/v1/tenants/{tenantId}/offboard'), ...json },
  cancelOffboarding: { ...managed('POST', '/v1/tenants/{tenantId}/offboard/cancel'), ...maybeJson },
  exportTenant: { ...managed('POST', '/v1/tenants/{tenantId}/export'), ...json },
  approvePurge: {
    ...secured(
      'POST',
      '/v1/tenants/{tenantId}/purge/approvals',
      'tenants-api',
      'platform:purge',
      'platform:purge',
    ),
    ...json,
  },
  setLegalHold: { ...operatorsTenants('PUT', '/v1/tenants/{tenantId}/legal-hold'), ...json },
  endLegalHold: operatorsTenants('DELETE', '/v1/tenants/{tenantId}/legal-hold'),
  reconcileTenant: { ...operatorsTenants('POST', '/v1/tenants/{tenantId}/reconcile'), ...maybeJson },
  listOperations: ofTenant('/v1/tenants/{tenantId}/operations'),
  getOperation: ofTenant('/v1/tenants/{tenantId}/operations/{operationId}'),
  retryOperation: {
    ...operatorsTenants('POST', '/v1/tenants/{tenantId}/operations/{operationId}/retry'),
    ...maybeJson,
  },
  getTimeline: ofTenant('/v1/tenants/{tenantId}/timeline'),
  getDeletionCertificate: secured(
    'GET',
    '/v1/tenants/{tenantId}/deletion-certificate',
    'tenants-api',
    'platform:read',
    'platform:read',
  ),
  // For whoever was given a certificate or an archive, customer or not: nobody needs to ask us for more.
  getEvidenceKeys: open('GET', '/v1/evidence-keys', 'tenants-api'),
  listDeadLetters: deadLetters('GET', '/v1/dead-letters'),
  getDeadLetter: deadLetters('GET', '/v1/dead-letters/{deadLetterId}'),
  redriveDeadLetter: { ...deadLetters('POST', '/v1/dead-letters/{deadLetterId}/redrive'), ...maybeJson },
  discardDeadLetter: deadLetters('DELETE', '/v1/dead-letters/{deadLetterId}'),
  getTenantsHealth: open('GET', '/health/tenants', 'tenants-api'),
  getTenantsMetrics: secured('GET', '/metrics/tenants', 'tenants-api', 'platform:read'),
  runLifecycleSweep: scheduled('/internal/sweep/run', 'tenants-api'),
  runLifecycleTimers: scheduled('/internal/timers/run', 'tenants-api'),
} as const satisfies Record<string, Route>
