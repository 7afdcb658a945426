import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import { sha256Hex } from '#shared/ids.ts'
import {
  newOperation,
  type Operation,
  withStep,
} from '../../../../functions/tenant-events/domain/operation.ts'
import type { StepOutcome } from '../../../../functions/tenant-events/domain/step-outcome.ts'
import { requestTenant, type Tenant } from '../../../../functions/tenant-events/domain/tenant.ts'
import type { StepWork } from '../../../../functions/tenant-events/operations/steps/step.ts'
import { STEPS } from '../../../../functions/tenant-events/operations/steps.ts'
import { type MemoryLeaving, memoryLeaving, memoryPurge, putObject } from '../../memory-purge.ts'
import { ACME, aRequest, aWorld, contextOf, LOG, NO_DEADLINE, TRACE } from '../../world.ts'

const PREFIX = `exports/acme/op_1/`
const MIB = 1024 * 1024

type Leaver = {
  readonly leaving: MemoryLeaving
  tenant: Tenant
  operation: Operation
  /** Tries a step until it is done, as the saga does; counts the tries. */
  run(key: StepKey): Promise<{ outcome: StepOutcome; tries: number }>
}

function aLeaver(kind: 'export' | 'purge'): Leaver {
  const requested = requestTenant(aRequest(), { exists: false, tombstone: false }, 0)
  if (!requested.ok) throw new Error(requested.code)
  const { desired } = requested.value
  const inputs = { kind, desired, request: {}, from: { tier: 'standard', state: 'ACTIVE' } } as const
  const leaving = memoryLeaving()
  const world = { ...aWorld().process().world, ...memoryPurge({ operations: new Map(), audit: [] }, leaving) }
  const leaver: Leaver = {
    leaving,
    tenant: { ...requested.value, state: kind === 'purge' ? 'PURGING' : 'ACTIVE' },
    operation: newOperation({ ...inputs, operationId: 'op_1', tenantId: ACME }, 1_000),
    run: async (key) => {
      for (let tries = 1; ; tries += 1) {
        const work: StepWork = {
          ...{ tenant: leaver.tenant, operation: leaver.operation, ctx: contextOf(ACME), world },
          ...{ cluster: undefined as never, defaultCluster: 'none', nowMs: 2_000, trace: TRACE },
          ...{ signal: NO_DEADLINE, log: LOG },
        }
        const outcome = await STEPS[key].run(work)
        if (outcome.kind === 'failed') return { outcome, tries }
        const before = leaver.operation.steps[key]?.evidence ?? {}
        leaver.operation = withStep(leaver.operation, key, { evidence: { ...before, ...outcome.evidence } })
        if (outcome.kind === 'done') leaver.tenant = outcome.change?.(leaver.tenant) ?? leaver.tenant
        if (outcome.kind === 'done' || outcome.again !== true) return { outcome, tries }
      }
    },
  }
  return leaver
}

/** A part of auth's, as large as it says it is. */
function parts(leaver: Leaver, count: number, saysBytes: number): void {
  const members = Array.from({ length: count }, (_, index) => {
    const bytes = Buffer.from(`{"number":${index}}\n`)
    const object = `${PREFIX}auth/things-${index}.ndjson`
    putObject(leaver.leaving, object, bytes)
    const path = `auth/things-${String(index + 1).padStart(5, '0')}.ndjson`
    return { path, object, sha256: sha256Hex(bytes), bytes: saysBytes, rows: 1 }
  })
  const manifest = Buffer.from(JSON.stringify({ members }))
  putObject(leaver.leaving, `${PREFIX}auth/manifest.json`, manifest)
  const authExported = { manifest: `${PREFIX}auth/manifest.json`, sha256: sha256Hex(manifest) }
  leaver.operation = { ...leaver.operation, answers: { ...leaver.operation.answers, authExported } }
}

const archiveOf = (leaver: Leaver): Buffer => {
  const found = leaver.leaving.versions.find(({ name }) => name.endsWith('.tar.gz'))
  return gunzipSync(found?.data ?? Buffer.of())
}

// 70 lots: more than one call of the bucket joins, and more than one try packs.
test('a large tenant is packed in many tries and joined in levels to one archive with every file', async () => {
  const leaver = aLeaver('export')
  parts(leaver, 70, 9 * MIB)

  await leaver.run('write-own-part')
  const packing = await leaver.run('pack-archive')
  const sealed = await leaver.run('seal-archive')

  expect(packing.tries).toBeGreaterThan(10)
  expect(sealed.outcome.kind).toBe('done')
  const archive = archiveOf(leaver)
  for (const index of [0, 31, 32, 69]) expect(archive.includes(`{"number":${index}}`)).toBe(true)
  expect(archive.length % 512).toBe(0)
  expect(leaver.tenant.export).toMatchObject({ operationId: 'op_1', object: `${PREFIX}energent-acme.tar.gz` })
})

test('every step of an export can run again at any time and comes to the same archive', async () => {
  const leaver = aLeaver('export')
  parts(leaver, 3, MIB)
  const steps = ['write-own-part', 'pack-archive', 'seal-archive'] as const
  for (const key of steps) await leaver.run(key)
  const [first, told] = [archiveOf(leaver), leaver.tenant.export]

  for (const key of steps) await leaver.run(key)

  expect(archiveOf(leaver).equals(first)).toBe(true)
  expect(leaver.tenant.export).toEqual(told)
})

