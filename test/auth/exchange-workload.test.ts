import { generateKeyPairSync } from 'node:crypto'
import { decodeJwt, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DependencyFailed } from '#shared/deadline.ts'
import type { TenantId } from '#shared/ids.ts'
import { ok } from '#shared/result.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import type { AuthDeps } from '../../functions/auth/deps.ts'
import { parseForm } from '../../functions/auth/domain/form.ts'
import { bindingIdOf, clientIdOfBinding } from '../../functions/auth/domain/workload-binding.ts'
import { exchangeWorkloadToken } from '../../functions/auth/operations/exchange-workload-token.ts'
import { createApiKey } from '../../functions/auth/operations/keep-api-keys.ts'
import { createBinding, deleteBinding } from '../../functions/auth/operations/keep-bindings.ts'
import { type GuardedFetch, GuardRefused } from '../../functions/auth/ports/outbound.ts'
import { type AuthStack, BASE_URL, startAuth } from './support/auth-stack.ts'
import { change } from './support/sessions.ts'
import { pushFact } from './support/tenant-facts.ts'

const JWT = 'urn:ietf:params:oauth:token-type:jwt'

/** A cluster with its key; `down` makes its keys unreadable. */
function cluster(name: string) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const issuer = `https://container.googleapis.com/v1/projects/p/locations/l/clusters/${name}`
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: `key-of-${name}`, use: 'sig', alg: 'RS256' }
  return { cluster: name, issuer, jwksUri: `${issuer}/jwks`, privateKey, jwk, down: false }
}
type Cluster = ReturnType<typeof cluster>

const SHARED = cluster('energent-shared')
const SECOND = cluster('energent-second')
/** Of one tenant alone; listed nowhere. */
const OWN = cluster('t-dora')

let stack: AuthStack
let deps: AuthDeps

const asked: string[] = []
const outbound: GuardedFetch = async (url) => {
  asked.push(String(url))
  const found = [SHARED, SECOND, OWN].find(({ jwksUri }) => jwksUri === url)
  if (found === undefined || found.down) throw new GuardRefused('network', 'ECONNREFUSED')
  return { status: 200, headers: {}, body: Buffer.from(JSON.stringify({ keys: [found.jwk] })) }
}

/** A process of its own, with its own copies of keys and revocations. */
const another = (): AuthDeps => {
  const made = stack.another({ outbound })
  const dedicated = 'https://container.googleapis.com/v1/projects/p/locations'
  return { ...made, trusted: { ...made.trusted, clusters: [SHARED, SECOND], dedicated } }
}

beforeAll(async () => {
  stack = await startAuth()
  await pushFact(stack, 'acme', 'activated', 1, { tier: 'enterprise' })
  await pushFact(stack, 'small', 'activated', 1, { tier: 'basic' })
  deps = another()
}, 60_000)
afterAll(() => stack?.close())
beforeEach(() => void stack.clock.advance(1_000))

function podToken(
  tenantId: string,
  { by = SHARED, iss = by.issuer, kid = by.jwk.kid, sa = 'tenant-workload' } = {} as {
    by?: Cluster
    iss?: string
    kid?: string
    sa?: string
  },
): Promise<string> {
  const now = Math.floor(stack.clock.now() / 1000)
  const ns = `tenant-${tenantId}`
  const claims = {
    sub: `system:serviceaccount:${ns}:${sa}`,
    'kubernetes.io': { namespace: ns, serviceaccount: { name: sa, uid: 'u' } },
  }
  return new SignJWT({ ...claims, iss, aud: [BASE_URL], iat: now, exp: now + 3600 })
    .setProtectedHeader({ alg: 'RS256', kid })
    .sign(by.privateKey)
}

