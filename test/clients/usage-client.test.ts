import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Batch,
  createUsageClient,
  type Fate,
  type Outcome,
  type UsageClientOptions,
  type UsageEvent,
} from '../../clients/usage/index.ts'
import { manualTime } from './manual-time.ts'

function anEvent(id: string, fields: { tenant?: string; pad?: number; source?: string } = {}): UsageEvent {
  return {
    specversion: '1.0',
    id,
    source: fields.source ?? '//agents.example/pods/agent-7',
    type: 'ai.energent.usage.agent_minutes.v1',
    subject: `tenants/${fields.tenant ?? 'acme'}`,
    time: '2026-11-23T09:00:00.000Z',
    data: { value: '60', pad: 'x'.repeat(fields.pad ?? 0) },
  }
}

const idsOf = (batch: Batch): string[] =>
  (JSON.parse(Buffer.from(batch.body).toString()) as UsageEvent[]).map(({ id }) => id)

/** A client whose transport answers what the test says, and time that moves when the test says so. */
function rig(
  answer: (batch: Batch, attempt: number) => Outcome | Promise<Outcome>,
  options: Partial<UsageClientOptions> = {},
) {
  const time = manualTime()
  const sent: Batch[] = []
  const rejected: Fate[] = []
  const delays: number[] = []
  const client = createUsageClient({
    transport: {
      send: async (batch) => {
        sent.push(batch)
        return answer(batch, sent.length)
      },
    },
    onRejected: (fate) => rejected.push(fate),
    onRetry: ({ delayMs }) => delays.push(delayMs),
    time,
    ...options,
  })
  return { client, time, sent, rejected, delays }
}

const taken: Outcome = { kind: 'taken' }
const later: Outcome = { kind: 'later', why: 'down' }

describe('a batch leaves', () => {
  test('with its 500th event', async () => {
    const { client, sent, time } = rig(() => taken)
    for (let at = 0; at < 1_001; at += 1) await client.record(anEvent(`e${at}`))
    expect(sent.map(({ events }) => events)).toEqual([500, 500])
    await time.advance(1_000)
    expect(sent.map(({ events }) => events)).toEqual([500, 500, 1])
  })

  test('one second after its first event, not its last', async () => {
    const { client, sent, time } = rig(() => taken)
    await client.record(anEvent('a'))
    await time.advance(999)
    await client.record(anEvent('b'))
    expect(sent).toHaveLength(0)
    await time.advance(1)
    expect(sent.map(idsOf)).toEqual([['a', 'b']])
  })

  test('before it is larger than 256 KiB, to the byte', async () => {
    const { client, sent, time } = rig(() => taken)
    const pad = 60_000
    for (let at = 0; at < 9; at += 1) await client.record(anEvent(`e${at}`, { pad }))
    await time.advance(1_000)
    expect(sent.flatMap(idsOf)).toHaveLength(9)
    expect(Math.max(...sent.map(({ body }) => body.byteLength))).toBeLessThanOrEqual(256 * 1024)

    const [one] = sent
    const exact = rig(() => taken, { maxBytes: one?.body.byteLength ?? 0 })
    for (let at = 0; at < 5; at += 1) await exact.client.record(anEvent(`e${at}`, { pad }))
    expect(exact.sent[0]?.body).toEqual(one?.body)
  })

  test('apart from that of another tenant', async () => {
    const { client, sent } = rig(() => taken)
    for (const tenant of ['acme', 'globex', 'acme']) await client.record(anEvent(tenant, { tenant }))
    await client.flush()
    expect(sent.map((batch) => [batch.tenantId, batch.events])).toEqual([
      ['acme', 2],
      ['globex', 1],
    ])
  })
})

describe('an attempt that failed', () => {
  test('is made again with the very same bytes, however much was recorded since', async () => {
    let failures = 3
    const { client, sent, time } = rig((batch) => {
      failures -= idsOf(batch).includes('a') ? 1 : 0
      return idsOf(batch).includes('a') && failures >= 0 ? later : taken
    })
    await client.record(anEvent('a'))
    await time.advance(1_000)
    await client.record(anEvent('b'))
    const flushed = client.flush()
    await time.advance(10_000)
    await flushed
    const bodies = sent.map(({ body }) => Buffer.from(body).toString())
    expect(new Set(bodies).size).toBe(2)
    expect(bodies.filter((body) => body === bodies[0])).toHaveLength(4)
  })

  test('waits as long as it was asked to, and below a bound that doubles otherwise', async () => {
    const { client, delays, time } = rig((_batch, attempt) =>
      attempt === 3 ? { ...later, afterMs: 60_000 } : attempt > 8 ? taken : later,
    )
    await client.record(anEvent('a'))
    await time.advance(1_000)
    await time.advance(300_000)
    expect(delays).toHaveLength(8)
    expect(delays[2]).toBeGreaterThanOrEqual(60_000)
    expect(delays[2]).toBeLessThanOrEqual(66_000)
    delays.forEach((delay, at) => {
      if (at !== 2) expect(delay).toBeLessThanOrEqual(Math.min(30_000, 200 * 2 ** at))
    })
    expect(client.stats()).toMatchObject({ delivered: 1, buffered: 0, attempts: 9 })
  })

  test('of one tenant holds up no other', async () => {
    const { client, sent, time } = rig(({ tenantId }) => (tenantId === 'gone' ? later : taken), {
      maxInFlight: 1,
      maxBufferedBytes: 4_000,
    })
    for (let at = 0; at < 7; at += 1) client.tryRecord(anEvent(`g${at}`, { tenant: 'gone' }))
    for (let at = 0; at < 40; at += 1) {
      await client.record(anEvent(`e${at}`))
      await time.advance(1_000)
    }
    expect(sent.filter(({ tenantId }) => tenantId === 'acme').flatMap(idsOf)).toHaveLength(40)
    expect((await closing(client, time)).map(({ id }) => id)).toContain('g0')
  })
})

