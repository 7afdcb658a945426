import { Firestore } from '@google-cloud/firestore'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { type PubsubEngine, startPubsubEngine } from '#local/engine/pubsub/index.ts'
import { type SecretManagerEngine, startSecretManagerEngine } from '#local/engine/secrets/index.ts'
import { sealAudit } from '#shared/audit/seal-audit.ts'
import { systemClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import { silentLogger } from '#shared/log.ts'
import { wireAuth } from '../../functions/auth/wiring.ts'
import { run } from '../../scripts/energent.ts'

let firestore: FirestoreEngine
let secrets: SecretManagerEngine
let pubsub: PubsubEngine
let env: Record<string, string>

beforeAll(async () => {
  const { now } = systemClock
  ;[firestore, secrets, pubsub] = await Promise.all([
    startFirestoreEngine({ now }),
    startSecretManagerEngine({ now }),
    startPubsubEngine({ now }),
  ])
  env = {
    GOOGLE_CLOUD_PROJECT: 'demo-test',
    FIRESTORE_EMULATOR_HOST: firestore.host,
    SECRET_MANAGER_EMULATOR_HOST: secrets.host,
    PUBSUB_EMULATOR_HOST: pubsub.host,
  }
})
afterAll(() => Promise.all([firestore.close(), secrets.close(), pubsub.close()]))

async function energent(...args: string[]) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(args, {
    env,
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

const check = (...more: string[]) => energent('audit-verify', '--tenant', 'platform', ...more)

test('audit-verify says what it found, and its exit code says whether it is whole', async () => {
  await energent('bootstrap-operator', '--email', 'you@example.com')
  expect(JSON.parse((await check('--json')).out)).toMatchObject({
    ...{ tenantId: 'platform', ok: true },
    chains: [
      { group: 'auth', links: 0, waiting: 1 },
      { group: 'lifecycle', links: 0, waiting: 0 },
    ],
  })

  const config = readConfig({
    ...{ ...env, FUNCTION_TARGET: 'authHandler', FUNCTION_URI: 'https://auth.test' },
    ...{ PUBLIC_BASE_URL: 'https://api.test', CALLER_CHECK: 'direct' },
  })
  const deps = wireAuth(config, { log: silentLogger })
  expect(await sealAudit(deps, { nowMs: systemClock.now(), log: silentLogger })).toBe(1)
  await closeDatabase(deps.platform.database)

  const whole = await check('--json')
  const report = JSON.parse(whole.out) as { ok: boolean; chains: { head: string }[] }
  const auth = (expected: string) => check('--group', 'auth', '--expect', expected)
  expect([whole.code, report.ok]).toEqual([0, true])
  expect(report.chains[0]).toMatchObject({ ok: true, links: 1, segments: 1, waiting: 0, faults: [] })
  expect((await auth(report.chains[0]?.head ?? '')).out).toContain('The audit is whole')
  expect((await auth(`1:${'0'.repeat(64)}`)).code).toBe(1)

  const client = new Firestore({ projectId: 'demo-test', host: firestore.host, ssl: false })
  const [segment] = firestore.dump('tenantAudit/platform/auth_segments')
  await client.doc(segment?.path ?? '').update({ entries: [] })
  await client.terminate()
  const broken = await check()
  expect(broken.code).toBe(1)
  expect(broken.out).toContain('THE AUDIT IS NOT WHOLE')
  expect(broken.out).toContain('was changed')
})

test.each([
  [['audit-verify']],
  [['audit-verify', '--tenant', '../platform']],
  [['audit-verify', '--tenant', 'platform', '--expect', 'x']],
  [['audit-verify', '--tenant', 'platform', '--group', 'billing']],
  [['audit-verify', '--tenant', 'platform', '--expect', `1:${'0'.repeat(64)}`]],
])('%j is asked wrongly', async (args) => {
  expect((await energent(...args)).code).toBe(2)
})
