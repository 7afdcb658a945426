import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { startPubsubEngine } from '#local/engine/pubsub/index.ts'
import { connectPubsub } from '#local/pusher/connect.ts'
import { systemClock } from '#shared/clock.ts'
import { run } from '../../scripts/energent.ts'
import { newProject, startBilling } from '../exactly-once/instances.ts'
import { tenantFact } from '../exactly-once/messages.ts'
import { openWire, type Wire } from '../exactly-once/wire.ts'
import { googleEngine } from '../support/engines.ts'

const TYPE = 'ai.energent.usage.workflow_runs.v1'
const SENT = new Date(systemClock.now()).toISOString()
const LISTENER = 'billing-events-to-billing'

describe.each(inject('engines'))('with Pub/Sub of the %s engine', (engine) => {
  let firestore: FirestoreEngine
  let pubsubHost = ''
  let closePubsub = async (): Promise<void> => {}
  let project = ''
  let wire: Wire
  let billing: Awaited<ReturnType<typeof startBilling>>

  beforeAll(async () => {
    firestore = await startFirestoreEngine({ now: systemClock.now })
    if (engine === 'google') pubsubHost = await googleEngine('pubsub').host()
    else {
      const pubsub = await startPubsubEngine()
      pubsubHost = pubsub.host
      closePubsub = pubsub.close
    }
  })
  afterAll(() => Promise.all([firestore.close(), closePubsub()]))
  beforeEach(async () => {
    project = newProject()
    firestore.setFault(undefined)
    firestore.reset()
    wire = await openWire(pubsubHost, project, ['billing-events'])
    billing = await startBilling({ project, firestoreHost: firestore.host })
    await billing.push('tenant-facts-to-billing', tenantFact('acme', systemClock.now()))
    return async () => {
      await Promise.all([wire.close(), billing.close()])
    }
  })

  async function energent(...args: string[]) {
    const out: string[] = []
    const err: string[] = []
    const code = await run(args, {
      env: {
        GOOGLE_CLOUD_PROJECT: project,
        FIRESTORE_EMULATOR_HOST: firestore.host,
        SECRET_MANAGER_EMULATOR_HOST: '127.0.0.1:1',
        PUBSUB_EMULATOR_HOST: pubsubHost,
      },
      out: (line) => void out.push(line),
      err: (line) => void err.push(line),
    })
    const text = out.join('\n')
    return { code, out: text, err: err.join('\n'), json: () => JSON.parse(text) }
  }
  const stored = (prefix: string) => firestore.dump(prefix)
  const audits = () => stored('tenantAudit').flatMap(({ data }) => data['entries'] as { action: string }[])
  const usage = (id: string, value: unknown) => ({
    specversion: '1.0',
    id,
    source: '//test.example/redrive',
    type: TYPE,
    subject: 'tenants/acme',
    time: SENT,
    data: { value },
  })
  const counted = () => stored('tenants/acme/billing_usageBatches').length

  describe('the quarantine', () => {
    /** An honest event that came with another tenant's attribute: good again as soon as that is gone. */
    async function poison(): Promise<string> {
      const attributes = { type: TYPE, tenantid: 'globex', note: 'kept' }
      expect(await billing.push(LISTENER, usage('e1', '1'), attributes)).toBe(204)
      const [entry] = (await energent('quarantine', 'list', '--group', 'billing', '--json')).json()
      return entry.id
    }

    test('lists why, from which delivery and in which trace, and shows the payload', async () => {
      const id = await poison()
      const listed = await energent('quarantine', 'list', '--group', 'billing')
      const shown = await energent('quarantine', 'show', id, '--group', 'billing')

      expect(listed.out).toContain('event.tenant_mismatch')
      expect(listed.out).toMatch(/delivery 3, trace [0-9a-f]{32}/)
      const entry = shown.json()
      expect(entry).toMatchObject({ status: 'waiting', topic: 'billing-events', attempt: 3 })
      expect(entry.attributes).toMatchObject({ note: 'kept', tenantid: 'globex' })
      expect(entry.payloadHash).toMatch(/^[0-9a-f]{64}$/)
      expect(JSON.parse(entry.payload)).toMatchObject({ id: 'e1' })
    })

    test('sends an entry again as it came, once, and says so the second time', async () => {
      const id = await poison()
      const first = await energent('quarantine', 'redrive', id, '--group', 'billing')
      const again = await energent('quarantine', 'redrive', id, '--group', 'billing')
      const sent = await wire.pullAll()

      expect([first.code, again.code]).toEqual([0, 0])
      expect(first.out).toContain('1 redriven, 0 not.')
      expect(again.out).toContain('is redriven already')
      expect(sent).toHaveLength(1)
      expect(sent[0]?.attributes).toMatchObject({ note: 'kept', type: TYPE })
      expect(JSON.parse(sent[0]?.text ?? '')).toMatchObject({ id: 'e1' })
      expect(audits().filter(({ action }) => action === 'quarantine.redriven')).toHaveLength(1)
    })

    test('what is refused again waits again, under its old name', async () => {
      const id = await poison()
      await energent('quarantine', 'redrive', id, '--group', 'billing')
      const [message] = await wire.pullAll()
      await billing.push(LISTENER, Buffer.from(message?.text ?? ''), message?.attributes)
      const entries = (await energent('quarantine', 'list', '--group', 'billing', '--json')).json()

      expect(entries).toMatchObject([{ id, times: 2, status: 'waiting' }])
    })

    test('a dry run and a discard send nothing; what is discarded stays so', async () => {
      const id = await poison()
      const dry = await energent('quarantine', 'redrive', '--all', '--group', 'billing', '--dry-run')
      const given = await energent('quarantine', 'discard', '--all', '--group', 'billing', '--json')
      const later = await energent('quarantine', 'redrive', id, '--group', 'billing')
      await billing.push(LISTENER, usage('e1', '1'), { type: TYPE, tenantid: 'globex', note: 'kept' })

      expect(dry.out).toContain('1 would be redriven')
      expect(given.json()).toMatchObject({ verdict: 'discarded', results: [{ id, outcome: 'done' }] })
      expect(later.code).toBe(1)
      expect(later.err).toContain('discarded already')
      expect(await wire.pullAll()).toEqual([])
      expect((await energent('quarantine', 'list', '--group', 'billing', '--json')).json()).toEqual([])
    })

    test("billing's own waiting usage is left alone", async () => {
      await billing.push(LISTENER, { ...usage('w1', '1'), subject: 'tenants/newcomer' })
      const waiting = ['--group', 'billing', '--status', 'awaiting-tenant', '--json']
      const [entry] = (await energent('quarantine', 'list', ...waiting)).json()
      const all = await energent('quarantine', 'redrive', '--all', '--group', 'billing')
      const one = await energent('quarantine', 'redrive', entry.id, '--group', 'billing')

      expect(all.out).toContain('0 redriven, 0 not.')
      expect(one.code).toBe(1)
      expect(one.err).toContain('billing applies it by itself')
      expect(await wire.pullAll()).toEqual([])
    })

    test('a message of 3 MB that no store takes as one document comes out whole', async () => {
      const payload = Buffer.from(`{"a":"${'x'.repeat(3_000_000)}"`)
      expect(await billing.push(LISTENER, payload)).toBe(204)
      const [entry] = (await energent('quarantine', 'list', '--group', 'billing', '--json')).json()
      await energent('quarantine', 'redrive', entry.id, '--group', 'billing')
      const [sent] = await wire.pullAll()

      expect(entry).toMatchObject({ parts: 6, payloadBytes: payload.length })
      expect(sent?.text).toBe(payload.toString())
    })

    // Each commit of a redrive fails before or after its effect; running it again must end the same.
    test.each(['error', 'lostAnswer'] as const)(
      'a redrive cut off by %s at any commit ends in one effect',
      async (mode) => {
        for (let failing = 1; failing <= 2; failing += 1) {
          const event = usage(`cut-${mode}-${failing}`, 'x')
          await billing.push(LISTENER, event)
          let commits = 0
          firestore.setFault((rpc) => {
            if (rpc !== 'Commit') return undefined
            commits += 1
            return commits === failing ? { mode, code: 13 } : undefined
          })
          const cut = await energent('quarantine', 'redrive', '--all', '--group', 'billing')
          firestore.setFault(undefined)
          const before = audits().length
          const again = await energent('quarantine', 'redrive', '--all', '--group', 'billing')
          const left = (await energent('quarantine', 'list', '--group', 'billing', '--json')).json()

          expect(cut.code).toBe(1)
          expect(again.code).toBe(0)
          expect(left).toEqual([])
          expect(audits().length).toBeLessThanOrEqual(Math.max(before, failing))
          const copies = (await wire.pullAll()).filter(({ text }) => text.includes(event.id))
          expect(copies.length).toBeGreaterThanOrEqual(1)
          expect(new Set(copies.map(({ text }) => text)).size).toBe(1)
        }
      },
    )
  })

  describe('dead letters', () => {
    async function letters(count: number): Promise<void> {
      const pubsub = await connectPubsub({ pubsubHost, project })
      const topic = pubsub.topic('billing-events-dead-letter')
      for (let at = 0; at < count; at += 1) {
        await topic.publishMessage({
          json: usage(`d${at}`, '1'),
          attributes: {
            type: TYPE,
            tenantid: 'acme',
            CloudPubSubDeadLetterSourceSubscription: LISTENER,
            CloudPubSubDeadLetterSourceDeliveryCount: '100',
          },
        })
      }
      await pubsub.close()
    }
    const deadLetters = (...args: string[]) => energent('dead-letters', ...args, '--topic', 'billing-events')

    test('are listed without being taken', async () => {
      await letters(3)
      const first = await deadLetters('list')
      const second = await deadLetters('list', '--json')

      expect(first.out).toContain(`${LISTENER} gave up after 100 deliveries`)
      expect(second.json()).toHaveLength(3)
      expect(second.json()[0]).toMatchObject({
        attributes: { type: TYPE, tenantid: 'acme' },
        deliveries: 100,
      })
    })

    test('one is shown with its payload, by either of its names, and stays', async () => {
      await letters(2)
      const [first] = (await deadLetters('list', '--json')).json()
      const shown = await deadLetters('show', first.messageId)
      const named = await deadLetters('show', `billing-events_${first.messageId}`, '--json')
      const missing = await deadLetters('show', 'none')

      expect(JSON.parse(shown.json().payload)).toMatchObject({ data: { value: '1' } })
      expect(named.json()).toEqual(shown.json())
      expect([missing.code, missing.err]).toEqual([1, expect.stringContaining('no such dead letter')])
      expect((await deadLetters('list', '--json')).json()).toHaveLength(2)
    })

    test('go back to their topic with their own attributes, and are gone; delivered they count once', async () => {
      await letters(3)
      const dry = await deadLetters('redrive', '--all', '--dry-run')
      const done = await deadLetters('redrive', '--all')
      const again = await deadLetters('redrive', '--all')
      const sent = await wire.pullAll()
      for (const { text, attributes } of [...sent, ...sent]) {
        expect(await billing.push(LISTENER, Buffer.from(text), attributes)).toBe(204)
      }

      expect(dry.out).toContain('3 would be redriven')
      expect(done.out).toContain('3 redriven, 0 not.')
      expect(again.out).toContain('0 redriven, 0 not.')
      expect(sent.map(({ attributes }) => attributes)).toEqual(
        Array(3).fill({ type: TYPE, tenantid: 'acme' }),
      )
      expect(counted()).toBe(3)
      expect(audits().filter(({ action }) => action === 'dead-letter.redriven')).toHaveLength(3)
    })

    test('one of them is settled by its id, and one that is not there is said so', async () => {
      await letters(2)
      const [first] = (await deadLetters('list', '--json')).json()
      const gone = await deadLetters('discard', first.messageId)
      const missing = await deadLetters('redrive', first.messageId)

      expect(gone.out).toContain('1 discarded, 0 not.')
      expect(missing.code).toBe(1)
      expect(missing.err).toContain('no such dead letter')
      expect((await deadLetters('list', '--json')).json()).toHaveLength(1)
      expect(await wire.pullAll()).toEqual([])
    })

    test('without a topic of that name the failure is one line', async () => {
      const result = await energent('dead-letters', 'list', '--topic', 'tenant-facts')

      expect(result.code).toBe(1)
      expect(result.err).toMatch(/NOT_FOUND|not found|does not exist/i)
      expect(result.err.split('\n')).toHaveLength(1)
    })
  })
})