function exchange(token: string, by: AuthDeps = deps, jkt?: string) {
  const form = parseForm(
    Buffer.from(new URLSearchParams({ subject_token: token, subject_token_type: JWT }).toString()),
  )
  if (!form.ok) throw new Error(form.detail)
  const call = { proof: undefined, jkt, nowMs: stack.clock.now(), clientAddress: '', log: by.platform.log }
  const trace = { traceId: '0'.repeat(32), spanId: '0'.repeat(16), sampled: false }
  return exchangeWorkloadToken(by, { form: form.value, scopes: undefined, resources: [] }, {
    ...call,
    trace,
  } as never)
}

const ctx = () => openAsDeployer('acme' as TenantId, 'test', 'test', stack.clock.now())

async function bind(serviceAccount: string, clusterName = SHARED.cluster): Promise<string> {
  const made = await createBinding(deps, {
    ctx: ctx(),
    giver: { tenantId: 'platform' as TenantId, scopes: new Set() },
    wanted: { cluster: clusterName, serviceAccount, scopes: ['usage:write'] },
    claim: undefined,
    nowMs: stack.clock.now(),
  })
  if (!made.ok) throw new Error(made.detail)
  return made.value.binding.bindingId
}

async function tokenOfPod(tenantId: string): Promise<string> {
  const exchanged = await exchange(await podToken(tenantId))
  if (!exchanged.ok) throw new Error(exchanged.detail)
  return exchanged.value.accessToken
}

test('a workload asks whether tokens and API keys of its tenant are good, and learns of no other tenant’s', async () => {
  const [own, foreign] = await Promise.all([tokenOfPod('acme'), tokenOfPod('small')])
  const introspect = async (token: string, by: string) => {
    const headers = { authorization: `Bearer ${by}` }
    const body = new URLSearchParams({ token })
    return (await fetch(`${stack.httpUrl}/oauth2/introspect`, { method: 'POST', headers, body })).json()
  }
  expect(await introspect(own, own)).toMatchObject({ active: true, sub: 'wl:tenant-acme/tenant-workload' })
  expect(await introspect(own, foreign)).toEqual({ active: false })
  const made = await createApiKey(deps, {
    ctx: ctx(),
    giver: { tenantId: 'platform' as TenantId, scopes: new Set(), subject: 'test' },
    wanted: { name: undefined, scopes: ['usage:read'], expiresAt: null },
    nowMs: stack.clock.now(),
  })
  if (!made.ok) throw new Error(made.detail)
  for (const [by, valid] of [
    [own, true],
    [foreign, false],
  ] as const) {
    const response = await fetch(`${stack.httpUrl}/v1/api-keys/verify`, {
      method: 'POST',
      headers: { authorization: `Bearer ${by}`, 'content-type': 'application/json' },
      body: JSON.stringify({ key: made.value.key }),
    })
    expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ valid })])
  }
})

const REFUSED = { ok: false, code: 'exchange.token_refused' }

describe('two clusters', () => {
  test('an account is bound in one of them, and its namesake in the other is somebody else', async () => {
    expect(await exchange(await podToken('acme'))).toMatchObject({ ok: true })
    expect(await exchange(await podToken('acme', { by: SECOND }))).toMatchObject(REFUSED)
    await bind('tenant-workload', SECOND.cluster)
    const second = await exchange(await podToken('acme', { by: SECOND }))
    expect(second.ok && decodeJwt(second.value.accessToken)).toMatchObject({
      scope: 'usage:write',
      wl: { cluster: 'energent-second' },
    })
  })

  test('neither signs for the other', async () => {
    expect(await exchange(await podToken('acme', { by: SECOND, iss: SHARED.issuer }))).toMatchObject(REFUSED)
    const withTheirKid = { by: SECOND, iss: SHARED.issuer, kid: SHARED.jwk.kid }
    expect(await exchange(await podToken('acme', withTheirKid))).toMatchObject(REFUSED)
  })

  test('one whose keys cannot be read is a matter of later, and the other goes on', async () => {
    const cold = another()
    SECOND.down = true
    await expect(exchange(await podToken('acme', { by: SECOND }), cold)).rejects.toThrow(DependencyFailed)
    expect(await exchange(await podToken('acme'), cold)).toMatchObject({ ok: true })
    SECOND.down = false
  })
})

