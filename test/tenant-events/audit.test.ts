import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { verifyAudit } from '#shared/audit/verify-audit.ts'
import { nextLink } from '#shared/contracts/audit-chain.ts'
import { reach } from '#shared/firestore/database.ts'
import type { TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { ok } from '#shared/result.ts'
import { runSweep } from '../../functions/tenant-events/operations/run-sweep.ts'
import type { Signer } from '../../functions/tenant-events/ports/purge.ts'
import { run } from '../../scripts/energent.ts'
import { bury } from '../support/bury.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { aStack, type Stack } from './stack.ts'
import { ACME, contextOf } from './world.ts'

const GLOBEX = 'globex' as TenantId

let stack: Stack
beforeAll(async () => {
  stack = await aStack()
}, 30_000)
afterAll(() => stack.close())
beforeEach(() => {
  stack.forgetAll()
  stack.clock.advance(60_000)
})

const act = (tenantId: TenantId, action: string) =>
  stack.deps.tenants.optimistic(contextOf(tenantId), undefined, async () =>
    ok({ value: 1, writes: [], audit: [{ action, target: 'x' }] }),
  )
const sweep = async () => (await stack.api('POST', '/internal/sweep/run')).body
const sweepSigning = (signer: Partial<Signer>) =>
  runSweep(
    { ...stack.deps, world: { ...stack.deps.world, signer: { ...stack.deps.world.signer, ...signer } } },
    { nowMs: stack.clock.now(), log: silentLogger },
  )
const evidenceKeys = async () =>
  new Map((await stack.deps.world.signer.keys()).map(({ kid, jwk }) => [kid, jwk]))
const verify = (tenantId: TenantId = ACME, headKeys = evidenceKeys) =>
  verifyAudit(
    { auditChain: stack.deps.auditChain, headKeys, keepsAllKeys: true },
    { tenantId, nowMs: stack.clock.now() },
  )
const waiting = () => stack.engine.dump('lifecycle_auditPending').length
const pathsOf = (kind: 'segments' | 'chain', tenantId = ACME) =>
  stack.engine.dump(`tenantAudit/${tenantId}/lifecycle_${kind}`).map(({ path }) => path)
const db = async () => (await reach(stack.platform.database)).client

describe('the sweep', () => {
  test('chains all that the lifecycle did to a tenant, and leaves nothing that waits', async () => {
    await stack.create()
    await stack.pump()
    const made = pathsOf('segments').length
    expect(made).toBeGreaterThan(3)
    expect([waiting(), await verify()]).toMatchObject([made, { ok: true, links: 0, waiting: made }])

    expect(await sweep()).toMatchObject({ sealedSegments: made, failedParts: 0 })

    expect(waiting()).toBe(0)
    expect(await verify()).toMatchObject({
      ...{ group: 'lifecycle', ok: true, links: 1, segments: made, waiting: 0, faults: [], notes: [] },
    })
    expect(await sweep()).toMatchObject({ sealedSegments: 0 })
  })

  test('of several instances at once seals nothing twice and loses nothing', async () => {
    for (let n = 0; n < 8; n += 1) await act(ACME, `n${n}`)
    const sealed = await Promise.all([sweepSigning({}), sweepSigning({}), sweepSigning({})])
    expect(sealed.reduce((sum, { sealedSegments = 0 }) => sum + sealedSegments, 0)).toBe(8)
    expect(await verify()).toMatchObject({ ok: true, links: 1, segments: 8 })
  })

  // A purge cannot wait for the sweep: its last words are committed with the tombstone.
  test('seals what was said last of a tenant that is gone', async () => {
    await act(ACME, 'first')
    await sweep()
    await act(ACME, 'purged')
    await bury(stack.platform.database, ACME)

    expect(await sweep()).toMatchObject({ sealedSegments: 1 })
    expect(waiting()).toBe(0)
    expect(await verify()).toMatchObject({ ok: true, links: 2, segments: 2 })
  })

  test('gives each tenant a chain of its own', async () => {
    await act(ACME, 'a')
    await act(GLOBEX, 'b')
    expect(await sweep()).toMatchObject({ sealedSegments: 2 })
    expect(await verify(ACME)).toMatchObject({ ok: true, segments: 1 })
    expect(await verify(GLOBEX)).toMatchObject({ ok: true, segments: 1 })
    expect((await verify(ACME)).head).not.toBe((await verify(GLOBEX)).head)
  })

  test.each<[string, Partial<Signer>, number]>([
    ['no key can be had', { key: () => Promise.reject(new Error('Cloud KMS is down')) }, 1],
    ['nothing can be signed', { sign: () => Promise.reject(new Error('Cloud KMS is down')) }, 0],
    [
      'the key became another while it signed',
      { sign: async () => ({ alg: 'ES256', kid: 'lifecycle-evidence-2', value: 'x' }) },
      0,
    ],
  ])('goes on when %s, and the next one seals', async (_name, signer, failedParts) => {
    await stack.create()
    stack.clock.advance(61_000)
    const waited = waiting()

    expect(await sweepSigning(signer)).toMatchObject({ resumed: 1, sealedSegments: 0, failedParts })
    expect([waiting(), pathsOf('chain')]).toEqual([waited, []])

    expect(await sweep()).toMatchObject({ sealedSegments: waited })
    expect(await verify()).toMatchObject({ ok: true, links: 1 })
  })
})

// Somebody who can write to the store, and may not sign with the evidence key.
describe('the check finds', () => {
  test.each<[string, () => Promise<void>]>([
    [
      'an entry that was changed',
      async () => {
        const [path = ''] = pathsOf('segments')
        await (await db()).doc(path).update({ entries: [{ action: 'nothing.happened', target: 'x' }] })
      },
    ],
    [
      'a segment that was removed',
      async () => void (await (await db()).doc(pathsOf('segments')[1] ?? '').delete()),
    ],
    [
      'a link and a head that nobody signed',
      async () => {
        const client = await db()
        const head = client.doc(`tenantAudit/${ACME}/lifecycle_chain/head`)
        const known = (await head.get()).data() as { end: Parameters<typeof nextLink>[1]; signature: string }
        const end = { ...known.end, seq: Number(known.end.seq), segments: Number(known.end.segments) }
        const owner = { tenantId: ACME, group: 'lifecycle' }
        const forged = nextLink(owner, end, [{ id: 'x', root: 'f'.repeat(64), atMicros: 1 }], 1)
        await client.doc(`tenantAudit/${ACME}/lifecycle_chain/l000000000003`).set({ ...forged.link })
        await head.set({ end: { ...forged.end }, signature: known.signature })
      },
    ],
    [
      "another tenant's chain in its place",
      async () => {
        const client = await db()
        for (const path of [...pathsOf('chain'), ...pathsOf('segments')]) await client.doc(path).delete()
        for (const path of [...pathsOf('chain', GLOBEX), ...pathsOf('segments', GLOBEX)]) {
          const data = (await client.doc(path).get()).data() ?? {}
          await client.doc(path.replace(GLOBEX, ACME)).set(data)
        }
      },
    ],
  ])('%s', async (_name, tamper) => {
    for (const round of [1, 2]) {
      await act(ACME, `a${round}`)
      await act(GLOBEX, `b${round}`)
      await sweep()
    }
    expect(await verify()).toMatchObject({ ok: true, links: 2 })
    await tamper()
    expect(await verify()).toMatchObject({ ok: false, faults: expect.arrayContaining([expect.any(String)]) })
    expect(await verify(GLOBEX)).toMatchObject({ ok: true })
  })

  test('a chain that was sealed with a key that is not ours', async () => {
    await act(ACME, 'a')
    await sweep()
    const [ours = ''] = (await evidenceKeys()).keys()
    const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ])
    const { x = '', y = '' } = await crypto.subtle.exportKey('jwk', publicKey)
    const other = async () => new Map([[ours, { kty: 'EC', crv: 'P-256', x, y } as const]])
    expect(await verify(ACME, other)).toMatchObject({ ok: false, notes: [] })
    const named = async () => new Map([['lifecycle-evidence-9', { kty: 'EC', crv: 'P-256', x, y } as const]])
    expect(await verify(ACME, named)).toMatchObject({ ok: false, notes: [] })
  })
})

