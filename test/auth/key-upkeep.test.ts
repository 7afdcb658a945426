import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PLATFORM_TENANT } from '#shared/ids.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import type { AuthDeps } from '../../functions/auth/deps.ts'
import { ACCESS_KEYS_SECRET } from '../../functions/auth/domain/access-key.ts'
import { DISABLED_BEFORE_DESTROYED_MS } from '../../functions/auth/domain/key-lifecycle.ts'
import { PUBLISHED_AFTER_ACTIVE_MS, PUBLISHED_BEFORE_ACTIVE_MS } from '../../functions/auth/domain/keyring.ts'
import { compromiseKey, rotateKeysNow } from '../../functions/auth/operations/manage-keys.ts'
import { type AuthStack, startAuth } from './support/auth-stack.ts'

let stack: AuthStack
let deps: AuthDeps

beforeAll(async () => {
  stack = await startAuth()
})
afterAll(() => stack.close())
beforeEach(async () => {
  stack.firestore.reset()
  stack.secretManager.reset()
  stack.published.length = 0
  deps = stack.another()
  await deps.keyring.signer(stack.clock.now())
})

const now = (): number => stack.clock.now()
const operator = () => openAsDeployer(PLATFORM_TENANT, 'deployer:test', 'test', now())
const signerKid = async (of = deps): Promise<string> => (await of.keyring.signer(now())).kid
const publishedKids = async (): Promise<string[]> =>
  (await deps.keyring.publicKeys(now())).map((key) => key.kid)

/** The state of each version in Secret Manager, by number. */
async function versionStates(): Promise<Record<string, string>> {
  const versions = await deps.platform.secrets.versions(ACCESS_KEYS_SECRET)
  return Object.fromEntries(versions.map(({ version, state }) => [version, state]))
}

function factTypes(): string[] {
  return stack.published
    .map((message) => message.attributes['type'] ?? '')
    .filter((type) => type.startsWith('ai.energent.auth.key-'))
}

describe('the private half of a key that is over', () => {
  test('is disabled when its last token is over and destroyed 30 days later', async () => {
    stack.clock.advance(PUBLISHED_BEFORE_ACTIVE_MS)
    await deps.keyring.rotate('message', now())
    const early = await deps.keyRings.access.upkeep.tidy(now())
    stack.clock.advance(PUBLISHED_AFTER_ACTIVE_MS)
    const disabled = await deps.keyRings.access.upkeep.tidy(now())
    const again = await deps.keyRings.access.upkeep.tidy(now())
    const statesThen = await versionStates()
    stack.clock.advance(DISABLED_BEFORE_DESTROYED_MS)
    const destroyed = await deps.keyRings.access.upkeep.tidy(now())

    expect([early, disabled, again, destroyed]).toEqual([0, 1, 0, 1])
    expect(statesThen).toEqual({ '1': 'DISABLED', '2': 'ENABLED', '3': 'ENABLED' })
    expect(await versionStates()).toEqual({ '1': 'DESTROYED', '2': 'ENABLED', '3': 'ENABLED' })
    expect((await deps.keyRings.access.upkeep.show(now())).keys.map((key) => key.state)).toEqual([
      'DESTROYED',
      'ACTIVE',
      'PUBLISHED',
    ])
  })

  test('is found disabled by the run after one that crashed before it wrote that down', async () => {
    stack.clock.advance(PUBLISHED_BEFORE_ACTIVE_MS)
    await deps.keyring.rotate('message', now())
    stack.clock.advance(PUBLISHED_AFTER_ACTIVE_MS)
    stack.firestore.setFault((rpc) => (rpc === 'Commit' ? { mode: 'error', code: 3 } : undefined))
    await expect(deps.keyRings.access.upkeep.tidy(now())).rejects.toThrow()
    stack.firestore.setFault(undefined)

    expect((await versionStates())['1']).toBe('DISABLED')
    expect(await deps.keyRings.access.upkeep.tidy(now())).toBe(1)
    expect(await deps.keyRings.access.upkeep.tidy(now())).toBe(0)
  })

  test('that no ring names, as a crashed rotation leaves it, is disabled after ten minutes', async () => {
    await deps.platform.secrets.addVersion(ACCESS_KEYS_SECRET, Buffer.from('orphan'))
    const young = await deps.keyRings.access.upkeep.disableOrphans(now())
    stack.clock.advance(600_000)
    const old = await deps.keyRings.access.upkeep.disableOrphans(now())

    expect([young, old]).toEqual([0, 1])
    expect(await versionStates()).toEqual({ '1': 'ENABLED', '2': 'ENABLED', '3': 'DISABLED' })
  })
})

