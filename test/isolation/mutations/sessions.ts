import { type Mutation, mutationsOf } from './mutation.ts'

const JUDGE = 'test/auth/refresh/judge.test.ts'
const ORDERS = 'test/auth/refresh/interleavings.test.ts'
const FORM = 'test/auth/domain/refresh-token.test.ts'
const CODE = 'test/auth/domain/authorization-code.test.ts'
const REFRESH = 'test/auth/refresh-grant.test.ts'
const REDEEM = 'test/auth/code-grant.test.ts'
const ROUTES = 'test/auth/sessions-routes.test.ts'

/** Codes, refresh tokens and sessions: what keeps a stolen one from being of use. */
export const SESSIONS: readonly Mutation[] = [
  ...mutationsOf(
    'functions/auth/domain/refresh.ts',
    [JUDGE],
    [
      [
        'the end of a session',
        'if (!isLive(session, watermarks, nowMs))',
        "if (session.status === 'ended' && nowMs < 0)",
      ],
      [
        'the key of a bound session',
        'if (session.jkt !== null && session.jkt !== attempt.jkt)',
        'if (false)',
      ],
      [
        'the refusal of a token that was never made',
        'if (attempt.counter > session.counter)',
        'if (false)',
        [ORDERS],
      ],
      ['the end of the grace', 'nowMs - session.rotatedAt <= GRACE_MS', 'true', [ORDERS]],
      [
        'the age of the token in the grace',
        'attempt.counter === session.counter - 1 && inGrace',
        'inGrace',
        [ORDERS],
      ],
      [
        'the scopes of a repetition',
        "narrowed('repeat', session, session.rotatedScopes,",
        "narrowed('repeat', session, session.scopes,",
      ],
      [
        'the refusal of wider scopes',
        'return allowed.length + (known ? 1 : 0) === asked.length',
        'return allowed.length >= 0',
      ],
      [
        'the absolute end of a session',
        'Math.min(rotation.nowMs + rotation.idleMs, session.absoluteUntil)',
        'rotation.nowMs + rotation.idleMs',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/domain/session.ts',
    [JUDGE],
    [
      ['the idle end', 'nowMs < session.idleUntil &&', ''],
      ['the absolute end', 'nowMs < session.absoluteUntil &&', ''],
      ['the watermarks', 'session.issuedAt > watermark', 'watermark >= 0'],
      ['the second of a watermark', 'session.issuedAt > watermark', 'session.issuedAt >= watermark'],
      ['the reason that was first', "if (session.status === 'ended') return session", ''],
    ],
  ),
  ...mutationsOf(
    'functions/auth/domain/refresh-token.ts',
    [FORM],
    [
      [
        'the MAC',
        'if (timingSafeEqual(macOf(pepper, binding, token.body), token.mac)) authentic = true',
        'authentic = true',
      ],
      ['the pepper’s version', 'if ((version & 0xff) !== token.pepperByte) continue', ''],
      ['the one spelling', "if (bytes.toString('base64url') !== text)", 'if (false)'],
      ['the checksum', 'if (crc32(signed) !== bytes.readUInt32BE(signed.length))', 'if (false)'],
      ['the format', 'if (format !== FORMAT || counter === undefined)', 'if (counter === undefined)'],
      ['the shortest number', 'varint(value).equals(bytes)', 'bytes.length > 0'],
      ['the salt in the key', "    .update(Buffer.from(binding.salt, 'base64url'))\n", ''],
      ['the session in the key', '    .update(bytesOfSessionId(binding.sessionId))\n', ''],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: what is searched for is source text
      ['the client in the key', '${binding.clientId}\\0${binding.tenantId}', '${binding.tenantId}'],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: what is searched for is source text
      ['the tenant in the key', '${binding.clientId}\\0${binding.tenantId}', '${binding.clientId}'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/domain/authorization-code.ts',
    [CODE],
    [
      ['the client of a code', 'if (code.clientId !== proof.clientId)', 'if (false)'],
      ['its redirect URI', 'if (code.redirectUri !== proof.redirectUri)', 'if (false)'],
      ['its verifier', 'if (!matchesChallenge(code.codeChallenge, proof.codeVerifier))', 'if (false)'],
      [
        'the form of a verifier',
        'verifier === undefined || !VERIFIER.test(verifier) ||',
        'verifier === undefined ||',
      ],
      ['its key', 'if (code.dpopJkt !== null && code.dpopJkt !== proof.jkt)', 'if (false)'],
      ['its one use', "if (code.usedAtMs !== null) return ok('reused')", ''],
      ['its minute', 'if (nowMs >= code.expiresAtMs)', 'if (false)'],
      [
        'the checksum of a code',
        'CODE.test(value) && withoutChecksum(value) !== undefined',
        'CODE.test(value)',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/grants/refresh-token.ts',
    [REFRESH],
    [
      [
        'the authenticity of a token',
        'session.clientId !== client.clientId || !isAuthentic(token, binding, peppers)',
        'session.clientId === undefined',
      ],
      ['the standing of the user', "if (user?.status !== 'active')", 'if (user === undefined)'],
      [
        'the user’s watermark',
        'const watermarks = [state.notBefore, user.notBefore, client.notBefore]',
        'const watermarks = [state.notBefore, client.notBefore]',
      ],
      [
        'the tenant’s watermark',
        'const watermarks = [state.notBefore, user.notBefore, client.notBefore]',
        'const watermarks = [user.notBefore, client.notBefore]',
      ],
      [
        'the client’s watermark',
        'const watermarks = [state.notBefore, user.notBefore, client.notBefore]',
        'const watermarks = [state.notBefore, user.notBefore]',
      ],
      [
        'the end after a reuse',
        "ok({ value: { kind: 'reused' }, ...endingOf([session], end) })",
        "ok({ value: { kind: 'reused' } })",
      ],
      ['the newest pepper', '(await deps.peppers.current()).version', 'session.pepperVersion'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/grants/authorization-code.ts',
    [REDEEM],
    [
      ['the standing of who signed in', "if (user?.status !== 'active')", 'if (user === undefined)'],
      [
        'the watermarks of a code',
        'if (madeBefore(code, user, Math.max(state.notBefore, client.notBefore)))',
        'if (false)',
      ],
      ['the end after a second use', "value: { kind: 'reused' }, ...ending", "value: { kind: 'reused' }"],
      ['the use of a code', 'usedAtMs: nowMs, sessionId', 'usedAtMs: null, sessionId'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/user-access.ts',
    [REFRESH],
    [
      [
        'the scopes of the client',
        'client.scopes.includes(scope) && held.includes(scope)',
        'held.includes(scope)',
      ],
      [
        'the scopes of the roles',
        'client.scopes.includes(scope) && held.includes(scope)',
        'client.scopes.includes(scope)',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/end-sessions.ts',
    [ROUTES],
    [
      [
        'the feed',
        'revocations: active.map((session) => allTokensOf(session, end.reason, end.nowMs)),',
        'revocations: [],',
      ],
      [
        'the watermark of a user signed out everywhere',
        'userNotBefore: Math.floor(nowMs / 1000),',
        '',
        [REFRESH, ROUTES],
      ],
      ['the watermark of everybody', 'notBefore: Math.max(known, before),', 'notBefore: known,'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/session-tokens.ts',
    [ROUTES],
    [
      [
        'the look at what was revoked meanwhile',
        'if (claims.iat > Math.max(Math.floor(nowMs / 1000), session.issuedAt)) {',
        'if (false) {',
      ],
      [
        'the end of the session as the end of its tokens',
        'notAfter: Math.ceil(session.absoluteUntil / 1000),',
        '',
        [REFRESH],
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/user-access.ts',
    [ROUTES],
    [
      [
        'the look at the client as it is now',
        'if (asOfMs === undefined) return ok(seen)',
        'if (seen !== undefined) return ok(seen)',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/adapters/session-store.ts',
    [REDEEM],
    [
      ['the guard of a user’s sign-ins', 'if (read.guard !== undefined) writes.push(read.guard)', ''],
      [
        'the user’s standing at the commit',
        'if (standing !== undefined && writes.length > 0) {',
        'if (false) {',
        [REFRESH],
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/http/sessions.ts',
    [ROUTES],
    [['whose session it is', '(userId !== undefined && found.session.userId !== userId)', 'userId === null']],
  ),
]