test('beyond the bound of memory an event waits, and comes in when there is room, in order', async () => {
  const answers: ((outcome: Outcome) => void)[] = []
  const { client, sent } = rig(() => new Promise((resolve) => answers.push(resolve)), {
    maxBufferedBytes: 1_000,
    maxBufferedBytesOfTenant: 1_000,
  })
  const states: string[] = []
  for (let at = 0; at < 8; at += 1) {
    void client.record(anEvent(`e${at}`)).then(() => states.push(`e${at}`))
  }
  await settled()
  const first = [...states]
  expect(first.length).toBeGreaterThan(0)
  expect(first.length).toBeLessThan(8)
  expect(client.tryRecord(anEvent('no'))).toBe(false)
  expect(client.stats().bufferedBytes).toBeLessThanOrEqual(1_000)
  while (states.length < 8) {
    answers.shift()?.(taken)
    await settled()
  }
  expect(states).toEqual(['e0', 'e1', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7'])
  expect(sent[0] && idsOf(sent[0])).toEqual(first)
})

test('what is no event, too large, or after the end was not accepted, and says so', async () => {
  const { client, sent, time } = rig(() => taken)
  await expect(client.record({ ...anEvent('a'), id: '' })).rejects.toThrow(TypeError)
  await expect(client.record({ ...anEvent('a'), subject: 'acme' })).rejects.toThrow(TypeError)
  await expect(client.record(anEvent('a', { pad: 70_000 }))).rejects.toThrow(RangeError)
  expect(await closing(client, time)).toEqual([])
  await expect(client.record(anEvent('a'))).rejects.toThrow('closed')
  expect(() => client.tryRecord(anEvent('a'))).toThrow('closed')
  expect(sent).toEqual([])
  expect(() => rig(() => taken, { maxEvents: 501 })).toThrow(RangeError)
})

test('closing gives back what waited for room as refused, and what is not delivered as events', async () => {
  const { client, time } = rig(() => later, { maxBufferedBytes: 500 })
  await client.record(anEvent('a'))
  const waiting = client.record(anEvent('b'))
  const refused = expect(waiting).rejects.toThrow('closed')
  const closed = client.close({ timeoutMs: 5_000 })
  await time.advance(5_000)
  await refused
  expect(await closed).toEqual([anEvent('a')])
  expect(client.stats()).toMatchObject({ buffered: 0, bufferedBytes: 0 })
  expect(time.waiting()).toBe(0)
})

test('an event changed by its owner afterwards travels as it was recorded', async () => {
  const { client, sent } = rig(() => taken)
  const event = { ...anEvent('a'), data: { value: '1' } }
  await client.record(event)
  event.data.value = '2'
  await client.flush()
  expect(Buffer.from(sent[0]?.body ?? []).toString()).toContain('"value":"1"')
})

// Every event in one of three places, whatever the transport does and whenever the end comes.
test('nothing that was accepted is lost or told twice', async () => {
  const outcomes = fc.constantFrom<'taken' | 'later' | 'throw' | 'refused' | 'some' | 'asked'>(
    'taken',
    'later',
    'throw',
    'refused',
    'some',
    'asked',
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ tenant: fc.constantFrom('a', 'b', 'c'), pauseMs: fc.nat(400) }), {
        maxLength: 40,
      }),
      fc.infiniteStream(outcomes),
      fc.record({
        maxEvents: fc.integer({ min: 1, max: 7 }),
        maxBufferedBytes: fc.integer({ min: 300, max: 6_000 }),
      }),
      fc.nat(8_000),
      async (plan, answers, limits, closeMs) => {
        const delivered: string[] = []
        const { client, time, rejected } = rig((batch) => {
          const answer = answers.next().value
          if (answer === 'throw') throw new Error('cut')
          if (answer === 'later') return later
          if (answer === 'asked') return { ...later, afterMs: 700 }
          if (answer === 'refused') return { kind: 'refused', code: 'x', detail: 'y' }
          const ids = idsOf(batch)
          const few = answer === 'some' ? [{ index: 0, code: 'x', detail: 'y' }] : []
          delivered.push(...ids.slice(few.length))
          return { kind: 'taken', rejected: few }
        }, limits)
        const accepted: string[] = []
        plan.forEach(({ tenant }, at) => {
          const id = `e${at}`
          void client.record(anEvent(id, { tenant })).then(
            () => accepted.push(id),
            () => undefined,
          )
        })
        for (const { pauseMs } of plan) await time.advance(pauseMs)
        const closed = client.close({ timeoutMs: closeMs })
        await time.advance(closeMs)
        const left = await closed
        const ends = [...delivered, ...rejected.map(({ event }) => event.id), ...left.map(({ id }) => id)]
        expect(ends.sort()).toEqual(accepted.sort())
        const stats = client.stats()
        expect([stats.accepted, stats.delivered, stats.rejected]).toEqual([
          accepted.length,
          delivered.length,
          rejected.length,
        ])
        expect([stats.buffered, stats.bufferedBytes, time.waiting()]).toEqual([0, 0, 0])
      },
    ),
    { numRuns: 400 },
  )
})

async function closing(
  client: ReturnType<typeof createUsageClient>,
  time: ReturnType<typeof manualTime>,
): Promise<readonly UsageEvent[]> {
  const closed = client.close({ timeoutMs: 100 })
  await time.advance(100)
  return closed
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
