import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { accessKeyring } from '../../functions/auth/adapters/access-keyring.ts'
import { ACCESS_KEYS_SECRET } from '../../functions/auth/domain/access-key.ts'
import { type AuthStack, startAuth } from './support/auth-stack.ts'
import { push } from './support/tenant-facts.ts'

let stack: AuthStack

beforeAll(async () => {
  stack = await startAuth()
})
afterAll(() => stack.close())
beforeEach(() => {
  stack.firestore.reset()
})

async function published(): Promise<string[]> {
  const response = await fetch(`${stack.httpUrl}/.well-known/jwks.json`)
  const { keys } = (await response.json()) as { keys: { kid: string }[] }
  return keys.map((key) => key.kid)
}

function rotate(attributes: Record<string, string> = {}, messageId = 'rotation-1'): Promise<number> {
  const all = {
    eventType: 'SECRET_ROTATE',
    secretId: `projects/1/secrets/${ACCESS_KEYS_SECRET}`,
    ...attributes,
  }
  return push(stack, 'secret-rotation', Buffer.from('{}'), all, messageId)
}

test('processes that start an empty ring at once end with one ring', async () => {
  const processes = Array.from({ length: 5 }, () => stack.another())

  const signers = await Promise.all(processes.map((deps) => deps.keyring.signer(stack.clock.now())))

  expect(new Set(signers.map((signer) => signer.kid)).size).toBe(1)
  expect(stack.firestore.dump('keyrings')).toHaveLength(1)
  expect(stack.logLines.join('\n')).toContain('secret versions unused')
})

test('processes that start the pepper at once hash with one pepper', async () => {
  const processes = Array.from({ length: 5 }, () => stack.another())

  const peppers = await Promise.all(processes.map((deps) => deps.peppers.current()))

  expect(new Set(peppers.map(({ pepper }) => Buffer.from(pepper).toString('hex'))).size).toBe(1)
})

test('a new ring has a signer and a standby, both published and neither private', async () => {
  const deps = stack.another()

  const signer = await deps.keyring.signer(stack.clock.now())
  const keys = await deps.keyring.publicKeys(stack.clock.now())

  expect(keys).toHaveLength(2)
  expect(keys.map((key) => key.kid)).toContain(signer.kid)
  expect(keys.every((key) => Object.keys(key.jwk).sort().join() === 'crv,kty,x,y')).toBe(true)
  expect(JSON.stringify(stack.firestore.dump('keyrings'))).not.toMatch(/PRIVATE KEY|"d":/)
})

test('a rotation makes the standby sign once caches know it, and keeps the old key until its tokens are over', async () => {
  const deps = stack.another()
  const first = (await deps.keyring.signer(stack.clock.now())).kid
  const standby = (await deps.keyring.publicKeys(stack.clock.now()))
    .map((key) => key.kid)
    .find((kid) => kid !== first)

  await deps.keyring.rotate('message-1', stack.clock.now())
  const young = (await deps.keyring.signer(stack.clock.now())).kid
  stack.clock.advance(660_000)
  const taken = (await deps.keyring.signer(stack.clock.now())).kid
  const beside = (await deps.keyring.publicKeys(stack.clock.now())).map((key) => key.kid)
  stack.clock.advance(960_000)
  const after = (await deps.keyring.publicKeys(stack.clock.now())).map((key) => key.kid)

  expect(young).toBe(first)
  expect(taken).toBe(standby)
  expect(beside).toHaveLength(3)
  expect(beside).toContain(first)
  expect(after).toHaveLength(2)
  expect(after).not.toContain(first)
})

test('a rotation message delivered twice, or again within ten minutes, rotates once', async () => {
  await stack.deps.keyring.signer(stack.clock.now() + 120_000)
  stack.clock.advance(180_000)

  const statuses = [await rotate({}, 'same'), await rotate({}, 'same'), await rotate({}, 'other')]

  expect(statuses).toEqual([204, 204, 204])
  // Three of the ring of access tokens, and the two that the ring of events began with.
  expect(await published()).toHaveLength(3 + 2)
})

test('of two processes that rotate at once, one does and the other’s message comes again', async () => {
  const processes = [stack.another(), stack.another()]
  await processes[0]?.keyring.signer(stack.clock.now())
  stack.clock.advance(3_600_000)

  const nowMs = stack.clock.now()
  const outcomes = await Promise.allSettled(
    processes.map((deps, at) => deps.keyring.rotate(`concurrent-${at}`, nowMs)),
  )
  const again = await processes[1]?.keyring.rotate('concurrent-1', nowMs)

  const rotated = outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value === 'rotated')
  expect(rotated).toHaveLength(1)
  expect(again).toBe('not-due')
  expect(stack.firestore.dump('keyrings/access')[0]?.data).toMatchObject({ generation: 2 })
})

