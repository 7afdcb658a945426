import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sealAudit } from '#shared/audit/seal-audit.ts'
import { verifyAudit } from '#shared/audit/verify-audit.ts'
import { nextLink } from '#shared/contracts/audit-chain.ts'
import { reach } from '#shared/firestore/database.ts'
import type { TenantId } from '#shared/ids.ts'
import { silentLogger } from '#shared/log.ts'
import { ok } from '#shared/result.ts'
import { listAuditEvents } from '../../functions/auth/operations/list-audit-events.ts'
import { contextOf } from '../shared/support/store.ts'
import { type AuthStack, startAuth } from './support/auth-stack.ts'
import { pushFact } from './support/tenant-facts.ts'

let stack: AuthStack
let tenant = 'acme'
let made = 0

beforeAll(async () => {
  stack = await startAuth()
}, 30_000)
afterAll(() => stack.close())
beforeEach(async () => {
  made += 1
  tenant = `tenant-${made}`
  stack.clock.advance(1_000)
})

const act = (action: string, count = 1) =>
  stack.deps.platform.tenants.optimistic(contextOf(tenant), undefined, async () =>
    ok({
      value: 1,
      writes: [],
      audit: Array.from({ length: count }, (_, n) => ({ action: `${action}.${n}`, target: 'x' })),
    }),
  )
const seal = (deps = stack.deps) => sealAudit(deps, { nowMs: stack.clock.now(), log: silentLogger })
const verify = (expected?: string) =>
  verifyAudit(stack.deps, { tenantId: tenant as TenantId, expected, nowMs: stack.clock.now() })
const db = async () => (await reach(stack.deps.platform.database)).client
const paths = (kind: 'segments' | 'chain') =>
  stack.firestore.dump(`tenantAudit/${tenant}/auth_${kind}`).map(({ path }) => path)

/** Three links of two segments each. */
async function threeLinks(): Promise<void> {
  for (const round of [1, 2, 3]) {
    await act(`a${round}`)
    await act(`b${round}`, 2)
    stack.clock.advance(60_000)
    expect(await seal()).toBe(2)
  }
}

describe('sealing', () => {
  test('chains every segment once, and a chain as it was made is whole', async () => {
    await threeLinks()
    expect(await seal()).toBe(0)
    expect(await verify()).toMatchObject({
      ...{ ok: true, links: 3, segments: 6, entries: 9, waiting: 0, faults: [], notes: [] },
    })
  })

  test('by several processes at once seals nothing twice and loses nothing', async () => {
    for (let n = 0; n < 10; n += 1) await act(`x${n}`)
    const others = [stack.deps, stack.another(), stack.another()]
    const sealed = await Promise.all(others.map(seal))
    expect(sealed.reduce((sum, one) => sum + one, 0)).toBe(10)
    expect(await verify()).toMatchObject({ ok: true, links: 1, segments: 10 })
  })

  test('that dies after its commit is recognised as done', async () => {
    await act('x')
    let lost = 0
    stack.firestore.setFault((rpc) => {
      if (rpc !== 'Commit' || lost > 0) return undefined
      lost += 1
      return { mode: 'lostAnswer' }
    })
    expect(await seal()).toBe(1)
    stack.firestore.setFault(undefined)
    expect(await verify()).toMatchObject({ ok: true, links: 1, segments: 1 })
  })

  test('leaves what was committed since for the next run, and the check knows that it waits', async () => {
    await threeLinks()
    await act('later')
    expect(await verify()).toMatchObject({ ok: true, segments: 6, waiting: 1 })
    stack.clock.advance(2 * 3_600_000)
    expect(await verify()).toMatchObject({ ok: false })
    await seal()
    expect(await verify()).toMatchObject({ ok: true, segments: 7, waiting: 0 })
  })

  test('says in the log where the chain ends', async () => {
    await act('x')
    await sealAudit(stack.deps, { nowMs: stack.clock.now(), log: stack.deps.platform.log })
    const { head } = await verify()
    expect(stack.logLines.some((line) => line.includes('audit sealed') && line.includes(head ?? '-'))).toBe(
      true,
    )
  })
})

