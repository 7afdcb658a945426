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

async function energent(...args: string[]) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(args, {
    env: {
      GOOGLE_CLOUD_PROJECT: 'demo-test',
      FIRESTORE_EMULATOR_HOST: firestore.host,
      SECRET_MANAGER_EMULATOR_HOST: secrets.host,
      // It has no topics: what was ordered waits in the outbox, and nobody carries it out.
      PUBSUB_EMULATOR_HOST: pubsub.host,
    },
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
  })
  const text = out.join('\n')
  return { code, out: text, err: err.join('\n'), json: () => JSON.parse(text) }
}

const tenants = (...args: string[]) => energent('tenants', ...args)
const create = () =>
  tenants(
    'create',
    '--tenant',
    'acme',
    '--name',
    'Acme',
    '--tier',
    'basic',
    '--region',
    'us-central1',
    '--json',
  )

const MALFORMED: readonly (readonly [args: readonly string[], text: string])[] = [
  [['suspend', '--tenant', 'acme', '--mode', 'gently', '--reason', 'admin'], ' --mode: '],
  [['suspend', '--tenant', 'acme', '--mode', 'gently', '--reason', 'none'], '; --reason: '],
  [['change-tier', '--tenant', 'acme', '--to', 'gold'], ' --to: '],
  [['offboard', '--tenant', 'acme', '--grace-days', '91'], ' --grace-days: '],
  [['rename', '--tenant', 'acme', '--name', ' x'], ' --name: '],
  [['approve-purge', '--tenant', 'acme', '--reason', ' x'], ' --reason: '],
  [['create', '--tenant', 'X', '--name', 'X', '--tier', 'basic', '--region', 'us-central1'], ' --tenant: '],
  [['timeline', '--tenant', 'acme', '--limit', '0'], '1 to'],
  [['list', '--state', 'asleep'], 'PROVISIONING'],
]

const REFUSED: readonly (readonly [args: readonly string[], text: string])[] = [
  [['show', '--tenant', 'globex'], 'resource.not_found'],
  [['show', '--tenant', '__proto__'], 'resource.not_found'],
  [['operation', '--tenant', 'acme', '--operation', 'op_none'], 'resource.not_found'],
  [['certificate', '--tenant', 'acme'], 'resource.not_found'],
]

describe('tenants on the command line', () => {
  test('are created, listed and shown, and who did it stands in their timeline', async () => {
    const made = await create()
    const again = await create()
    const listed = await tenants('list', '--state', 'REQUESTED')
    const shown = await tenants('show', '--tenant', 'acme', '--json')
    const timeline = await tenants('timeline', '--tenant', 'acme', '--json')

    expect([made.code, again.code]).toEqual([0, 1])
    expect(made.json()).toMatchObject({
      operationId: expect.stringMatching(/^op_/),
      tenant: { tier: 'basic' },
    })
    expect(again.err).toContain('tenant.id_taken')
    expect(listed.out).toMatch(/acme +REQUESTED +basic +provision/)
    expect(shown.json()).toMatchObject({ tenantId: 'acme', legalHold: null, purgeApprovals: [] })
    expect(timeline.json()).toContainEqual(
      expect.objectContaining({ name: 'tenant.requested', actor: 'operator:deployer:local' }),
    )
  })

  test('show an operation step by step', async () => {
    const { operationId } = (await create()).json()
    const shown = await tenants('operation', '--tenant', 'acme', '--operation', operationId)
    const listed = await tenants('operations', '--tenant', 'acme', '--json')

    expect(shown.out).toMatch(/0 of \d+ steps, begun /)
    expect(shown.out).toMatch(/P01 +prepare-billing +(?:pending|intended)/)
    expect(listed.json()).toMatchObject([{ operationId, kind: 'provision', stuck: false }])
  })

  test('are held by law and released', async () => {
    await create()
    const held = await tenants('hold', '--tenant', 'acme', '--reference', 'CASE-2026/17')
    const shown = (await tenants('show', '--tenant', 'acme', '--json')).json()
    const released = await tenants('release-hold', '--tenant', 'acme')
    const after = (await tenants('show', '--tenant', 'acme', '--json')).json()

    expect([held.code, released.code]).toEqual([0, 0])
    expect(shown.legalHold).toMatchObject({ reference: 'CASE-2026/17' })
    expect(after.legalHold).toBeNull()
  })

  // The deployer's credentials alone must not be two people.
  test('are purged by operators alone, whom a demo project has by their address', async () => {
    await create()
    const approve = (...more: string[]) =>
      tenants('approve-purge', '--tenant', 'acme', '--reason', 'a test', ...more)
    const nobody = await approve()
    const stranger = await approve('--email', 'eve@example.com')
    await energent('bootstrap-operator', '--email', 'ada@example.com')
    const first = await approve('--email', 'ada@example.com')
    const same = await approve('--email', 'Ada@Example.com')

    expect([nobody.code, stranger.code, first.code, same.code]).toEqual([1, 1, 0, 1])
    expect(nobody.err).toContain('purge.person_unknown')
    expect(stranger.err).toContain('no operator')
    expect(same.err).toContain('purge.same_approver')
    expect(JSON.stringify(firestore.dump('tenants/acme'))).not.toContain('ada@')
  })

  test('refuse in a line what is wrong, by the names of the options where it is what was typed, and change nothing', async () => {
    await create()
    const before = JSON.stringify(firestore.dump('tenants/acme'))
    const asked = [
      ...REFUSED.map((each) => [1, ...each] as const),
      ...MALFORMED.map((each) => [2, ...each] as const),
    ]
    for (const [code, args, text] of asked) {
      const refused = await tenants(...args)

      expect([refused.code, refused.err], args.join(' ')).toEqual([code, expect.stringContaining(text)])
    }
    expect(JSON.stringify(firestore.dump('tenants/acme'))).toBe(before)
  })

  test('explain themselves', async () => {
    const all = await tenants('--help')
    const one = await tenants('offboard', '--help')
    const none = await tenants('launch')
    const missing = await tenants('show')

    expect(all.out).toContain('tenants approve-purge')
    expect(one.out).toContain('--grace-days')
    expect([all.code, one.code, none.code, missing.code]).toEqual([0, 0, 2, 2])
    expect((await energent('--help')).out).toMatch(/^ {2}tenants +Create/m)
  })
})