describe('audit-verify', () => {
  const folder = temporaryFolder()
  async function energent(...args: string[]) {
    const out: string[] = []
    const err: string[] = []
    const env = {
      GOOGLE_CLOUD_PROJECT: 'demo-test',
      FIRESTORE_EMULATOR_HOST: stack.platform.config.FIRESTORE_EMULATOR_HOST,
      SECRET_MANAGER_EMULATOR_HOST: stack.cloud.secrets.host,
      PUBSUB_EMULATOR_HOST: '127.0.0.1:1',
    }
    const say = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) }
    const code = await run(['audit-verify', '--tenant', ACME, '--group', 'lifecycle', ...args], {
      env,
      ...say,
    })
    return { code, out: out.join('\n'), err: err.join('\n') }
  }
  /** The answer of the API, as an operator keeps it. */
  async function keysFile(): Promise<string> {
    const { body } = await stack.api('GET', '/v1/evidence-keys')
    const file = join(folder, 'keys.json')
    writeFileSync(file, JSON.stringify(body))
    return file
  }

  test('checks the chain of the lifecycle by the keys that the API publishes', async () => {
    await act(ACME, 'a')
    await sweep()
    const keys = ['--keys', await keysFile()]
    const { head } = await verify()

    const whole = await energent(...keys, '--expect', head ?? '')
    expect([whole.code, whole.out]).toEqual([0, expect.stringContaining('The audit is whole: acme')])
    expect(whole.out).toContain('  lifecycle: 1 entries in 1 segments')
    await (await db()).doc(pathsOf('segments')[0] ?? '').update({ entries: [] })
    expect((await energent(...keys)).code).toBe(1)
  })

  test('says how to name the keys when it cannot have them, and calls nothing whole', async () => {
    await act(ACME, 'a')
    await sweep()
    const wrong = join(folder, 'wrong.json')
    writeFileSync(wrong, '{"keys":[{"kid":"x"}]}')
    for (const args of [[], ['--keys', join(folder, 'missing')], ['--keys', wrong]]) {
      const { code, err, out } = await energent(...args)
      expect([code, out]).toEqual([2, ''])
      expect(err).toContain('evidence keys')
    }
  })
})