// Somebody who can write to the store, and has no key of ours.
describe('the check finds', () => {
  test.each<[string, () => Promise<void>]>([
    [
      'an entry that was changed',
      async () => {
        const [path = ''] = paths('segments')
        await (await db()).doc(path).update({ entries: [{ action: 'nothing.happened', target: 'x' }] })
      },
    ],
    [
      'a segment that was removed',
      async () => void (await (await db()).doc(paths('segments')[2] ?? '').delete()),
    ],
    [
      'a segment that was put in',
      async () =>
        void (await (
          await db()
        )
          .doc(`tenantAudit/${tenant}/auth_segments/invented`)
          .set({ tenantId: tenant, atMs: 1, entries: [], root: 'f'.repeat(64) })),
    ],
    ['a link that was removed', async () => void (await (await db()).doc(paths('chain')[2] ?? '').delete())],
    [
      'the first link removed',
      async () => void (await (await db()).doc(`tenantAudit/${tenant}/auth_chain/l000000000001`).delete()),
    ],
    [
      'the last link removed',
      async () => void (await (await db()).doc(`tenantAudit/${tenant}/auth_chain/l000000000003`).delete()),
    ],
    [
      'two links that changed places',
      async () => {
        const client = await db()
        const [one, two] = ['l000000000001', 'l000000000002'].map((id) =>
          client.doc(`tenantAudit/${tenant}/auth_chain/${id}`),
        )
        if (one === undefined || two === undefined) return
        const [first, second] = [(await one.get()).data() ?? {}, (await two.get()).data() ?? {}]
        await one.set({ ...second, seq: 1 })
        await two.set({ ...first, seq: 2 })
      },
    ],
    [
      'segments that changed places in their link',
      async () => {
        const link = (await db()).doc(`tenantAudit/${tenant}/auth_chain/l000000000002`)
        const data = (await link.get()).data() ?? {}
        await link.update({ segments: [...(data['segments'] as unknown[])].reverse() })
      },
    ],
    [
      'a head that was removed',
      async () => void (await (await db()).doc(`tenantAudit/${tenant}/auth_chain/head`).delete()),
    ],
    [
      'a link and a head made by somebody without our key',
      async () => {
        const client = await db()
        const head = client.doc(`tenantAudit/${tenant}/auth_chain/head`)
        const known = (await head.get()).data() as { end: Parameters<typeof nextLink>[1]; signature: string }
        const owner = { tenantId: tenant, group: 'auth' }
        const end = { ...known.end, seq: Number(known.end.seq), segments: Number(known.end.segments) }
        const forged = nextLink(owner, end, [{ id: 'x', root: 'f'.repeat(64), atMicros: 1 }], 1)
        await client.doc(`tenantAudit/${tenant}/auth_chain/l000000000004`).set({ ...forged.link })
        await head.set({ end: { ...forged.end }, signature: known.signature })
      },
    ],
  ])('%s', async (_name, tamper) => {
    await threeLinks()
    expect(await verify()).toMatchObject({ ok: true })
    await tamper()
    const report = await verify()
    expect(report.ok, JSON.stringify(report)).toBe(false)
    expect(report.faults.length).toBeGreaterThan(0)
  })

  test('an audit that was removed as a whole, and a tenant that never was', async () => {
    await threeLinks()
    const client = await db()
    for (const path of [...paths('segments'), ...paths('chain')]) await client.doc(path).delete()
    expect(await verify()).toMatchObject({ ok: false, links: 0, head: null })
    tenant = 'never-was'
    expect(await verify()).toMatchObject({ ok: false, faults: [expect.stringContaining('no such tenant')] })
  })

  test('a chain put back to where it was before, by whoever saw a later end', async () => {
    await threeLinks()
    const client = await db()
    const head = client.doc(`tenantAudit/${tenant}/auth_chain/head`)
    const older = (await head.get()).data() ?? {}
    const segments = new Set(paths('segments'))
    await act('to be forgotten')
    await seal()
    const { head: end } = await verify()
    // An old head is signed as well as the new one; everything since goes with it.
    await head.set(older)
    await client.doc(`tenantAudit/${tenant}/auth_chain/l000000000004`).delete()
    for (const path of paths('segments')) if (!segments.has(path)) await client.doc(path).delete()

    expect(await verify()).toMatchObject({ ok: true })
    expect(await verify(end ?? undefined)).toMatchObject({ ok: false })
  })
})

describe('who reads the audit', () => {
  const read = (after?: Parameters<typeof listAuditEvents>[1]['after'], limit = 4, sinceMs = 0) =>
    listAuditEvents(stack.deps, { ctx: contextOf(tenant), after, limit, sinceMs })
  const actions = async (limit: number, between: () => Promise<unknown> = async () => undefined) => {
    const seen: string[] = []
    let after: Parameters<typeof listAuditEvents>[1]['after']
    for (let page = 0; page < 50; page += 1) {
      const found = await read(after, limit)
      if (!found.ok) throw new Error(found.detail)
      seen.push(...found.value.events.map(({ entry }) => String(entry['action'])))
      if (found.value.next === undefined) return seen
      after = found.value.next
      await between()
    }
    throw new Error('pages without end')
  }

  test.each([1, 2, 3, 100])('sees everything once, the newest first, %i at a time', async (limit) => {
    await pushFact(stack, tenant, 'activated', 1)
    await seal()
    await threeLinks()
    await act('waits', 2)
    expect(await actions(limit)).toEqual([
      ...['waits.1', 'waits.0'],
      ...[3, 2, 1].flatMap((round) => [`b${round}.1`, `b${round}.0`, `a${round}.0`]),
      'auth.tenant.state_applied',
    ])
  })

  test('sees the same whatever is committed and sealed between two pages', async () => {
    await pushFact(stack, tenant, 'activated', 1)
    for (let n = 0; n < 6; n += 1) {
      await act(`n${n}`)
      stack.clock.advance(10)
    }
    let round = 0
    const seen = await actions(2, async () => {
      round += 1
      await act(`between${round}`)
      await seal()
    })
    expect(seen).toEqual([5, 4, 3, 2, 1, 0].map((n) => `n${n}.0`).concat('auth.tenant.state_applied'))
  })

  test('sees no further back than the tier looks', async () => {
    await pushFact(stack, tenant, 'activated', 1)
    await act('old')
    await seal()
    stack.clock.advance(100 * 24 * 3_600_000)
    await act('new')
    await seal()
    const found = await read(undefined, 100, stack.clock.now() - 90 * 24 * 3_600_000)
    expect(found.ok && found.value.events.map(({ entry }) => entry['action'])).toEqual(['new.0'])
  })

  test('of a tenant that never was is told that there is none', async () => {
    expect(await read()).toMatchObject({ ok: false, code: 'resource.not_found' })
  })
})
