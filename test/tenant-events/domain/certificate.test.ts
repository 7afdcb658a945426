import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { canonicalJson } from '#shared/json.ts'
import { deletionCertificate } from '../../../functions/tenant-events/domain/certificate.ts'
import {
  NO_ANSWERS,
  newOperation,
  type Operation,
  withStep,
} from '../../../functions/tenant-events/domain/operation.ts'
import { requestTenant, type Tenant } from '../../../functions/tenant-events/domain/tenant.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { MEMORY_KEY, memoryPurge } from '../memory-purge.ts'
import { aRequest } from '../world.ts'

const SCRIPT = join(import.meta.dirname, '../../../docs/verify-certificate.mjs')
const NOW_MS = Date.parse('2026-12-23T09:00:00Z')

function aTenant(): Tenant {
  const requested = requestTenant(aRequest(), { exists: false, tombstone: false }, 0)
  if (!requested.ok) throw new Error(requested.code)
  return { ...requested.value, state: 'PURGING' }
}

function aPurge({ desired, tenantId }: Tenant): Operation {
  const inputs = {
    kind: 'purge',
    desired,
    request: { approvals: ['a1', 'b2'].map((approver) => ({ approver, atMs: 1_000 })) },
    from: { tier: 'standard', state: 'GRACE' },
  } as const
  const begun = newOperation({ ...inputs, operationId: 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA', tenantId }, 0)
  const counted = withStep(begun, 'delete-objects', { evidence: { versions: '7', bytes: '812' } })
  const key = 'projects/p/locations/l/keyRings/r/cryptoKeys/tenant-acme'
  const destroyed = { key, versions: '1', state: 'DESTROYED', readAt: '2026-12-23T08:59:00.000Z' }
  return {
    ...withStep(counted, 'await-key-destroyed', { evidence: destroyed }),
    answers: {
      ...NO_ANSWERS,
      authErased: { counts: { users: 41, clients: 3 }, archived: 0, atMs: 5_000 },
      billingErased: { counts: { usageBatches: 812 }, archived: 12, atMs: 6_000 },
    },
  }
}

const AUDIT = { root: 'ab'.repeat(32), segments: 9 }

async function issued(
  change: (said: Record<string, unknown>) => unknown = (said) => said,
): Promise<Record<string, unknown>> {
  const tenant = aTenant()
  const certificate = deletionCertificate(tenant, aPurge(tenant), { audit: AUDIT, nowMs: NOW_MS })
  const changed = canonicalJson(change(JSON.parse(certificate)))
  const { signer } = memoryPurge({ operations: new Map(), audit: [] })
  const signature = await signer.sign(Buffer.from(changed, 'utf8'))
  return {
    certificateId: 'dc_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
    tenantId: 'acme',
    issuedAt: '2026-12-23T09:00:00.000Z',
    certificate: changed,
    signature,
  }
}

/** What a customer does, without us and without a network. */
function verified(stored: Record<string, unknown>, kid = MEMORY_KEY.kid): { status: number; said: string } {
  const folder = temporaryFolder()
  const [certificate, keys] = [join(folder, 'certificate.json'), join(folder, 'keys.json')]
  writeFileSync(certificate, JSON.stringify(stored))
  writeFileSync(keys, JSON.stringify({ keys: [{ ...MEMORY_KEY.jwk, kid }] }))
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT, certificate, keys], { encoding: 'utf8' })
  return { status: status ?? -1, said: stdout }
}

test('a customer verifies a certificate offline, with nothing but it and the published key', async () => {
  const { status, said } = verified(await issued())

  expect(said).toContain('signed: true, whole: true, counts: true, key destroyed: true')
  expect(said).toContain('acme was erased by 2026-12-23T09:00:00.000Z')
  expect(status).toBe(0)
})

test('the same purge says the same, and names everything that was erased and what is kept', () => {
  const tenant = aTenant()
  const certificate = deletionCertificate(tenant, aPurge(tenant), { audit: AUDIT, nowMs: NOW_MS })

  expect(deletionCertificate(tenant, aPurge(tenant), { audit: AUDIT, nowMs: NOW_MS })).toBe(certificate)
  expect(JSON.parse(certificate)).toMatchObject({
    tenantId: 'acme',
    namespace: 'tenant-acme',
    approvals: [{ approver: 'a1' }, { approver: 'b2' }],
    erased: {
      counts: {
        auth: { users: 41, clients: 3 },
        billing: { usageBatches: 812 },
        objects: { versions: 7, bytes: 812 },
      },
    },
    key: { state: 'DESTROYED', destroyedAt: '2026-12-23T08:59:00.000Z' },
    kept: { invoices: 12, auditSegments: 9, tombstone: 1, certificate: 1 },
    audit: AUDIT,
  })
  // Nothing that somebody wrote: reasons can name people.
  expect(certificate).not.toContain('contract ended')
})

test.each([
  [
    'other counts under the old signature',
    async () => {
      const stored = await issued()
      return { ...stored, certificate: String(stored['certificate']).replace('"users":41', '"users":40') }
    },
  ],
  ['another tenant beside the text', async () => ({ ...(await issued()), tenantId: 'globex' })],
  [
    'counts that do not fit their hash, though signed',
    () => issued((said) => ({ ...said, erased: { ...Object(said['erased']), counts: { auth: {} } } })),
  ],
  [
    'a key that still exists, though signed',
    () => issued((said) => ({ ...said, key: { name: 'k', state: 'DESTROY_SCHEDULED' } })),
  ],
  [
    'the same said in another spelling',
    async () => {
      const stored = await issued()
      return { ...stored, certificate: `${String(stored['certificate'])} ` }
    },
  ],
])('a certificate with %s is refused', async (_name, stored) => {
  expect(verified(await stored()).status).toBe(1)
})

test('a certificate is refused with another key than the published one', async () => {
  expect(verified(await issued(), 'evidence-2').status).toBe(1)
})
