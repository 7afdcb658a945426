import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MADE, page, table } from './page.ts'

/** List prices in US dollars, us-central1, before any free quota. */
const PRICES = {
  read: 0.03 / 100_000,
  write: 0.09 / 100_000,
  delete: 0.01 / 100_000,
  pubsubByte: 40 / 2 ** 40,
  invocation: 0.4 / 1_000_000,
}
/** Of a publish and of a push, however little is in it. */
const LEAST_BYTES = 1_000
/** Attributes, message id and time stamp. */
const ENVELOPE_BYTES = 200
const RUNS_A_MONTH = 12 * 24 * 30

type Operations = { readonly reads: number; readonly writes: number; readonly deletes: number }

/** As `test/cost/` counts it. */
type Counted = {
  readonly events: number
  readonly eventsPerMessage: number
  readonly ingest: Operations
  readonly settle: Operations
  readonly idle: Operations
  readonly kept: number
  readonly messageBytes: number
}

const counted = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../docs/cost-operations.json'), 'utf8'),
) as { readonly ours: readonly Counted[]; readonly naive: readonly (Counted & { readonly design: string })[] }

/** `docs/cost.md`: what a million events cost, from operations that were counted. */
export function renderCost(): string {
  const [single] = counted.naive
  const best = counted.ours.find(({ eventsPerMessage }) => eventsPerMessage === 100)
  if (single === undefined || best === undefined) throw new Error('the counted operations are not whole')
  const ratio = totalOf(single) / totalOf(best)
  return page([
    '# What a million events cost',
    MADE,
    '',
    'Reads, writes and deletes are not estimated: `test/cost/` runs the production code, and three designs',
    'that come to mind first, on the embedded engine, counts what Firestore would bill, and fails when a',
    'count is another than here. A document that is not there is a read, a query is at least one, and a',
    'refused commit costs as much as a good one. `UPDATE_COUNTS=1 npx vitest run test/cost`, then',
    '`npm run docs`, takes over new counts.',
    '',
    '## Prices',
    '',
    ...table(
      ['what', 'list price', 'source'],
      [
        ['Firestore, read', '$0.03 per 100,000', 'cloud.google.com/firestore/pricing, us-central1'],
        ['Firestore, write', '$0.09 per 100,000', 'the same'],
        ['Firestore, delete (TTL too)', '$0.01 per 100,000', 'the same'],
        [
          'Pub/Sub, published and pushed',
          '$40 per TiB, 1,000 bytes a request at least',
          'cloud.google.com/pubsub/pricing',
        ],
        ['Cloud Run functions, invocation', '$0.40 per million', 'cloud.google.com/run/pricing'],
      ],
    ),
    '',
    'Read on 2026-11-23, without free quota and discounts. Multi-region Firestore costs twice as much.',
    'Processor time is not in the figures: `npm run bench -- billing` says how little of it an event takes.',
    '',
    '## Our design',
    '',
    'One document a batch, created once, and one blind increment, in one commit (`functions/billing`). Counted',
    `over ${best.events} events of one tenant in one hour, which is a million a month; *ingest* is until the`,
    'message is acknowledged, *roll-up* until the hour is exact, *TTL* the deletion of the ledger after 13 months.',
    '',
    ...designTable(counted.ours.map((one) => ({ name: `${one.eventsPerMessage} a message`, ...one }))),
    '',
    '## Three naive designs',
    '',
    ...designTable(
      counted.naive.map((one) => ({ name: `${one.design}, ${one.eventsPerMessage} a message`, ...one })),
    ),
    '',
    '- *transaction*: looks whether the event is known, adds to a counter, writes both. Everything of a tenant',
    '  waits for the counter, and retries cost again.',
    '- *event and counter*: creates the event and increments in one blind commit. Exact and simple; the document',
    '  for each event is the cost.',
    '- *event documents*: creates the events of a message, and reads them all when the hour is over. Nothing is',
    '  known before.',
    '',
    'Batching spares a naive design Pub/Sub and invocations, and no operation of the store: those it makes for each',
    `event. With 100 events a message ours costs ${dollars(totalOf(best))} a million and the first of them one by one`,
    `${dollars(totalOf(single))}: **${ratio.toFixed(0)} times as much**.`,
    '',
    '## What does not grow with events',
    '',
    `The roll-up job looks at each tenant every five minutes. A run that finds nothing new while a day lasts takes`,
    `${best.idle.reads} reads: ${dollars(RUNS_A_MONTH * costOf(best.idle))} a month for a tenant that is active all day.`,
    'A day without usage takes less, and closing an invoice some dozens of reads.',
  ])
}

function designTable(designs: readonly (Counted & { readonly name: string })[]): string[] {
  const million = (count: number, { events }: Counted): string => whole((count / events) * 1_000_000)
  return table(
    ['design', 'reads', 'writes', 'deletes', 'Firestore', 'Pub/Sub', 'invocations', '$ per million'],
    designs.map((one) => [
      one.name,
      million(one.ingest.reads + one.settle.reads, one),
      million(one.ingest.writes + one.settle.writes, one),
      million(one.ingest.deletes + one.settle.deletes + one.kept, one),
      dollars(storeOf(one)),
      dollars(pubsubOf(one)),
      dollars(invocationsOf(one)),
      `**${dollars(totalOf(one))}**`,
    ]),
  )
}

function totalOf(one: Counted): number {
  return storeOf(one) + pubsubOf(one) + invocationsOf(one)
}

function storeOf({ ingest, settle, kept, events }: Counted): number {
  return ((costOf(ingest) + costOf(settle) + kept * PRICES.delete) / events) * 1_000_000
}

function pubsubOf({ messageBytes, eventsPerMessage }: Counted): number {
  const bytes = Math.max(LEAST_BYTES, messageBytes + ENVELOPE_BYTES)
  return (1_000_000 / eventsPerMessage) * 2 * bytes * PRICES.pubsubByte
}

function invocationsOf({ eventsPerMessage }: Counted): number {
  return (1_000_000 / eventsPerMessage) * PRICES.invocation
}

function costOf({ reads, writes, deletes }: Operations): number {
  return reads * PRICES.read + writes * PRICES.write + deletes * PRICES.delete
}

function dollars(amount: number): string {
  return `$${amount.toFixed(amount < 0.1 ? 4 : 2)}`
}

function whole(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}
