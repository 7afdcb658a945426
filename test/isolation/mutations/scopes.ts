// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is searched for is source text
import {
  COMMITS,
  CREDENTIALS,
  FAULTS,
  IDS,
  type Mutation,
  mutationsOf,
  REVOKING,
  STATES,
  STORE,
} from './mutation.ts'

/** Paths, scopes, values and what reads around them. */
export const SCOPES: readonly Mutation[] = [
  ...mutationsOf(
    'shared/firestore/paths.ts',
    [STORE, FAULTS],
    [
      [
        'the owner of a tenant’s own document',
        "if (group !== 'lifecycle') throw new TypeError(`${group} may not touch the tenant's own document`)",
        '',
      ],
      ['the parity of a document’s path', 'if (path.length % 2 !== 0) throw', 'if (false) throw'],
      ['the parity of a collection’s path', 'if (path.length % 2 !== 1) throw', 'if (false) throw'],
      [
        'the list of system collections',
        'if (!SYSTEM_COLLECTIONS[group].includes(root)) throw',
        'if (false) throw',
      ],
      [
        'the id of a system document',
        "if (![...below, id].every(isDocumentId)) throw new TypeError('not a document id')\n",
        '',
        [IDS],
      ],
      [
        'the id of an audit entry',
        "if (!isDocumentId(id)) throw new TypeError('not a document id')\n  return `tenantAudit",
        'return `tenantAudit',
        [STORE, IDS],
      ],
      ['the prefix of the group', '!collection.startsWith(`${group}_`)', 'false'],
      [
        'the ids in a path',
        'const bad = path.find((segment) => !isDocumentId(segment))',
        'const bad = undefined',
      ],
    ],
  ),
  ...mutationsOf(
    'shared/firestore/scoped.ts',
    [STORE],
    [
      [
        'the tenant in a path',
        'tenantDocumentPath(tenantId, group, path)',
        "tenantDocumentPath('acme' as TenantId, group, path)",
      ],
      [
        'the secrecy of a write',
        "if (detail === undefined) throw new TypeError('not a write made by a scoped database')",
        "if (detail === undefined) return { path: 'tenants/acme/lifecycle_things/x', fields: {}, once: false, tenantId: 'acme' as TenantId }",
      ],
      ['the guard’s document', 'if (doc.id === id) return id', 'return id'],
      ['the path of what is read', 'if (snapshot.ref.path !== expectedPath)', 'if (false)', [CREDENTIALS]],
      [
        'the parsing of what is read',
        'if (!parsed.ok) throw new Error(`stored document ${expectedPath} does not parse: ${parsed.detail}`)',
        "if (!parsed.ok) return { id: '', value: undefined as T, version: '0.0', readTimeMs: 0 }",
      ],
      [
        'the version of a changed document',
        '        version: doc.version,\n        once: false,\n        tenantId,\n      }),\n    merge',
        '        once: false,\n        tenantId,\n      }),\n    merge',
      ],
      [
        'the brand of a document',
        '  readonly readTimeMs: number\n  readonly [scope]?: S',
        '  readonly readTimeMs: number\n  readonly [scope]?: unknown',
        'types',
      ],
      [
        'the brand of a write',
        "  readonly kind: 'create' | 'update' | 'merge' | 'delete' | 'verify'\n  readonly [scope]?: S",
        "  readonly kind: 'create' | 'update' | 'merge' | 'delete' | 'verify'\n  readonly [scope]?: unknown",
        'types',
      ],
      ['the brand of a scope', 'readonly [scope]?: (value: S) => S', 'readonly [scope]?: S', 'types'],
    ],
  ),
  ...mutationsOf(
    'shared/firestore/values.ts',
    [STORE],
    [
      [
        'the tenant in nested fields',
        "if (key === 'tenantId' && tenantId !== undefined && member !== tenantId) {",
        'if (false) {',
      ],
      [
        'the ban on references and classes',
        'throw new TypeError(`${path} cannot be stored: ${Object.prototype.toString.call(value)}`)',
        'return value',
      ],
      [
        'the ban on references in what is read',
        'if (Object.getPrototypeOf(value) !== Object.prototype) {\n    throw',
        'if (false) {\n    throw',
        [CREDENTIALS],
      ],
      ['the safety of an increment', 'if (!Number.isSafeInteger(by)) throw', 'if (false) throw', [COMMITS]],
    ],
  ),
  ...mutationsOf(
    'shared/firestore/system.ts',
    [STORE],
    [
      ['the owner of a collection in a list', "path(collection, 'any')\n", ''],
      ['the owner of a collection', 'systemDocumentPath(group, collection, id)', '`${collection}/${id}`'],
    ],
  ),
  ...mutationsOf(
    'shared/firestore/tenant-index.ts',
    [CREDENTIALS],
    [
      [
        'the owner of the list of tenants',
        "if (group !== 'lifecycle') throw new TypeError(`${group} may not list tenants`)",
        '',
      ],
    ],
  ),
  ...mutationsOf(
    'shared/firestore/credentials.ts',
    [CREDENTIALS],
    [
      ['the state beside the credential', "['auth_state', 'current']", "['auth_state', id]"],
      [
        'the matching of answers to questions',
        'candidate.ref.path === references[index]?.path',
        'candidate.exists',
      ],
    ],
  ),
  ...mutationsOf(
    'shared/firestore/revocations.ts',
    [REVOKING],
    [
      ['the one group that revokes', "if (group !== 'auth') throw", 'if (false) throw'],
      ['the tenant that is revoked', "(kind !== 'tenant' || id === tenantId) &&", ''],
      [
        'the one tenant that revokes our keys',
        "(kind !== 'signingKey' || tenantId === PLATFORM_TENANT) &&",
        '',
      ],
      ['the time of a watermark', 'before <= nowSeconds + TOKEN_SKEW_SECONDS &&', ''],
      [
        'the time an entry is kept',
        "kind === 'token' ? Math.min(revocation.exp, latest) : latest",
        'revocation.exp',
      ],
      ['the word as a reason', '/^[a-z0-9_.-]{1,64}$/.test(reason)', 'true'],
    ],
  ),
  ...mutationsOf(
    'shared/firestore/auth-state.ts',
    [CREDENTIALS],
    [
      [
        'the tenant in the key of the cache',
        'const cached = cache.get(tenantId)\n    const same',
        'const cached = [...cache.values()][0]\n    const same',
      ],
      ['the age of what is cached', 'Math.abs(clock.now() - same.readAtMs) < keptMs', 'true'],
      [
        'the generation of what is cached',
        'cached?.generation === generation ? cached : undefined',
        'cached',
        [STATES],
      ],
      [
        'the forgetting of a failure',
        'cache.get(tenantId) === made) cache.delete(tenantId)',
        'false) return',
      ],
      ['the bound of the cache', 'cache.size > MOST_TENANTS ?', 'false ?'],
    ],
  ),
]
