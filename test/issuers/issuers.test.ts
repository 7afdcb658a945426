import { join } from 'node:path'
import { Compute } from 'google-auth-library'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { expect, test, vi } from 'vitest'
import { startClusterIssuer } from '#local/issuers/cluster.ts'
import { startGoogleIssuer } from '#local/issuers/google.ts'
import { manualClock } from '#shared/clock.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const START = Date.parse('2026-11-23T00:00:00Z')

async function google(options: Partial<Parameters<typeof startGoogleIssuer>[0]> = {}) {
  const issuer = await startGoogleIssuer({ now: () => START, ...options })
  closeAfterTest(issuer.close)
  return issuer
}

test('a Google ID token verifies against what discovery and the key set say', async () => {
  const issuer = await google()
  const token = await issuer.mintIdToken({
    email: 'pusher@p.iam.gserviceaccount.com',
    audience: 'https://f.run.app',
  })

  const discovery = (await (await fetch(`${issuer.url}/.well-known/openid-configuration`)).json()) as {
    issuer: string
    jwks_uri: string
  }
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(discovery.jwks_uri)), {
    issuer: discovery.issuer,
    audience: 'https://f.run.app',
    currentDate: new Date(START),
  })

  expect(payload).toMatchObject({
    email: 'pusher@p.iam.gserviceaccount.com',
    email_verified: true,
    azp: payload.sub,
  })
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600)
  expect(payload.sub).toMatch(/^\d{21}$/)
})

test('the subject is the same for the same account and differs between accounts', async () => {
  const issuer = await google()
  const subject = async (email: string) => decodeJwt(await issuer.mintIdToken({ email, audience: 'a' })).sub

  expect(await subject('a@p.test')).toBe(await subject('a@p.test'))
  expect(await subject('a@p.test')).not.toBe(await subject('b@p.test'))
})

test('no ID token lives longer than an hour, and an expired one can be asked for', async () => {
  const issuer = await google()
  const long = decodeJwt(await issuer.mintIdToken({ email: 'a@p.test', audience: 'a', ttlSeconds: 86_400 }))
  const expired = decodeJwt(await issuer.mintIdToken({ email: 'a@p.test', audience: 'a', ttlSeconds: -60 }))

  expect((long.exp ?? 0) * 1000).toBe(START + 3_600_000)
  expect((expired.exp ?? 0) * 1000).toBe(START - 60_000)
  expect(expired.iat ?? 0).toBeLessThan(expired.exp ?? 0)
})

test('tokens stay valid over a restart on the same key file', async () => {
  const file = join(temporaryFolder(), 'google.pem')
  const first = await startGoogleIssuer({ file, now: () => START, issuer: 'https://accounts.google.com' })
  const token = await first.mintIdToken({ email: 'a@p.test', audience: 'a' })
  const access = first.mintAccessToken('a@p.test')
  await first.close()

  const second = await google({ file, issuer: 'https://accounts.google.com' })

  await jwtVerify(token, createRemoteJWKSet(new URL(second.jwksUri)), { currentDate: new Date(START) })
  expect(second.introspectAccessToken(access)).toBe('a@p.test')
})

test('an access token names its account until it expires, and no forged one names anybody', async () => {
  const clock = manualClock(START)
  const issuer = await google({ now: clock.now })
  const stranger = await google()
  const token = issuer.mintAccessToken('a@p.test')
  expect(issuer.introspectAccessToken(token)).toBe('a@p.test')

  const [, , signature] = token.split('.')
  const forgedPayload = Buffer.from(JSON.stringify(['root@p.test', 9e9])).toString('base64url')
  expect(issuer.introspectAccessToken(`ya29.${forgedPayload}.${signature}`)).toBeUndefined()
  expect(issuer.introspectAccessToken(stranger.mintAccessToken('a@p.test'))).toBeUndefined()
  expect(issuer.introspectAccessToken('')).toBeUndefined()
  expect(issuer.introspectAccessToken(`${token}.x`)).toBeUndefined()
  clock.advance(3_600_000)
  expect(issuer.introspectAccessToken(token)).toBeUndefined()
})

test('the metadata server answers only who sends its header', async () => {
  const issuer = await google({ defaultAccount: 'fn@p.iam.gserviceaccount.com' })
  const base = `http://${issuer.metadataHost}/computeMetadata/v1/instance/service-accounts/default`
  const headers = { 'Metadata-Flavor': 'Google' }

  expect((await fetch(`${base}/email`)).status).toBe(403)
  expect(await (await fetch(`${base}/email`, { headers })).text()).toBe('fn@p.iam.gserviceaccount.com')
  expect((await fetch(`${base}/identity`, { headers })).status).toBe(400)
  expect((await fetch(`${base}/secrets`, { headers })).status).toBe(404)
})

test("Google's own client library gets its tokens from the metadata server", async () => {
  const issuer = await google({ defaultAccount: 'fn@p.iam.gserviceaccount.com' })
  vi.stubEnv('GCE_METADATA_HOST', issuer.metadataHost)
  closeAfterTest(() => vi.unstubAllEnvs())
  const compute = new Compute()

  const identity = await compute.fetchIdToken('https://f.run.app')
  const { token } = await compute.getAccessToken()

  expect(decodeJwt(identity)).toMatchObject({
    aud: 'https://f.run.app',
    email: 'fn@p.iam.gserviceaccount.com',
  })
  expect(issuer.introspectAccessToken(token ?? '')).toBe('fn@p.iam.gserviceaccount.com')
})

test('a cluster token carries the claims of a projected service-account token', async () => {
  const issuer = await startClusterIssuer({ now: () => START, clusterName: 'p/us-east1/workloads' })
  closeAfterTest(issuer.close)
  const token = await issuer.mintServiceAccountToken({
    namespace: 'tenant-acme',
    serviceAccount: 'tenant-workload',
    audience: 'https://api.energent.test',
    ttlSeconds: 600,
    pod: 'agent-0',
  })

  expect(issuer.issuer).toMatch(/\/v1\/projects\/p\/locations\/us-east1\/clusters\/workloads$/)
  const discovery = (await (await fetch(`${issuer.issuer}/.well-known/openid-configuration`)).json()) as {
    issuer: string
    jwks_uri: string
  }
  expect(discovery.issuer).toBe(issuer.issuer)
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(discovery.jwks_uri)), {
    issuer: issuer.issuer,
    audience: 'https://api.energent.test',
    currentDate: new Date(START),
  })
  expect(payload).toMatchObject({
    sub: 'system:serviceaccount:tenant-acme:tenant-workload',
    aud: ['https://api.energent.test'],
    iat: START / 1000,
    nbf: START / 1000,
    exp: START / 1000 + 600,
    'kubernetes.io': {
      namespace: 'tenant-acme',
      serviceaccount: { name: 'tenant-workload', uid: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      pod: { name: 'agent-0', uid: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    },
  })
  expect((await fetch(`${issuer.url}/openid/v1/jwks`)).status).toBe(200)
})

test('two clusters neither share an issuer nor a key', async () => {
  const a = await startClusterIssuer({ now: () => START, clusterName: 'a' })
  const b = await startClusterIssuer({ now: () => START, clusterName: 'b' })
  closeAfterTest(a.close, b.close)
  const token = await a.mintServiceAccountToken({ namespace: 'n', serviceAccount: 's', audience: 'x' })

  expect(a.issuer).not.toBe(b.issuer)
  await expect(
    jwtVerify(token, createRemoteJWKSet(new URL(b.jwksUri)), { currentDate: new Date(START) }),
  ).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' })
})
