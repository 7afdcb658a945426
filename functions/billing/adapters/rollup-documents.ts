import { z } from 'zod'
import { METER_IDS, type MeterId } from '#shared/catalogue/meters.ts'
import { parser } from '#shared/json.ts'
import { decimal, formatDecimal, fromScaled, toScaled } from '../domain/rational.ts'
import { type Amount, STEP_DIGITS, type Tally } from '../domain/tally.ts'
import { PRODUCERS } from '../domain/usage-event.ts'
import type { UsageConflict } from '../ports.ts'

const meterId = z.enum(METER_IDS as [MeterId, ...MeterId[]])
const producer = z.enum(PRODUCERS)
const run = z.object({
  resource: z.string(),
  producer,
  firstMs: z.number(),
  lastMs: z.number(),
  level: z.string(),
})

const tallySchema = z.object({
  meter: meterId,
  version: z.number(),
  group: z.record(z.string(), z.string()),
  events: z.number(),
  root: z.string(),
  kind: z.enum(['count', 'sum', 'max', 'unique_count', 'level_hours']),
  value: z.string().optional(),
  members: z.array(z.string()).optional(),
  runs: z.array(run).optional(),
})

const repeatsSchema = z.record(z.string(), z.object({ copies: z.number(), conflicts: z.number() }))

export type StoredTally = z.infer<typeof tallySchema>

const hourSchema = z.object({
  hour: z.string(),
  rev: z.number(),
  batchCount: z.number(),
  events: z.number(),
  root: z.string(),
  digest: z.string(),
  newestMs: z.number().optional(),
  repeats: repeatsSchema,
  tallies: z.array(tallySchema).optional(),
})

/** All that an hour's roll-up is read for but its index of keys, which is large and seldom asked for. */
export const HOUR_FIELDS: readonly string[] = Object.keys(hourSchema.shape)

export const parseKeyedHour = parser(
  z.object({ batchCount: z.number(), keys: z.instanceof(Uint8Array).optional() }),
)

const daySchema = z.object({
  day: z.string(),
  rev: z.number(),
  hours: z.record(
    z.string(),
    z.object({ batchCount: z.number(), rev: z.number(), newestMs: z.number().optional() }),
  ),
  digest: z.string(),
  repeats: repeatsSchema,
  tallies: z.array(tallySchema).optional(),
})

export const parseHour = parser(hourSchema)
export const parseDay = parser(daySchema)

/** A stored document as the domain knows it. */
export function readTallies<D extends { tallies?: StoredTally[] | undefined }>(
  stored: D,
): Omit<D, 'tallies'> & { readonly tallies: readonly Tally[] | undefined } {
  return { ...stored, tallies: stored.tallies?.map(readTally) }
}

/** Aggregates as exact decimals, levels as the runs in which they held: text, so that nothing is rounded. */
export function tallyFields({ amount, ...tally }: Tally): StoredTally {
  const { meter, version, group, events, root } = tally
  return { meter, version, group: { ...group }, events, root, kind: amount.kind, ...amountFields(amount) }
}

function amountFields(amount: Amount): Partial<StoredTally> {
  switch (amount.kind) {
    case 'count':
      return {}
    case 'sum':
    case 'max':
      return { value: decimalOf(amount.steps) }
    case 'unique_count':
      return { members: [...amount.members] }
    case 'level_hours':
      return { runs: amount.runs.map(({ steps, ...rest }) => ({ ...rest, level: decimalOf(steps) })) }
  }
}

function readTally(stored: StoredTally): Tally {
  const { meter, version, group, events, root } = stored
  return { meter, version, group, events, root, amount: readAmount(stored) }
}

function readAmount({ kind, value, members = [], runs = [] }: StoredTally): Amount {
  switch (kind) {
    case 'count':
      return { kind }
    case 'sum':
    case 'max':
      return { kind, steps: stepsOf(value ?? '0') }
    case 'unique_count':
      return { kind, members }
    case 'level_hours':
      return { kind, runs: runs.map(({ level, ...rest }) => ({ ...rest, steps: stepsOf(level) })) }
  }
}

function decimalOf(steps: bigint): string {
  return formatDecimal(fromScaled(steps, STEP_DIGITS))
}

function stepsOf(text: string): bigint {
  return toScaled(decimal(text), STEP_DIGITS)
}

export const parseConflict = parser<UsageConflict>(
  z.object({
    key: z.string(),
    source: z.string(),
    id: z.string(),
    meter: meterId,
    timeMs: z.number(),
    sides: z.array(
      z.object({
        digest: z.string(),
        batchIds: z.array(z.string()),
        timeMs: z.number(),
        producer,
        counted: z.boolean(),
      }),
    ),
  }),
)