test('after an export its parts are gone, and what a tenant exported of its usage is there', async () => {
  const leaver = aLeaver('export')
  parts(leaver, 3, MIB)
  putObject(leaver.leaving, 'exports/acme/hUsage/part-1.csv', Buffer.from('of billing'))
  putObject(leaver.leaving, 'exports/acme-two/op_2/x', Buffer.from('of a neighbour'))
  for (const key of ['write-own-part', 'pack-archive', 'seal-archive', 'clean-export'] as const) {
    await leaver.run(key)
  }

  expect(leaver.leaving.versions.map(({ name }) => name).sort()).toEqual([
    'exports/acme-two/op_2/x',
    'exports/acme/hUsage/part-1.csv',
    `${PREFIX}energent-acme.tar.gz`,
  ])
})

test.each([
  ['a part', `${PREFIX}auth/things-1.ndjson`],
  ['a list of parts', `${PREFIX}auth/manifest.json`],
])('%s that somebody changed is never packed', async (_name, object) => {
  const leaver = aLeaver('export')
  parts(leaver, 3, MIB)
  const at = leaver.leaving.versions.findIndex(({ name }) => name === object)
  leaver.leaving.versions.splice(at, 1)
  putObject(leaver.leaving, object, Buffer.from('{"members":[]}'))

  expect((await leaver.run('pack-archive')).outcome).toMatchObject({
    kind: 'failed',
    failure: { kind: 'permanent', code: 'export.part_damaged' },
  })
})

test('a purge deletes all versions of the tenant’s objects, counts them, and touches no neighbour’s', async () => {
  const leaver = aLeaver('purge')
  const named = Array.from({ length: 9 }, (_, index) => `exports/acme/h${index}/part.csv`)
  for (const name of named) putObject(leaver.leaving, name, Buffer.from('12345'))
  const [first] = leaver.leaving.versions
  if (first !== undefined) leaver.leaving.versions.push({ ...first, generation: '99', live: false })
  putObject(leaver.leaving, 'exports/acme-two/h/part.csv', Buffer.from('of a neighbour'))

  const { outcome } = await leaver.run('delete-objects')

  expect(outcome).toMatchObject({ kind: 'done', evidence: { versions: '10', bytes: '50' } })
  expect(leaver.leaving.versions.map(({ name }) => name)).toEqual(['exports/acme-two/h/part.csv'])
})

test('no certificate is issued while anybody keeps a document, or has written an object', async () => {
  const leaver = aLeaver('purge')
  leaver.leaving.below.set('tenants/acme/billing_invoices/i1', {})
  leaver.leaving.below.set('tenants/acme/auth_state/current', {})
  // A message that came late: its group is asked once more, by a number that no other fact will have.
  expect((await leaver.run('issue-certificate')).outcome).toMatchObject({
    kind: 'waiting',
    waitingFor: 'billing',
    evidence: { left: 'billing_invoices 1' },
    events: [
      { topic: 'tenant-facts', event: { type: 'ai.energent.tenant.purge-started.v1', sequence: '0' } },
    ],
  })
  leaver.leaving.below.delete('tenants/acme/billing_invoices/i1')
  leaver.leaving.below.set('tenants/acme/whose_things/i1', {})
  expect((await leaver.run('issue-certificate')).outcome).toMatchObject({
    failure: { code: 'purge.documents_left', text: 'whose_things 1' },
  })

  leaver.leaving.below.delete('tenants/acme/whose_things/i1')
  putObject(leaver.leaving, 'exports/acme/late', Buffer.from('x'))
  expect((await leaver.run('issue-certificate')).outcome).toMatchObject({
    failure: { code: 'purge.objects_left' },
  })

  const { outcome } = await leaver.run('issue-certificate')
  expect(outcome).toMatchObject({
    kind: 'done',
    burial: { tombstone: { tenantId: 'acme' }, certificate: { certificateId: 'dc_1', tenantId: 'acme' } },
  })
})

test('a legal hold stops a purge before anything is gone', async () => {
  const leaver = aLeaver('purge')
  leaver.tenant = { ...leaver.tenant, legalHold: { reference: 'CASE-1', atMs: 0 } }

  expect((await leaver.run('confirm-purge')).outcome).toMatchObject({
    failure: { kind: 'refused', code: 'tenant.legal_hold' },
  })
})

test('a purge waits for auth and for billing, each', async () => {
  const leaver = aLeaver('purge')
  const erased = { counts: { things: 3 }, archived: 2, atMs: 1 }
  const { answers } = leaver.operation
  expect((await leaver.run('await-erased')).outcome).toMatchObject({ kind: 'waiting', waitingFor: 'auth' })
  leaver.operation = { ...leaver.operation, answers: { ...answers, authErased: erased } }
  expect((await leaver.run('await-erased')).outcome).toMatchObject({ kind: 'waiting', waitingFor: 'billing' })
  leaver.operation = {
    ...leaver.operation,
    answers: { ...answers, authErased: erased, billingErased: erased },
  }
  expect((await leaver.run('await-erased')).outcome).toMatchObject({
    kind: 'done',
    evidence: { archived: '2' },
  })
})
