// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is searched for is source text
import { EDGE, EVENTS, FUZZ, IDS, MARKS, type Mutation, mutationsOf, TOKENS, VIEW } from './mutation.ts'

const CLAIM_CHECKS = [
  ['iss', 'claims.value.iss !== config.CALLER_ISSUER'],
  ['aud', 'claims.value.aud !== config.FUNCTION_URI'],
  ['exp', 'claims.value.exp * 1000 <= clock.now()'],
] as const

/** Tokens, callers and events: where a tenant is proven. */
export const EDGES: readonly Mutation[] = [
  ...mutationsOf(
    'shared/pubsub/verify-event.ts',
    [EVENTS],
    [
      [
        'the form of the subject',
        "event.subject.startsWith('tenants/') ? event.subject.slice(8) : undefined",
        'event.subject.slice(8)',
        [IDS],
      ],
      [
        'the parsing of the tenant',
        "if (!tenantId.ok) return refuse('event.malformed', 'subject is not tenants/{tenantId}')",
        "if (!tenantId.ok) return refuse('internal.error', '')",
      ],
      ['the extension', '[event.tenantid, asRecord', '[asRecord'],
      ['the tenant in the data', "asRecord(event.data)?.['tenantId'], ", ''],
      ['the attribute', ", attributes['tenantid']]", ']'],
      [
        'the refusal of a disagreement',
        "if (other !== undefined) return refuse('event.tenant_mismatch'",
        "if (false) return refuse('event.tenant_mismatch'",
      ],
      [
        'the attribute of the content type',
        'if (contentType !== undefined && !CONTENT_TYPES.has(contentType)) {',
        'if (false) {',
      ],
      [
        'the attribute of the type',
        "if (attributes['type'] !== undefined && attributes['type'] !== event.type) {",
        'if (false) {',
      ],
    ],
  ),
  ...mutationsOf(
    'shared/tokens/strict-jwt.ts',
    [TOKENS, FUZZ],
    [
      ['the length', 'if (token.length > options.maxBytes)', 'if (false)'],
      ['the canonical base64url', '![headerSegment, payloadSegment, signature].every(isCanonical)', 'false'],
      [
        'the exact JSON',
        "const exact = Buffer.from(JSON.stringify(value), 'utf8').equals(bytes)",
        'const exact = true',
      ],
      ['the ban on prototypes', 'exact && checkJson(value).ok', 'exact', [FUZZ]],
      ['the ban on other header members', 'return extra === undefined ? parts', 'return true ? parts'],
    ],
  ),
  ...mutationsOf(
    'shared/tokens/verify-access-token.ts',
    [TOKENS, FUZZ],
    [
      [
        'the gateway’s copy',
        'if (userInfo !== undefined && userInfo !== parts.value.payloadSegment) {',
        'if (false) {',
      ],
      [
        'the signature',
        "return refuse('token.invalid', error instanceof Error ? error.message : 'not verified')",
        'return ok(parts.payload as JWTPayload)',
      ],
      [
        'the unknown key',
        "if (key === undefined) return refuse('token.invalid', 'unknown key')",
        'if (key === undefined) return ok(parts.payload as JWTPayload)',
      ],
      ['the type', "typ: 'at+jwt',", ''],
      ['the issuer', 'issuer: deps.issuer,', ''],
      ['the audience', 'audience: deps.audience,', ''],
      ['the expiry', 'currentDate: new Date(deps.clock.now()),', 'currentDate: new Date(0),'],
      ['the time of issue', 'if (claims.iat > nowSeconds + TOKEN_SKEW_SECONDS)', 'if (false)'],
      ['the longest life', 'if (lifeSeconds > LONGEST_TOKEN_LIFE_SECONDS)', 'if (false)'],
      ['the end before the beginning', 'if (lifeSeconds <= 0)', 'if (false)'],
      [
        'the purpose of keys',
        "asRecord(published)?.['purpose'] === PURPOSE_OF_FACTS",
        'published === undefined',
      ],
      [
        'the parsing of the tenant',
        "if (!tenant.ok) return refuse('token.invalid', 'no tenant')",
        "if (!tenant.ok) return refuse('internal.error', '')",
      ],
      [
        'the unknown tenant',
        "if (state === undefined) return refuse('token.invalid', 'unknown tenant')",
        "if (state === undefined) return refuse('internal.error', '')",
      ],
      ['the watermark', 'if (claims.iat <= state.notBefore)', 'if (false)'],
      [
        'the watermark’s own second',
        'if (claims.iat <= state.notBefore)',
        'if (claims.iat < state.notBefore)',
      ],
      ['what was revoked', 'if (revoked !== undefined) return', 'if (false) return'],
      ['the session', 'sid: claims.sid, clientId', 'sid: undefined, clientId'],
      ['the actors', '[claims.sub, act?.sub, act?.act?.sub, act?.act?.act?.sub]', '[claims.sub]'],
      ['the policy version', 'if (claims.ver < state.version)', 'if (false)'],
      ['the state of the tenant', 'scopes: new Set(scopes),', "scopes: new Set(claims.scope.split(' ')),"],
      ['the tenant without any scope left', "if (scopes.length === 0 && claims.scope !== '')", 'if (false)'],
      ['the bound token', 'if (boundTo === proven) return ok(undefined)', 'return ok(undefined)'],
      ['the kind of the audience', 'aud: z.string(),', 'aud: z.unknown(),'],
    ],
  ),
  ...mutationsOf(
    'shared/tokens/revocation-marks.ts',
    [MARKS],
    [
      [
        'the second of the watermark',
        "if (token.iat <= markOf(tenant, 'tenant', tenantId)) return 'tenant'",
        "if (token.iat < markOf(tenant, 'tenant', tenantId)) return 'tenant'",
      ],
      ['the single token', "if (tenant.marks.has(keyOf('token', token.jti))) return 'token'", ''],
      ['the compromised key', "if (ours.has(keyOf('signingKey', token.kid))) return 'signingKey'", ''],
      [
        'the later watermark',
        'marks.set(key, Math.max(marks.get(key) ?? 0, before))',
        'marks.set(key, before)',
      ],
      [
        'the tenant of an entry',
        'const tenant = tenantOf(entry.tenantId)\n',
        "const tenant = tenantOf('acme' as TenantId)\n",
      ],
      ['the watermarks of what is folded', "entry.kind === 'state' ? 0 : entry.before", '0'],
    ],
  ),
  ...mutationsOf(
    'shared/tokens/revocations.ts',
    [VIEW],
    [
      ['the window before the last read', 'page.readTimeMs - FEED_WINDOW_MS)', 'page.readTimeMs)'],
      ['the two seconds', 'if (age < VIEW_FRESH_MS) return fresh()', 'return fresh()'],
      ['the end of the last view', 'if (age > VIEW_LAST_MS) {', 'if (false) {'],
      [
        'the refusal to mint',
        "if (resting()) throw new DependencyFailed('the revocation feed cannot be read')\n      await inTime(refresh())\n    } else",
        'if (resting()) return marks\n      await refresh().catch(() => undefined)\n    } else',
      ],
      ['the reach of the first read', '(nowMs) => nowMs - FEED_REACH_MS', '(nowMs) => nowMs'],
    ],
  ),
  ...mutationsOf(
    'shared/tokens/tenant-access.ts',
    [TOKENS],
    [
      [
        'the roles of a restricted tenant',
        'if (!roles.some((role) => access.roles.includes(role))) return []',
        '',
      ],
      [
        'the scopes of a restricted tenant',
        'return scopes.filter((scope) => access.scopes.includes(scope))',
        'return scopes',
      ],
      [
        'the nothing of a tenant that is none',
        "if (access.kind === 'none') return []",
        "if (access.kind === 'none') return scopes",
      ],
      ['the purged', 'PURGED: NONE,', 'PURGED: ALL,'],
    ],
  ),
  ...mutationsOf(
    'shared/tokens/verify-caller.ts',
    [EDGE, FUZZ],
    [
      [
        'the ban on the other header',
        "if (header('x-serverless-authorization') !== undefined) {",
        'if (false) {',
      ],
      ['the mark of a verified token', 'signature !== REMOVED_SIGNATURE', 'false'],
      ['the three parts', 'rest.length > 0', 'false'],
      ['the verified address', 'email_verified: z.literal(true),', ''],
      ...CLAIM_CHECKS.map(
        ([claim, check]) => [`the caller’s ${claim}`, `if (${check})`, 'if (false)'] as const,
      ),
      ['the refusal of what does not verify', 'if (ABOUT_THE_TOKEN.has(code))', 'if (false)', [EDGE]],
      [
        'the single header',
        "request.headersDistinct[name]?.join(', ')",
        'request.headersDistinct[name]?.[0]',
      ],
    ],
  ),
]
