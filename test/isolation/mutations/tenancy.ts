// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is searched for is source text
import { FRESH, IDS, type Mutation, mutationsOf, PROOFS, STORE } from './mutation.ts'

/** Contexts, proofs, operators, authorization and the ids that paths are made of. */
export const TENANCY: readonly Mutation[] = [
  ...mutationsOf(
    'shared/tenancy/context.ts',
    [PROOFS, STORE],
    [
      [
        'the brand of a context',
        "return typeof value === 'object' && value !== null && #proven in value",
        "return typeof value === 'object' && value !== null && 'tenantId' in value",
      ],
      ['the ban on subclasses of a context', 'if (new.target !== TenantContext)', 'if (false)'],
      ['the freezing of a context', 'Object.freeze(this)', ''],
      [
        'the need for a proof',
        "throw new TypeError('a tenant context needs a proof')",
        "this.tenantId = (proof as VerifiedEvent).tenantId\n      this.actor = '' as Actor",
      ],
      [
        'the end of an operator’s right',
        'OperatorGrant.is(proof) ? proof.expiresAtMs : undefined',
        'undefined',
      ],
      [
        'the tenant of the token',
        'this.tenantId = proof.claims.tenant',
        "this.tenantId = proof.claims.subject.split('_')[1] as TenantId",
      ],
    ],
  ),
  ...mutationsOf(
    'shared/tenancy/proofs.ts',
    [PROOFS],
    [
      ['the key to a token', 'if (key !== KEY || new.target !== VerifiedToken) {', 'if (false) {'],
      [
        'the key to an event',
        'if (key !== KEY || new.target !== VerifiedEvent) {',
        'if (new.target !== VerifiedEvent) {',
      ],
      [
        'the key to a grant',
        'if (key !== KEY || new.target !== OperatorGrant) {',
        'if (new.target !== OperatorGrant) {',
      ],
      [
        'the freezing of claims',
        'this.claims = Object.freeze({ ...claims, scopes, roles: Object.freeze([...claims.roles]), signIn })',
        'this.claims = { ...claims, scopes, roles: [...claims.roles], signIn }',
      ],
      ['the copy of the scopes', 'const scopes = frozenSet(claims.scopes)', 'const scopes = claims.scopes'],
      [
        'the closing of the scopes',
        '{ add: refuse, delete: refuse, clear: refuse }',
        '{ delete: refuse, clear: refuse }',
      ],
    ],
  ),
  ...mutationsOf(
    'shared/tenancy/operator.ts',
    [PROOFS],
    [
      [
        'the operators’ own tenant',
        'token.claims.tenant !== PLATFORM_TENANT || !token.claims.scopes.has(scope)',
        '!token.claims.scopes.has(scope)',
      ],
      [
        'the operator’s scope',
        'token.claims.tenant !== PLATFORM_TENANT || !token.claims.scopes.has(scope)',
        'token.claims.tenant !== PLATFORM_TENANT',
      ],
      [
        'the hour',
        'Math.min(nowMs + GRANT_MS, token.claims.expiresAt * 1000)',
        'token.claims.expiresAt * 1000',
      ],
      [
        'the life of the token',
        'Math.min(nowMs + GRANT_MS, token.claims.expiresAt * 1000)',
        'nowMs + GRANT_MS',
      ],
    ],
  ),
  ...mutationsOf(
    'shared/http/authorize.ts',
    [PROOFS],
    [
      [
        'the parsing of the path’s tenant',
        'if (!tenantId.ok) return tenantId',
        'if (!tenantId.ok) return ok(new TenantContext(token))',
      ],
      ['the comparison of the two tenants', 'if (tenantId.value !== claims.tenant) {', 'if (false) {'],
      [
        'the wall where no operator may pass',
        "if (route.operatorScope === undefined) return refuse('resource.not_found', 'foreign tenant')",
        'if (route.operatorScope === undefined) return ok(new TenantContext(token))',
      ],
      [
        'the scope',
        'if (route.scope !== undefined && !isOwn && !claims.scopes.has(route.scope)) {',
        'if (false) {',
      ],
      ['the sign-in of who needs no scope', 'claims.signIn !== undefined', 'true', [FRESH]],
      ['the user who needs no scope', 'pathUser === claims.subject', 'true', [FRESH]],
      ['the route where none is needed', 'route.ownUser === true', 'true', [FRESH]],
      [
        'the operators’ tenant of an operator’s scope',
        'if (route.scope !== undefined && isPlatformScope(route.scope) && claims.tenant !== PLATFORM_TENANT) {',
        'if (false) {',
      ],
      [
        'the 404 of what is foreign',
        "return refuse('resource.not_found', 'foreign tenant')",
        "return refuse('token.insufficient_scope', 'foreign tenant')",
      ],
    ],
  ),
  ...mutationsOf(
    'shared/http/fresh-sign-in.ts',
    [FRESH],
    [
      ['the age of a sign-in', 'ageSeconds <= maxAgeSeconds)', 'true)'],
      ['the sign-in of the future', 'ageSeconds >= -TOKEN_SKEW_SECONDS && ', ''],
      ['the sign-in of nobody', 'claims.signIn?.authTime ?? 0', 'claims.signIn?.authTime ?? nowMs / 1000'],
    ],
  ),
  ...mutationsOf(
    'shared/ids.ts',
    [IDS, 'test/shared/ids.test.ts'],
    [
      [
        'the form of a tenant id',
        "if (typeof value === 'string' && TENANT_ID.test(value))",
        "if (typeof value === 'string')",
      ],
      [
        'the end of a tenant id',
        '/^[a-z][a-z0-9-]{1,38}[a-z0-9]$/\nconst',
        '/^[a-z][a-z0-9-]{1,38}[a-z0-9]/\nconst',
      ],
      [
        'the form of a document id',
        "return typeof value === 'string' && DOCUMENT_ID.test(value)",
        "return typeof value === 'string'",
      ],
      ['the length of a document id', '[A-Za-z0-9_-]{0,127}$/', '[A-Za-z0-9_-]*$/'],
      [
        'the first character of a document id',
        '/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/',
        '/^[A-Za-z0-9_-]{1,128}$/',
      ],
      ['the ban on NUL in parts of an id', "if (parts.some((part) => part.includes('\\0')))", 'if (false)'],
    ],
  ),
]