describe('the state of the tenant', () => {
  test('one that is suspended gives its workloads nothing, and says so', async () => {
    await pushFact(stack, 'held', 'activated', 1)
    const token = await podToken('held')
    expect(await exchange(token)).toMatchObject({ ok: true })
    await pushFact(stack, 'held', 'suspended', 2)
    expect(await exchange(token)).toMatchObject({ ok: false, code: 'client.unauthorized' })
    await pushFact(stack, 'held', 'resumed', 3)
    expect(await exchange(token)).toMatchObject({ ok: true })
  })

  test('one that is being purged reads like one that never was', async () => {
    await pushFact(stack, 'gone', 'activated', 1)
    const token = await podToken('gone')
    await pushFact(stack, 'gone', 'purge-started', 2)
    expect(await exchange(token)).toMatchObject(REFUSED)
    expect(await exchange(await podToken('never-was'))).toMatchObject(REFUSED)
  })

  test('one whose provisioning failed gives nothing, whatever is bound', async () => {
    await pushFact(stack, 'failed', 'activated', 1)
    const token = await podToken('failed')
    expect(await exchange(token)).toMatchObject({ ok: true })
    await pushFact(stack, 'failed', 'provision-failed', 2, { state: 'PROVISION_FAILED' })
    expect(await exchange(token)).toMatchObject(REFUSED)
  })

  test('a tenant that asks for keys of tokens asks workloads too, and takes them without a key of their own', async () => {
    await pushFact(stack, 'strict', 'activated', 1, { tier: 'enterprise' })
    const policy = { requireDpop: true, requirePrivateKeyJwt: true, revision: 1 }
    const strict = openAsDeployer('strict' as TenantId, 'test', 'test', stack.clock.now())
    await change(stack.deps, strict, ['auth_state', 'current'], { policy })
    const token = await podToken('strict')
    expect(await exchange(token)).toMatchObject({ ok: false, code: 'dpop.invalid' })
    expect(await exchange(token, deps, 'A'.repeat(43))).toMatchObject({
      ok: true,
      value: { tokenType: 'DPoP' },
    })
  })

  test('its rate is that of a client of its tier, and nobody else uses it up', async () => {
    const token = await podToken('small')
    const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(token)))
    expect(answers.filter(({ ok }) => ok)).toHaveLength(4)
    expect(answers.filter((answer) => !answer.ok && answer.code === 'rate.limited')).toHaveLength(4)
    const forged = await podToken('small', { by: SECOND, iss: SHARED.issuer })
    stack.clock.advance(1_000)
    for (let tries = 0; tries < 20; tries += 1) await exchange(forged)
    expect(await exchange(token)).toMatchObject({ ok: true })
  })
})

