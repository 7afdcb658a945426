import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { requestClaim } from '#shared/firestore/claim.ts'
import { PLATFORM_TENANT } from '#shared/ids.ts'
import { deadLetterDesk } from '#shared/pubsub/dead-letter-desk.ts'
import type { DeadLetter, DeadLetterBox } from '#shared/pubsub/dead-letters.ts'
import type { OutgoingMessage } from '#shared/pubsub/publisher.ts'
import {
  listDeadLetters,
  readDeadLetter,
  settleDeadLetter,
} from '../../../functions/tenant-events/operations/dead-letters.ts'
import { aStack, type Stack } from '../stack.ts'
import { contextOf, NO_DEADLINE } from '../world.ts'

const TOPIC = 'tenant-facts'
const ctx = contextOf(PLATFORM_TENANT)

let stack: Stack
let letters: DeadLetter[]
let lent: Set<string>
let sent: OutgoingMessage[]
let failing: 'publish' | 'acknowledge' | undefined

beforeAll(async () => {
  stack = await aStack()
})
afterAll(() => stack.close())
beforeEach(() => {
  stack.forgetAll()
  letters = [aLetter('2', 2_000), aLetter('1', 1_000), aLetter('3', 3_000)]
  lent = new Set()
  sent = []
  failing = undefined
})

function aLetter(messageId: string, publishedAtMs: number): DeadLetter {
  return {
    ackId: `ack-${messageId}`,
    messageId,
    data: Buffer.from(`{"id":"e${messageId}"}`),
    attributes: { type: 'ai.energent.tenant.activated.v1', tenantid: 'acme' },
    orderingKey: '',
    publishedAtMs,
    subscription: 'tenant-facts-to-billing',
    deliveries: 100,
  }
}

/** A subscription as Pub/Sub lends: what one has nobody else gets, and a new handle with each pull. */
const box: DeadLetterBox = {
  pull: async (most) => {
    const free = letters.filter(({ messageId }) => !lent.has(messageId)).slice(0, most)
    for (const { messageId } of free) lent.add(messageId)
    return free.map((letter) => ({ ...letter, ackId: `ack-${letter.messageId}-${Math.random()}` }))
  },
  acknowledge: async (done) => {
    if (failing === 'acknowledge') throw new Error('Pub/Sub is down')
    letters = letters.filter((letter) => !done.some(({ messageId }) => messageId === letter.messageId))
  },
  giveBack: async (back) => {
    for (const { messageId } of back) lent.delete(messageId)
  },
  close: async () => undefined,
}

const deps = () => ({
  tenants: stack.deps.tenants,
  deadLetters: deadLetterDesk(async () => box, 50),
  publisher: {
    publish: async (message: OutgoingMessage) => {
      if (failing === 'publish') throw new Error('Pub/Sub is down')
      sent.push(message)
      return '9'
    },
  },
})
const list = (pageSize: number, after?: string) =>
  listDeadLetters(deps(), { topic: TOPIC, pageSize, after, signal: NO_DEADLINE })
const keyed = (key: string) => requestClaim('cid_1', 'redriveDeadLetter', key, key)
const settle = (id: string, verdict: 'redriven' | 'discarded', claim?: ReturnType<typeof keyed>) =>
  settleDeadLetter(deps(), { ctx, id, verdict, claim, signal: NO_DEADLINE })
const audited = () =>
  stack.engine
    .dump('tenantAudit/platform')
    .flatMap(({ data }) => data['entries'] as { action: string; target: string }[])
    .map(({ action, target }) => `${action} ${target}`)

