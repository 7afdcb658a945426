/**
 * Every public error code with its HTTP status and title (RFC 9457).
 *
 * A code never changes its meaning and is never removed; `docs/errors.md` explains each.
 */
export const REFUSALS = {
  'request.malformed': { status: 400, title: 'The request does not match its contract' },
  'request.too_large': { status: 413, title: 'The request is larger than this route accepts' },
  'request.headers_too_large': { status: 431, title: 'The headers are larger than accepted' },
  'request.timeout': { status: 408, title: 'The request did not arrive in time' },
  'request.unsupported_media_type': { status: 415, title: 'This media type or encoding is not accepted' },
  'request.not_found': { status: 404, title: 'There is no such route' },
  'resource.not_found': { status: 404, title: 'There is no such resource' },
  'request.method_not_allowed': { status: 405, title: 'This resource does not answer that method' },
  'request.idempotency_mismatch': {
    status: 422,
    title: 'This Idempotency-Key was used with another request body',
  },
  'request.precondition_failed': { status: 412, title: 'The resource has changed since it was read' },
  'caller.untrusted': { status: 401, title: 'The call did not come through the gateway' },
  'token.invalid': { status: 401, title: 'The access token is missing, malformed, expired or revoked' },
  'token.insufficient_scope': { status: 403, title: 'The access token lacks the scope of this route' },
  'client.invalid': { status: 401, title: 'The client could not be authenticated' },
  'client.unauthorized': { status: 400, title: 'The client may not do this' },
  'grant.invalid': { status: 400, title: 'The grant is invalid' },
  'grant.unsupported': { status: 400, title: 'This grant type is not supported' },
  'scope.invalid': { status: 400, title: 'A requested scope is unknown or not allowed' },
  'target.invalid': { status: 400, title: 'The requested audience is unknown' },
  'client.limit_reached': { status: 409, title: 'The tier allows no more clients' },
  'event.malformed': { status: 400, title: 'The event does not match its contract' },
  'event.unknown_type': { status: 400, title: 'This event type is not allowed on this subscription' },
  'event.tenant_mismatch': { status: 400, title: 'The event names more than one tenant' },
  'event.id_reused': { status: 409, title: 'An event with this id and other content was already taken' },
  'tenant.id_taken': { status: 409, title: 'This tenant id is taken or reserved' },
  'tenant.state_conflict': { status: 409, title: 'The tenant is not in a state that allows this' },
  'tenant.revision_conflict': { status: 409, title: 'The tenant has changed since it was read' },
  'plan.tier_mismatch': { status: 409, title: 'The plan belongs to another tier' },
  'usage.conflict': { status: 409, title: 'The same event id was sent with other content' },
  'usage.range_invalid': { status: 422, title: 'The time range of the usage query is not accepted' },
  'usage.collector_only': { status: 403, title: 'Only a collector of the platform may report this' },
  'invoice.out_of_range': { status: 422, title: 'The amount is larger than an invoice can state' },
  'cluster.refused': { status: 422, title: 'The cluster refused an object for good' },
  'overload.shed': { status: 503, title: 'The service is overloaded; try again later' },
  'rate.limited': { status: 429, title: 'Too many requests; try again later' },
  'service.unavailable': { status: 503, title: 'A dependency is not available; try again later' },
  'internal.error': { status: 500, title: 'Something failed on our side' },
} as const satisfies Record<string, { status: number; title: string }>

export type RefusalCode = keyof typeof REFUSALS
