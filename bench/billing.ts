import { parseArgs } from 'node:util'
import { benchCore } from './billing/core.ts'
import { benchEndToEnd } from './billing/end-to-end.ts'
import { benchGrowth } from './billing/growth.ts'
import { benchRating } from './billing/rating.ts'

/**
 * What usage costs on its way to an invoice: the pure core beside what any design has to do, the whole way
 * beside the engine's own rate of writes, rating, explaining, and how an event's cost grows with their number.
 */
const PARTS = ['core', 'end-to-end', 'rating', 'growth'] as const

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    /** Events of the largest month in `growth`. */
    most: { type: 'string', default: '1000000' },
    events: { type: 'string', default: '20000' },
    only: { type: 'string' },
  },
})

process.env['METADATA_SERVER_DETECTION'] ??= 'none'
const wanted = (part: (typeof PARTS)[number]): boolean => values.only === undefined || values.only === part
if (wanted('core')) await benchCore(Number(values.rounds))
if (wanted('rating')) await benchRating(Number(values.rounds))
if (wanted('end-to-end')) await benchEndToEnd(Number(values.events))
if (wanted('growth')) await benchGrowth(Number(values.most))
// The client of the store keeps connections open that nothing else ends.
process.exit(0)
