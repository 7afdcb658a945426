import { type Mutation, mutationsOf } from './mutation.ts'

const PROOF = 'test/shared/tokens/dpop-proof.test.ts'
const HOLDER = 'test/shared/http/access-token.test.ts'
const AUTHENTICATION = 'test/auth/client-authentication.test.ts'
const COMMITS = 'test/auth/commits-per-request.test.ts'
const POLICY = 'test/auth/auth-policy.test.ts'
const KEEPING = 'test/auth/keep-clients.test.ts'
const KEYS = 'test/auth/api-keys.test.ts'
const TELLING = 'test/auth/introspection.test.ts'

/** How clients, keys and bound tokens are proven, and who may keep and be told about them. */
export const CLIENTS: readonly Mutation[] = [
  ...mutationsOf(
    'shared/tokens/dpop-proof.ts',
    [PROOF],
    [
      ['the type of a proof', "if (typ !== 'dpop+jwt')", 'if (false)'],
      ['the algorithms of a proof', 'if (!(DPOP_ALGS as readonly string[]).includes(alg))', 'if (false)'],
      ['the method', 'if (claims.htm !== target.method)', 'if (false)'],
      ['the URL', 'if (!isSameUrl(claims.htu, target.url))', 'if (false)'],
      [
        'the token of a proof',
        'if (target.accessToken !== undefined && claims.ath !== athOf(target.accessToken))',
        'if (false)',
      ],
      ['the age of a proof', "return fresh ? undefined : invalid('iat')", 'return undefined'],
      [
        'the signature of a proof',
        'await compactVerify(proof, admitted.value.key, { algorithms: [alg] })',
        '',
      ],
    ],
  ),
  ...mutationsOf(
    'shared/tokens/proof-memory.ts',
    [PROOF],
    [
      ['the memory of before', 'current.has(id) || previous.has(id)', 'current.has(id)'],
      ['the bound of the memory', 'if (current.size >= mostIds) throw', 'if (false) throw'],
    ],
  ),
  ...mutationsOf(
    'shared/http/access-token.ts',
    [HOLDER],
    [
      ['the key of the proof', '{ jkt: proof.value.jkt }', "'told-about'"],
      ['the single use', 'platform.proofs.isFirstUse(id, request.nowMs)', 'true'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/adapters/client-assertions.ts',
    [AUTHENTICATION],
    [
      ['the audience of an assertion', 'if (claims.aud !== issuer)', 'if (false)'],
      [
        'the client of an assertion',
        'if (claims.iss !== clientId || claims.sub !== clientId)',
        'if (claims.sub !== clientId)',
      ],
      ['the end of an assertion', 'if (claims.exp <= nowSeconds - SKEW_SECONDS)', 'if (false)'],
      [
        'the longest life of an assertion',
        'if (claims.exp > nowSeconds + LONGEST_LIFE_SECONDS + SKEW_SECONDS)',
        'if (false)',
      ],
      ['the signature of an assertion', 'return signed ? ok(', 'return true ? ok('],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/authenticate-client.ts',
    [AUTHENTICATION],
    [
      [
        'the single use of an assertion',
        '(await deps.replay.claimOnce(ctx, assertion))) return undefined',
        '(await deps.replay.claimOnce(ctx, assertion), true)) return undefined',
      ],
      ['the registered way, for none', "registered === 'none' ? ok({})", 'client !== undefined ? ok({})'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/adapters/replay-store.ts',
    [COMMITS],
    [
      ['the assertion in a grant’s commit', 'writes: [...writes, ...claim]', 'writes: [...writes]'],
      ['the assertion of a refused grant', 'claim.length === 0 ? decided', 'claim !== undefined ? decided'],
      [
        'the refusal of an assertion shown before',
        'committed.value.duplicate ? refuseUsedAssertion() : committed.value.value',
        'committed.value.duplicate ? (ok(undefined) as Result<T>) : committed.value.value',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/grants.ts',
    [COMMITS],
    [
      [
        'the assertion of a grant that commits nothing',
        'held.isSpent() ? told : await claim(deps, client, assertion)',
        'told',
      ],
      ['the assertion of a failed request', 'if (!held.isSpent()) await claim', 'if (false) await claim'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/domain/auth-policy.ts',
    [POLICY],
    [
      [
        'the tier of a policy',
        "if (tier === 'enterprise') return ok(undefined)",
        'if (tier) return ok(undefined)',
      ],
      ['the key that a policy asks for', 'if (requireDpop && jkt === undefined) {', 'if (false) {'],
      [
        'the secret that a policy refuses',
        "if (requirePrivateKeyJwt && authMethod.startsWith('client_secret')) {",
        'if (false) {',
      ],
      [
        'the end that a policy sets',
        'Math.min(session.absoluteUntil, ends(refreshAbsoluteDays, session.createdAt))',
        'session.absoluteUntil',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/keep-auth-policy.ts',
    [POLICY],
    [
      [
        'the end of tokens that a policy forbids',
        '? state.version + 1 : state.version',
        '? state.version : state.version',
      ],
      ['who would shut themselves out', 'if (!able.ok) {', 'if (false) {'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/domain/change-client.ts',
    [KEEPING],
    [
      ['the keeper of a power', 'if (givesPower(client, changed)) {', 'if (false) {'],
      [
        'the owner of an operator’s client',
        'if (owned && client.ownerUserId !== keeper.ownerUserId) {',
        'if (false) {',
      ],
      ['the last secret', 'if (!stillLive) {', 'if (false) {'],
      ['the two secrets', 'if (kept.length >= MOST_SECRETS) {', 'if (false) {'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/authenticate-api-key.ts',
    [KEYS],
    [
      ['the comparison of a key', 'if (key === undefined || !matches)', 'if (key === undefined)'],
      ['the end of a key', 'if (key.expiresAt !== null && key.expiresAt <= nowMs)', 'if (false)'],
      ['the scope of a key', 'if (scope !== undefined && !scopes.includes(scope)) {', 'if (false) {'],
      ['the state of a key’s tenant', 'scopesAllowed(state.status, [], key.scopes)', 'key.scopes'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/introspect-token.ts',
    [TELLING],
    [
      [
        'the tenant of what is told',
        'if (!verified.ok || verified.value.claims.tenant !== tenantId) return undefined',
        'if (!verified.ok) return undefined',
      ],
      ['the use of a refresh token', 'if (inspected?.active !== true)', 'if (inspected === undefined)'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/revoke-token.ts',
    [TELLING],
    [
      ['the client of a session', 'inspected.session.clientId !== client.clientId', 'false'],
      [
        'the client of a token',
        'if (claims.tenant !== client.tenantId || claims.clientId !== client.clientId)',
        'if (claims.tenant !== client.tenantId)',
      ],
      ['the proof of a public client', "if (client.authMethod === 'none') return ok(undefined)", ''],
    ],
  ),
]