describe('an emergency', () => {
  test('lets the standby sign at once, in every process that reads the ring, and takes the key out', async () => {
    const compromised = await signerKid()
    const [standby] = (await publishedKids()).filter((kid) => kid !== compromised)
    const done = await compromiseKey(deps, {
      ctx: operator(),
      ring: 'access',
      kid: compromised,
      nowMs: now(),
    })

    expect(done).toMatchObject({ ok: true })
    expect(await signerKid()).toBe(standby)
    expect(await signerKid(stack.another())).toBe(standby)
    expect(await publishedKids()).not.toContain(compromised)
    expect(await publishedKids()).toHaveLength(2)
    await deps.keyRings.access.upkeep.tidy(now())
    expect(await versionStates()).toEqual({ '1': 'DISABLED', '2': 'ENABLED', '3': 'ENABLED' })
  })

  test('stands in the feed before it stands in the ring, in the audit, and among the facts', async () => {
    const kid = await signerKid()
    stack.published.length = 0
    await compromiseKey(deps, { ctx: operator(), ring: 'access', kid, nowMs: now() })

    const feed = stack.firestore.dump('authFeed').map((document) => document.data)
    expect(feed).toContainEqual(expect.objectContaining({ kind: 'signingKey', id: kid }))
    const audit = JSON.stringify(stack.firestore.dump('tenantAudit'))
    expect(audit).toContain('auth.key.compromised')
    expect(audit).toContain('deployer:test')
    // The revocation is the first thing that the ring of events signs, which begins with keys of its own.
    expect([...new Set(factTypes())].sort()).toEqual([
      'ai.energent.auth.key-activated.v1',
      'ai.energent.auth.key-compromised.v1',
      'ai.energent.auth.key-published.v1',
    ])
  })

  test('asked for twice changes nothing more, and an unknown key is said so', async () => {
    const kid = await signerKid()
    await compromiseKey(deps, { ctx: operator(), ring: 'access', kid, nowMs: now() })
    const { generation } = await deps.keyRings.access.upkeep.show(now())
    await compromiseKey(deps, { ctx: operator(), ring: 'access', kid, nowMs: now() })
    const unknown = await compromiseKey(deps, {
      ctx: operator(),
      ring: 'access',
      kid: 'nobody',
      nowMs: now(),
    })

    expect((await deps.keyRings.access.upkeep.show(now())).generation).toBe(generation)
    expect(unknown).toMatchObject({ ok: false, code: 'resource.not_found' })
  })
})

test('an operator rotates ahead of time, and is told when that was done just now', async () => {
  stack.clock.advance(PUBLISHED_BEFORE_ACTIVE_MS)
  const before = await signerKid()
  const first = await rotateKeysNow(deps, { ctx: operator(), ring: 'access', nowMs: now() })
  const second = await rotateKeysNow(deps, { ctx: operator(), ring: 'access', nowMs: now() })

  expect(first).toEqual({ ok: true, value: 'rotated' })
  expect(second).toMatchObject({ ok: false, code: 'tenant.state_conflict' })
  expect(await signerKid()).not.toBe(before)
})
