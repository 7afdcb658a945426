import { afterEach, expect, test } from 'vitest'
import { startGoogleIssuer } from '#local/issuers/google.ts'
import { type Answer, json, serveLoopback } from '#local/loopback.ts'
import { manualClock } from '#shared/clock.ts'
import { metadataTokens } from '#shared/metadata-token.ts'

const signal = AbortSignal.timeout(60_000)
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function aServer(handle: () => Answer): Promise<string> {
  const server = await serveLoopback(0, async () => handle())
  closing.push(server.close)
  return `127.0.0.1:${server.port}`
}

const flavor = { 'metadata-flavor': 'Google' }

test('a token is kept until shortly before it expires, and asked for once by many', async () => {
  let minted = 0
  const clock = manualClock(0)
  const host = await aServer(() => {
    minted += 1
    return json(200, { access_token: `t${minted}`, expires_in: 3600, token_type: 'Bearer' }, flavor)
  })
  const tokens = metadataTokens(host, clock)

  expect(await Promise.all([tokens.token(signal), tokens.token(signal)])).toEqual(['t1', 't1'])
  clock.set(3_479_999)
  expect(await tokens.token(signal)).toBe('t1')
  clock.set(3_480_000)
  expect(await tokens.token(signal)).toBe('t2')
  tokens.forget()
  expect(await tokens.token(signal)).toBe('t3')
})

test('a failure is not kept', async () => {
  let asked = 0
  const host = await aServer(() => {
    asked += 1
    return asked === 1
      ? json(503, {}, flavor)
      : json(200, { access_token: 'good', expires_in: 3600, token_type: 'Bearer' }, flavor)
  })
  const tokens = metadataTokens(host, manualClock(0))
  await expect(tokens.token(signal)).rejects.toThrow('503')
  expect(await tokens.token(signal)).toBe('good')
})

// Whoever else listens at the address must not be able to hand us a token.
test('an answer without the flavour of the metadata server is refused', async () => {
  const host = await aServer(() => json(200, { access_token: 'x', expires_in: 3600, token_type: 'Bearer' }))
  await expect(metadataTokens(host, manualClock(0)).token(signal)).rejects.toThrow()
})

test('the local metadata server gives a token of the function account', async () => {
  const clock = manualClock(Date.parse('2026-11-23T09:00:00Z'))
  const issuer = await startGoogleIssuer({
    now: clock.now,
    defaultAccount: 'te@demo-x.iam.gserviceaccount.com',
  })
  closing.push(issuer.close)
  const token = await metadataTokens(issuer.metadataHost, clock).token(signal)
  expect(issuer.introspectAccessToken(token)).toBe('te@demo-x.iam.gserviceaccount.com')
})