describe('what is asked wrongly is said clearly', () => {
  const ask = async (...args: string[]) => {
    const lines: string[] = []
    const io = {
      env: {},
      out: (line: string) => void lines.push(line),
      err: (line: string) => void lines.push(line),
    }
    return { code: await run(args, io), text: lines.join('\n') }
  }
  test.each([
    [['quarantine', 'list'], '--group is one of auth, billing, lifecycle'],
    [['quarantine', 'list', '--group', 'x'], "not 'x'"],
    [['quarantine', 'sell', '--group', 'auth'], 'quarantine can list, show, redrive, discard'],
    [['quarantine', 'redrive', '--group', 'auth'], 'needs ids, or --all'],
    [['quarantine', 'redrive', 'a', '--all', '--group', 'auth'], 'not both'],
    [['quarantine', 'show', '--group', 'auth'], 'one id'],
    [['quarantine', 'list', '--topic', 'tenant-facts'], '--group, not --topic'],
    [['dead-letters', 'list', '--group', 'auth'], '--topic, not --group'],
    [['dead-letters', 'list', '--topic', 'tenant-facts', '--code', 'x'], 'for quarantine'],
    [['dead-letters', 'list', '--topic', 'tenant-facts', '--limit', '0'], '1 to 1000'],
    [['dead-letters', 'list', '--topic', 'tenant-facts', '--nope'], '--nope'],
    [['dead-letters', 'list', '--topic', 'tenant-facts'], 'GOOGLE_CLOUD_PROJECT'],
    [['quarantine', 'list', '--group', 'auth', '--stack', '--data', '/nowhere'], 'No local stack runs'],
  ])('%j', async (args, text) => {
    const result = await ask(...args)

    expect(result.code).toBe(2)
    expect(result.text).toContain(text)
  })

  test.each([[['quarantine', '--help']], [['dead-letters']], [['quarantine', 'list', '-h']]])(
    '%j prints the help',
    async (args) => {
      const result = await ask(...args)

      expect(result.code).toBe(0)
      expect(result.text).toContain('redrive')
    },
  )
})