describe('dead letters', () => {
  test('are listed the oldest first, page by page, and stay', async () => {
    const first = await list(2)
    const second = await list(2, first.next)

    expect(first.items.map(({ id }) => id)).toEqual(['tenant-facts_1', 'tenant-facts_2'])
    expect(second.items.map(({ id }) => id)).toEqual(['tenant-facts_3'])
    expect([first.complete, second.next, lent.size]).toEqual([true, undefined, 0])
  })

  test('are shown with their payload, and bytes that are no text as base64', async () => {
    letters.push({ ...aLetter('4', 4_000), data: Buffer.from([0xff, 0x00]) })
    const text = await readDeadLetter(deps(), 'tenant-facts_1', NO_DEADLINE)
    const bytes = await readDeadLetter(deps(), 'tenant-facts_4', NO_DEADLINE)

    expect(text).toMatchObject({ ok: true, value: { payload: '{"id":"e1"}', deliveries: 100 } })
    expect(bytes).toMatchObject({ ok: true, value: { payloadBase64: '/wA=' } })
    expect(lent.size).toBe(0)
  })

  test.each(['1', 'tenant-facts', 'tenant-facts_', 'tenant-facts_1.2', 'no-topic_1', '__proto___1', 'x'])(
    '%s names none',
    async (id) => {
      expect(await readDeadLetter(deps(), id, NO_DEADLINE)).toMatchObject({
        ok: false,
        code: 'dead_letter.not_found',
      })
    },
  )

  test('go back to their topic as they came, once, and say who did it', async () => {
    const done = await settle('tenant-facts_2', 'redriven')
    const again = await settle('tenant-facts_2', 'redriven')

    expect(done).toMatchObject({ ok: true, value: { verdict: 'redriven' } })
    expect(again).toMatchObject({ ok: false, code: 'dead_letter.not_found' })
    expect(sent).toMatchObject([{ topic: TOPIC, attributes: { tenantid: 'acme' } }])
    expect(audited()).toEqual(['dead-letter.redriven dead-letters/tenant-facts/2'])
    expect(lent).toEqual(new Set(['2']))
  })

  test('that are discarded are sent nowhere', async () => {
    expect(await settle('tenant-facts_3', 'discarded')).toMatchObject({ ok: true })
    expect([sent, letters.length]).toEqual([[], 2])
    expect(audited()).toEqual(['dead-letter.discarded dead-letters/tenant-facts/3'])
  })

  // Sent and not acknowledged it is sent twice, and has one effect; acknowledged and not sent it were lost.
  test.each(['publish', 'acknowledge'] as const)(
    'are still there when %s fails, and the same key ends it with one audit entry',
    async (where) => {
      failing = where
      await expect(settle('tenant-facts_1', 'redriven', keyed('k'))).rejects.toThrow('down')
      const left = letters.length
      // Its lease runs out.
      lent.clear()
      failing = undefined
      const again = await settle('tenant-facts_1', 'redriven', keyed('k'))
      const third = await settle('tenant-facts_1', 'redriven', keyed('k'))

      expect(left).toBe(3)
      expect([again, third]).toEqual([
        { ok: true, value: { id: 'tenant-facts_1', topic: TOPIC, verdict: 'redriven' } },
        again,
      ])
      expect(sent.length).toBe(where === 'publish' ? 1 : 2)
      expect(audited()).toHaveLength(1)
    },
  )

  test('under a key that was used for another one are refused and stay', async () => {
    const claim = (digest: string) => ({ ...keyed('k'), digest })
    await settle('tenant-facts_1', 'redriven', claim('one'))
    const other = await settle('tenant-facts_2', 'redriven', claim('two'))

    expect(other).toMatchObject({ ok: false, code: 'request.idempotency_mismatch' })
    expect(letters).toHaveLength(2)
  })

  test('that somebody else holds for a moment are waited for', async () => {
    lent.add('1')
    const asked = settle('tenant-facts_1', 'redriven')
    setTimeout(() => lent.delete('1'), 20)

    expect(await asked).toMatchObject({ ok: true })
  })

  test('that somebody else keeps are not there, and two who settle one at once send it once', async () => {
    lent.add('1')
    expect(await settle('tenant-facts_1', 'redriven')).toMatchObject({ code: 'dead_letter.not_found' })
    const both = await Promise.all([
      settle('tenant-facts_2', 'redriven'),
      settle('tenant-facts_2', 'redriven'),
    ])

    expect(both.filter(({ ok }) => ok)).toHaveLength(1)
    expect(sent).toHaveLength(1)
  })
})