describe('a binding that is taken back', () => {
  test('gives nothing in any process from that moment, and its id stands in the feed', async () => {
    const bindingId = await bind('batch')
    const token = await podToken('acme', { sa: 'batch' })
    const other = another()
    expect(await exchange(token, other)).toMatchObject({ ok: true })
    await deleteBinding(deps, { ctx: ctx(), bindingId, nowMs: stack.clock.now() })
    expect(await exchange(token, other)).toMatchObject(REFUSED)
    const marks = await deps.platform.revocations.refresh()
    const acme = 'acme' as TenantId
    expect(marks.isRevoked(acme, 'client', clientIdOfBinding(acme, bindingId))).toBe(true)
    expect(marks.isRevoked(acme, 'user', 'wl:tenant-acme/batch')).toBe(true)
  })

  // A watermark is of a whole second: a token of that second would be dead when it is made.
  test('and made again in the same second, gives tokens that live', async () => {
    const bindingId = await bind('again')
    await deleteBinding(deps, { ctx: ctx(), bindingId, nowMs: stack.clock.now() })
    expect(await bind('again')).toBe(bindingId)
    await deps.platform.revocations.refresh()
    const answered = await exchange(await podToken('acme', { sa: 'again' }))
    if (!answered.ok) throw new Error(answered.detail)
    // Dated as far ahead as the watermark was, which every verifier takes.
    const ahead = Number(decodeJwt(answered.value.accessToken).iat) - Math.floor(stack.clock.now() / 1000)
    expect(ahead).toBeGreaterThan(1)
    expect(ahead).toBeLessThanOrEqual(5)
    expect(await deps.platform.verifyToken(answered.value.accessToken, undefined)).toMatchObject({ ok: true })
  })

  test('its id follows from what it binds, and that of its client from both', () => {
    const bound = { cluster: 'energent-shared', ns: 'tenant-acme', sa: 'x' }
    const id = bindingIdOf(bound)
    expect(bindingIdOf({ ...bound, sa: 'y' })).not.toBe(id)
    const [acme, globex] = (['acme', 'globex'] as TenantId[]).map((tenantId) =>
      clientIdOfBinding(tenantId, id),
    )
    expect(acme).toMatch(/^cid_acme_[0-9A-Za-z]{16}$/)
    expect(acme?.slice(-16)).not.toBe(globex?.slice(-16))
  })
})

test('an account that was bound a hundred times over is enough', async () => {
  const list = await deps.bindings.list(ctx())
  const room = 101 - (list?.length ?? 0)
  await deps.platform.tenants.optimistic(ctx(), undefined, async (db) => {
    const bound = { cluster: SHARED.cluster, ns: 'tenant-acme', scopes: ['usage:write'], createdAt: 0 }
    const writes = Array.from({ length: room - 1 }, (_, at) =>
      db.create(['auth_bindings', `many-${at}`], { ...bound, sa: `many-${at}` }),
    )
    return ok({ value: true, writes })
  })
  // Of several at once for the last place one gets it.
  const last = await Promise.allSettled(['a', 'b', 'c'].map((name) => bind(`last-${name}`)))
  expect(last.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  await expect(bind('one-too-many')).rejects.toThrow('bindings')
})

describe('a dedicated cluster', () => {
  beforeAll(() => pushFact(stack, 'dora', 'activated', 1, { cluster: 't-dora' }))

  test('is known by the name its tenant was placed under, without a setting for each', async () => {
    const exchanged = await exchange(await podToken('dora', { by: OWN }))

    expect(exchanged).toMatchObject({ ok: true })
    if (!exchanged.ok) return
    expect(decodeJwt(exchanged.value.accessToken)).toMatchObject({
      tenant: 'dora',
      wl: { cluster: 't-dora', ns: 'tenant-dora', sa: 'tenant-workload' },
    })
  })

  test('speaks for its own tenant alone', async () => {
    expect(await exchange(await podToken('acme', { by: OWN }))).toMatchObject({ ok: false })
    expect(await exchange(await podToken('dora', { by: SHARED }))).toMatchObject({ ok: false })
  })

  // Whoever makes up names of clusters would have us fetch keys from all of them.
  test.each([
    ['of a tenant that has none', 'l/clusters/t-made-up'],
    ['that is not named after a tenant', 'l/clusters/energent-third'],
    ['below another', 'l/clusters/t-dora/clusters/t-dora'],
    ['out of the path', '../../v2/l/clusters/t-dora'],
  ])('%s is not asked for its keys', async (_name, path) => {
    const before = asked.length
    const iss = `https://container.googleapis.com/v1/projects/p/locations/${path}`

    expect(await exchange(await podToken('dora', { by: OWN, iss }))).toMatchObject({ ok: false })

    expect(asked.length).toBe(before)
  })
})