test.each([
  ['our own new version', { eventType: 'SECRET_VERSION_ADD' }],
  ['another secret', { secretId: 'projects/1/secrets/stripe-key' }],
  ['an event type of tomorrow', { eventType: 'SECRET_SOMETHING' }],
])('%s is acknowledged and changes nothing', async (_name, attributes) => {
  stack.clock.advance(120_000)
  const before = await published()

  const status = await rotate(attributes)

  expect(status).toBe(204)
  expect(await published()).toEqual(before)
})

test('the key set is cacheable and answers 304 to who has it', async () => {
  const url = `${stack.httpUrl}/.well-known/jwks.json`
  const first = await fetch(url)
  const etag = first.headers.get('etag') ?? ''
  const again = await fetch(url, { headers: { 'if-none-match': `"other", W/${etag}` } })
  const changed = await fetch(url, { headers: { 'if-none-match': '"other"' } })

  expect(first.headers.get('cache-control')).toBe('public, max-age=300')
  expect([again.status, changed.status]).toEqual([304, 200])
  expect(await again.text()).toBe('')
})

test('the key set outlives the store; a signer does not', async () => {
  const { platform } = stack.another()
  let down = false
  const find: typeof platform.system.find = (...args) =>
    down ? Promise.reject(new Error('down')) : platform.system.find(...args)
  const keyring = accessKeyring({ ...platform, system: { ...platform.system, find } })
  await keyring.signer(stack.clock.now())
  const before = await keyring.publicKeys(stack.clock.now())

  down = true
  const later = stack.clock.now() + 61_000

  expect(await keyring.publicKeys(later)).toEqual(before)
  await expect(keyring.signer(later)).rejects.toThrow('down')
})

test('a private key that is not the one of its id signs nothing', async () => {
  const { platform } = stack.another()
  const access: typeof platform.secrets.access = async () =>
    Buffer.from(
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
    )
  const keyring = accessKeyring({ ...platform, secrets: { ...platform.secrets, access } })

  await expect(keyring.signer(stack.clock.now())).rejects.toThrow('not the one')
})

test('an unknown key id reads the ring again, but not for every invented one', async () => {
  const deps = stack.another()
  await deps.keyring.signer(stack.clock.now())
  stack.clock.advance(3_000)
  let reads = 0
  stack.firestore.setFault((rpc) => {
    if (rpc === 'BatchGetDocuments') reads += 1
    return undefined
  })

  for (let kid = 0; kid < 20; kid += 1) await deps.platform.verifyToken(forged(`k${kid}`), undefined)
  stack.firestore.setFault(undefined)

  expect(reads).toBe(1)
})

test('health names the stores, the key ring, Cloud KMS and the topic', async () => {
  const response = await fetch(`${stack.httpUrl}/health`)

  expect(response.status).toBe(200)
  const { status, checks } = (await response.json()) as { status: string; checks: object }
  expect([status, Object.keys(checks)]).toEqual(['ok', ['firestore', 'keyring', 'kms', 'pubsub', 'secrets']])
})

test('health says when Cloud KMS does not answer, and asks for no key of a tenant', async () => {
  // Health keeps what it found for a while.
  stack.clock.advance(60_000)
  stack.kms.calls.length = 0
  stack.kms.down = true
  const failed = await fetch(`${stack.httpUrl}/health`)
  stack.kms.down = false

  expect(failed.status).toBe(503)
  expect(await failed.json()).toMatchObject({
    checks: { kms: { status: 'failed' }, firestore: { status: 'ok' } },
  })
  expect(new Set(stack.kms.calls)).toEqual(new Set(['encrypt Health']))
})

test.each(['oauth-authorization-server', 'openid-configuration'])(
  '%s says what is supported and no more',
  async (name) => {
    const response = await fetch(`${stack.httpUrl}/.well-known/${name}`)
    const body = (await response.json()) as Record<string, unknown>

    expect(body).toMatchObject({
      issuer: 'https://api.energent.test',
      token_endpoint: 'https://api.energent.test/oauth2/token',
      jwks_uri: 'https://api.energent.test/.well-known/jwks.json',
      grant_types_supported: [
        'client_credentials',
        'authorization_code',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:token-exchange',
      ],
      token_endpoint_auth_methods_supported: [
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
        'none',
      ],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
    })
  },
)

function forged(kid: string): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'ES256', typ: 'at+jwt', kid })}.${part({ iss: 'x' })}.${Buffer.alloc(64).toString('base64url')}`
}
