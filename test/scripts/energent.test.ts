import { Firestore } from '@google-cloud/firestore'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { type PubsubEngine, startPubsubEngine } from '#local/engine/pubsub/index.ts'
import { type SecretManagerEngine, startSecretManagerEngine } from '#local/engine/secrets/index.ts'
import { run } from '../../scripts/energent.ts'

let firestore: FirestoreEngine
let secrets: SecretManagerEngine
let pubsub: PubsubEngine

beforeAll(async () => {
  // The command reads the machine's clock; the engines go with it.
  const now = () => performance.timeOrigin + performance.now()
  ;[firestore, secrets, pubsub] = await Promise.all([
    startFirestoreEngine({ now }),
    startSecretManagerEngine({ now }),
    startPubsubEngine({ now }),
  ])
})
afterAll(() => Promise.all([firestore.close(), secrets.close(), pubsub.close()]))
beforeEach(() => firestore.reset())

async function energent(args: string[], env: Record<string, string | undefined> = {}) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(args, {
    env: {
      GOOGLE_CLOUD_PROJECT: 'demo-test',
      FIRESTORE_EMULATOR_HOST: firestore.host,
      SECRET_MANAGER_EMULATOR_HOST: secrets.host,
      // It has no topics: the fact waits in the outbox, and the command succeeds all the same.
      PUBSUB_EMULATOR_HOST: pubsub.host,
      ...env,
    },
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

test('bootstrap-operator prints a client once, and never again', async () => {
  const first = await energent(['bootstrap-operator', '--email', 'you@example.com', '--json'])
  const second = await energent(['bootstrap-operator', '--email', 'me@example.com'])

  const made = JSON.parse(first.out) as Record<string, unknown>
  expect(first.code).toBe(0)
  expect(made).toMatchObject({ scopes: expect.arrayContaining(['platform:tenants']) })
  expect(made['clientId']).toMatch(/^cid_platform_[0-9A-Za-z]{16}$/)
  expect(made['clientSecret']).toMatch(/^dcs_/)
  expect(second.code).toBe(1)
  expect(second.err).toContain('tenant.state_conflict')
  expect(second.out).toBe('')
  expect(firestore.dump('tenants/platform/auth_clients')).toHaveLength(1)
  expect(JSON.stringify(firestore.dump())).not.toContain('you@example.com')
})

test('add-operator needs a first one', async () => {
  const early = await energent(['add-operator', '--email', 'two@example.com'])
  await energent(['bootstrap-operator', '--email', 'you@example.com'])
  const later = await energent(['add-operator', '--email', 'two@example.com'])

  expect([early.code, later.code]).toEqual([1, 0])
  expect(later.out).toContain('client secret  dcs_')
})

test.each([
  ['no e-mail', ['bootstrap-operator'], 2, '--email'],
  ['an unknown command', ['bootstrap', '--email', 'a@example.com'], 2, 'no command'],
  ['an unknown option', ['bootstrap-operator', '--mail', 'a@example.com'], 2, '--mail'],
  ['an argument too many', ['bootstrap-operator', 'x', '--email', 'a@example.com'], 2, 'more than'],
  ['an e-mail that is none', ['bootstrap-operator', '--email', 'nobody'], 2, 'e-mail'],
])('%s is said clearly and changes nothing', async (_name, args, code, text) => {
  const result = await energent(args)

  expect(result.code).toBe(code)
  expect(result.err).toContain(text)
  expect(firestore.dump('tenants')).toEqual([])
})

test.each([[['--help']], [['-h']], [[]], [['bootstrap-operator', '--help']]])(
  '%j prints the help',
  async (args) => {
    const result = await energent(args)

    expect(result.code).toBe(0)
    expect(result.out).toContain('Usage:')
  },
)

test('a demo project without emulators is said so, instead of asking Google', async () => {
  const result = await energent(['bootstrap-operator', '--email', 'a@example.com'], {
    FIRESTORE_EMULATOR_HOST: undefined,
  })

  expect(result.code).toBe(2)
  expect(result.err).toContain('FIRESTORE_EMULATOR_HOST')
})

test('emulators are refused for a real project, and no project is named', async () => {
  const real = await energent([
    'bootstrap-operator',
    '--email',
    'a@example.com',
    '--project',
    'energent-prod',
  ])
  const none = await energent(['bootstrap-operator', '--email', 'a@example.com'], {
    GOOGLE_CLOUD_PROJECT: undefined,
  })

  expect([real.code, none.code]).toEqual([2, 2])
  expect(real.err).toContain('demo-')
  expect(none.err).toContain('GOOGLE_CLOUD_PROJECT')
})

test('show-keyring, rotate-keys and compromise-key say which key signs, for people and as JSON', async () => {
  const shown = await energent(['show-keyring', '--json'])
  const ring = JSON.parse(shown.out) as { ring: string; keys: { kid: string; state: string }[] }
  const signer = ring.keys.find((key) => key.state === 'ACTIVE')?.kid ?? ''
  const table = await energent(['show-keyring'])
  const compromised = await energent(['compromise-key', '--kid', signer])
  const rotated = await energent(['rotate-keys'])
  const again = await energent(['rotate-keys'])

  expect(ring.keys.map((key) => key.state).sort()).toEqual(['ACTIVE', 'PUBLISHED'])
  expect(table.out).toMatch(new RegExp(`^${signer} +ACTIVE`, 'm'))
  expect(compromised.out).toMatch(new RegExp(`^${signer} +COMPROMISED`, 'm'))
  expect([rotated.code, again.code]).toEqual([0, 1])
  expect(again.err).toContain('less than ten minutes ago')
})

test('a key that is not there is said so', async () => {
  const result = await energent(['compromise-key', '--kid', 'nobody'])

  expect([result.code, result.out]).toEqual([1, ''])
  expect(result.err).toContain('show-keyring')
})

test('each command has its own help, with its options', async () => {
  const result = await energent(['compromise-key', '--help'])

  expect(result.code).toBe(0)
  expect(result.out).toContain('Usage: npm run energent -- compromise-key --kid KID')
})

describe('for a tenant', () => {
  beforeEach(async () => {
    const state = {
      ...{ status: 'ACTIVE', tier: 'standard', version: 1, notBefore: 0, sequence: '1' },
      ...{ cluster: 'c', namespace: 'tenant-acme', updatedAt: 0 },
    }
    const store = new Firestore({
      projectId: 'demo-test',
      host: firestore.host,
      ssl: false,
      customHeaders: { Authorization: 'Bearer owner' },
    })
    await store.doc('tenants/acme/auth_state/current').set(state)
    await store.terminate()
  })

  test('a client is made, shown without its secret, and given another secret', async () => {
    const made = await energent([
      'create-client',
      '--tenant',
      'acme',
      '--scope',
      'usage:write usage:read',
      '--json',
    ])
    const { clientId, clientSecret } = JSON.parse(made.out) as Record<string, string>
    const listed = await energent(['list-clients', '--tenant', 'acme'])
    const rotated = await energent(['rotate-secret', '--client', clientId ?? '', '--overlap', '60', '--json'])
    const view = JSON.parse(rotated.out) as { clientSecret: string; secrets: { expiresAt: string | null }[] }

    expect([made.code, listed.code, rotated.code]).toEqual([0, 0, 0])
    expect(clientSecret).toMatch(/^dcs_/)
    expect(listed.out).toMatch(new RegExp(`^${clientId} +active +client_secret_basic`, 'm'))
    expect(listed.out).not.toContain('dcs_')
    expect(view.clientSecret).not.toBe(clientSecret)
    expect(view.secrets.map((secret) => secret.expiresAt === null).sort()).toEqual([false, true])
    expect(JSON.stringify(firestore.dump('tenantAudit'))).toContain('deployer:local')
  })

  test('there are no sessions to show, and none to end', async () => {
    const listed = await energent(['list-sessions', '--tenant', 'acme'])
    const json = await energent(['list-sessions', '--tenant', 'acme', '--json'])
    const all = await energent(['revoke-sessions', '--tenant', 'acme', '--all'])

    expect([listed.out, json.out]).toEqual(['No live session.', '[]'])
    expect([all.code, all.out]).toEqual([0, 'Every session and every token of the tenant ended.'])
  })

  test.each([
    ['a tenant that is not there', ['list-clients', '--tenant', 'nobody'], 'knows no such tenant'],
    ['a scope that is none', ['create-client', '--tenant', 'acme', '--scope', 'everything'], 'scope.invalid'],
    [
      'an operator scope',
      ['create-client', '--tenant', 'acme', '--scope', 'platform:read'],
      'Only operators',
    ],
    ['a client id that is none', ['rotate-secret', '--client', 'acme'], 'cid_', 2],
    ['a client that is not there', ['rotate-secret', '--client', 'cid_acme_0000000000000000'], 'no such'],
    [
      'an overlap that is no number',
      ['rotate-secret', '--client', 'cid_acme_0000000000000000', '--overlap', 'x'],
      '--overlap',
      2,
    ],
    ['a session id that is none', ['revoke-session', '--tenant', 'acme', '--session', 'x'], 'ses_', 2],
    [
      'a session that is not there',
      ['revoke-session', '--tenant', 'acme', '--session', 'ses_01J9ZQ4Y3G5S2W8K7M6N4P0R1T'],
      'no such session',
    ],
    ['neither a user nor all', ['revoke-sessions', '--tenant', 'acme'], '--user or --all', 2],
    [
      'a user that is not there',
      ['revoke-sessions', '--tenant', 'acme', '--user', 'usr_01J9ZQ4Y3G5S2W8K7M6N4P0R1T'],
      'no such user',
    ],
  ])('%s is said so', async (_name, args, text, code = 1) => {
    const result = await energent(args)

    expect([result.code, result.out]).toEqual([code, ''])
    expect(result.err).toContain(text)
  })
})
