import { readFileSync } from 'node:fs'
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import { SESSION_LIMITS, TIERS } from '#shared/catalogue/tiers.ts'
import { checkDpopProof, PROOF_LIFE_SECONDS, PROOF_SKEW_SECONDS } from '#shared/tokens/dpop-proof.ts'
import {
  ACCESS_TOKEN_LIFE_SECONDS,
  accessClaims,
  WORKLOAD_TOKEN_LIFE_SECONDS,
} from '../../functions/auth/domain/access-token.ts'
import { parseApiKey } from '../../functions/auth/domain/api-key.ts'
import { parseClientSecret } from '../../functions/auth/domain/client-secret.ts'
import { parseRefreshToken } from '../../functions/auth/domain/refresh-token.ts'

const PAGE = readFileSync(new URL('../../docs/token-profile.md', import.meta.url), 'utf8')
/** The moment that the page names. */
const NOW_MS = Date.parse('2026-11-23T09:00:10Z')

/** The block of the page with this name; a text that was broken into lines is one again. */
function block(name: string): string {
  const found = new RegExp(`\`\`\`(json|text) ${name}\\n([^\`]*)\`\`\``).exec(PAGE)
  if (found === null) throw new Error(`the page has no ${name}`)
  return found[1] === 'text' ? (found[2] ?? '').replaceAll('\n', '') : (found[2] ?? '')
}
const json = (name: string) => JSON.parse(block(name)) as Record<string, unknown>

test('the access token of the page is what it says, and signed', async () => {
  const token = block('access-token')
  const keys = createLocalJWKSet({ keys: [json('our-key')] } as unknown as JSONWebKeySet)
  const { payload } = await jwtVerify(token, keys, {
    issuer: 'https://api.energent.ai',
    audience: 'https://api.energent.ai',
    typ: 'at+jwt',
    algorithms: ['ES256'],
    currentDate: new Date(NOW_MS),
  })

  expect(decodeProtectedHeader(token)).toEqual(json('access-token-header'))
  expect(payload).toEqual(json('access-token-claims'))
})

test('the code makes the claims of the page, in their order', () => {
  const claims = json('access-token-claims') as Record<string, never>
  const { sid, auth_time, acr, amr, cnf } = claims
  const made = accessClaims(
    {
      issuer: String(claims['iss']),
      subject: String(claims['sub']),
      clientId: String(claims['client_id']),
      scopes: String(claims['scope']).split(' ') as never,
      tenantId: claims['tenant'] as never,
      tier: claims['tier'] as never,
      roles: claims['roles'] as never,
      policyVersion: Number(claims['ver']),
      watermark: 0,
      claims: { sid, auth_time, acr, amr, cnf } as never,
    },
    Buffer.alloc(17),
    Number(claims['iat']) * 1000,
  )

  expect(JSON.stringify(made)).toBe(JSON.stringify(claims))
  for (const name of Object.keys(made)) expect(PAGE).toContain(`\`${name}`)
})

test('the proof of the page proves the request it names, for the token of the page', async () => {
  const target = { method: 'GET', url: 'https://api.energent.ai/v1/tenants/acme', nowMs: NOW_MS }

  const checked = await checkDpopProof(block('dpop-proof'), { ...target, accessToken: block('access-token') })
  const late = await checkDpopProof(block('dpop-proof'), { ...target, nowMs: NOW_MS + 60_000 })

  expect(checked).toMatchObject({
    ok: true,
    value: json('access-token-claims')['cnf'],
  })
  expect(late.ok).toBe(false)
  const [head, body] = block('dpop-proof').split('.')
  const decode = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as unknown
  expect([decode(head), decode(body)]).toEqual([json('dpop-header'), json('dpop-claims')])
})

test('the credentials of the page are spelt like ours', () => {
  expect(parseClientSecret(block('client-secret')).ok).toBe(true)
  expect(parseApiKey(block('api-key'))).toMatchObject({ ok: true, value: { tenantId: 'acme' } })
  expect(parseRefreshToken(block('refresh-token'))).toMatchObject({
    ok: true,
    value: { sessionId: json('access-token-claims')['sid'], counter: 1 },
  })
})

test('the numbers of the page are those of the code', () => {
  expect(PAGE).toContain(`| ${ACCESS_TOKEN_LIFE_SECONDS} s; a workload's ${WORKLOAD_TOKEN_LIFE_SECONDS} s;`)
  expect(PAGE).toContain(`less than ${PROOF_LIFE_SECONDS} s ago, less than ${PROOF_SKEW_SECONDS} s ahead`)
  const limits = TIERS.map((tier) => SESSION_LIMITS[tier])
  const row = (cells: (string | number)[]): string => cells.join(' | ')
  expect(PAGE).toContain(row(limits.map((tier) => `${tier.refreshIdleDays} / ${tier.refreshAbsoluteDays}`)))
  expect(PAGE).toContain(row(limits.map((tier) => tier.sessionsPerUser)))
})
