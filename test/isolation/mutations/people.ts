import { type Mutation, mutationsOf } from './mutation.ts'

const MANAGE = 'test/auth/people/manage.test.ts'
const PERSONAL = 'test/auth/people/personal-data.test.ts'
const ERASE = 'test/auth/people/erase-tenant.test.ts'
const OPERATORS = 'test/auth/people/operators.test.ts'
const ROLE = 'test/auth/domain/role.test.ts'
const DIRECTORY = 'test/e2e/auth-people.test.ts'

/** Who somebody is, who may give what to whom, and what is left of a tenant. */
export const PEOPLE: readonly Mutation[] = [
  ...mutationsOf(
    'functions/auth/domain/role.ts',
    [MANAGE, ROLE],
    [
      [
        'owners for owner',
        "if (changed.includes('owner') && !giver.roles.includes('owner')) {",
        'if (false) {',
      ],
      [
        'no more than the giver holds',
        '!giver.scopes.has(scope))\n  return beyond',
        'false)\n  return beyond',
      ],
      [
        'the tenant of the giver',
        "if (giver.tenantId !== tenantId) return refuse('resource.not_found', 'foreign tenant')",
        '',
      ],
      ['the names of operators', ' && !RESERVED.test(name)', ''],
    ],
  ),
  ...mutationsOf(
    'functions/auth/domain/user.ts',
    [ROLE],
    [
      ['owner from people alone', "(byPeople || role !== 'owner')", 'true'],
      ['the end of tokens that say more', 'narrowed ? Math.max(', 'false ? Math.max('],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/sign-in-user.ts',
    [MANAGE],
    [
      [
        'the proof of an address',
        'identity.emailVerified ? person.emailHash : undefined',
        'person.emailHash',
      ],
      [
        'the disabled',
        "if (user?.status === 'disabled') return refuse('user.disabled', 'disabled user')",
        '',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/domain/role.ts',
    [OPERATORS],
    [
      ['the tenant of operators’ scopes', 'if (tenantId !== PLATFORM_TENANT) return []', ''],
      ['who makes operators', 'if (isOperatorAdmin(giver) && held)', 'if (held)'],
      [
        'what who makes operators holds',
        'if (isOperatorAdmin(giver) && held)',
        'if (isOperatorAdmin(giver))',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/domain/user.ts',
    [OPERATORS],
    [
      [
        'operators from people alone, at home alone',
        'byPeople && user.tenantId === PLATFORM_TENANT',
        'user.tenantId === PLATFORM_TENANT',
      ],
      ['operators at home alone', 'byPeople && user.tenantId === PLATFORM_TENANT', 'byPeople'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/manage-users.ts',
    [OPERATORS],
    [
      ['who makes an operator', 'if (!operators.ok) return operators', ''],
      [
        'an operator nobody has seen',
        'if (user.idpLinks.length === 0 && roles.some',
        'if (false && roles.some',
      ],
      [
        'who keeps an operator out',
        'if (user.roles.some(isPlatformRole) && !isOperatorAdmin(giver)) {',
        'if (false) {',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/invite.ts',
    [MANAGE],
    [
      [
        'the address of an invitation',
        'if (foreign || !isOpen(invitation, nowMs))',
        'if (!isOpen(invitation, nowMs))',
      ],
      ['the end of an invitation', 'if (foreign || !isOpen(invitation, nowMs))', 'if (foreign)'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/manage-users.ts',
    [MANAGE],
    [
      [
        'the last owner',
        'if (found.owners.some((id: UserId) => id !== user.userId)) return undefined',
        'return undefined',
      ],
      ['owners for owners', "if (!user.roles.includes('owner') || isOperator", 'if (true || isOperator'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/adapters/user-store.ts',
    [MANAGE],
    [
      ['the guard of owners', '    ...ownerWrites(db, found, user, deleted),\n', ''],
      ['the guard of an address', '    ...guardWrites(db, found, user),\n', '', [PERSONAL]],
    ],
  ),
  ...mutationsOf(
    'functions/auth/domain/personal-data.ts',
    [PERSONAL],
    [
      ['the tenant of what is sealed', "v1', tenantId, purpose].join", "v1', purpose].join"],
      ['the purpose of what is sealed', "v1', tenantId, purpose].join", "v1', tenantId].join"],
      ['the tenant of a digest', '[tenantId, purpose, text].join', '[purpose, text].join'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/erase-tenant.ts',
    [ERASE],
    [
      [
        'the state of who is erased',
        "if (!(await deps.erasure.isLeaving(ctx))) return ok('not leaving')",
        '',
      ],
      ['the end of the key', '  await deps.personalData.destroy(ctx, nowMs)\n', ''],
    ],
  ),
  ...mutationsOf(
    'functions/auth/http/scim.ts',
    [DIRECTORY],
    [
      [
        'the tenant of a directory',
        "if (ctx.tenantId !== request.params['tenantId']) return refuse('resource.not_found', 'foreign tenant')",
        '',
      ],
      [
        'the scope of a directory',
        "authenticateApiKey(deps, presented, 'scim', request.nowMs)",
        'authenticateApiKey(deps, presented, undefined, request.nowMs)',
      ],
    ],
  ),
]
