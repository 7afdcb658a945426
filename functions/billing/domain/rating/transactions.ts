import {
  add,
  compare,
  divide,
  formatDecimal,
  larger,
  multiply,
  type Rational,
  rational,
  smaller,
  subtract,
  toScaled,
  ZERO,
} from '../rational.ts'
import {
  choiceAt,
  decimalAt,
  decimalsAt,
  type Fields,
  fieldsOf,
  listAt,
  optionalDecimalAt,
  RatingError,
} from './fields.ts'
import { percent } from './unit-price.ts'

/**
 * A percentage of each transaction, in order. Transactions are free until either allowance, of count
 * or of amount, is used up; a wholly free one pays no fixed fee.
 */
export function ratePercentage(parameters: Fields, usage: Fields): Record<string, unknown> {
  const rate = percent(decimalAt(parameters, 'rate_percent'))
  const fixed = decimalAt(parameters, 'fixed_amount', ZERO)
  const least = optionalDecimalAt(parameters, 'per_transaction_min')
  const most = optionalDecimalAt(parameters, 'per_transaction_max')
  const free = freeAllowance(parameters)
  let amount = ZERO
  for (const transaction of decimalsAt(usage, 'transactions')) {
    const charged = subtract(transaction, free(transaction))
    if (charged.n === 0n && transaction.n !== 0n) continue
    let fee = add(multiply(charged, rate), fixed)
    if (least !== undefined) fee = larger(fee, least)
    if (most !== undefined) fee = smaller(fee, most)
    amount = add(amount, fee)
  }
  return { amount: formatDecimal(amount) }
}

/** Blocks are whole: a begun block is a block. Beyond the last tier its price goes on. */
export function rateBlocks(parameters: Fields, usage: Fields): Record<string, unknown> {
  const quantity = decimalAt(usage, 'quantity')
  const policy = choiceAt(parameters, 'policy', ['all_tiers', 'top_tier'])
  const tiers = listAt(parameters, 'tiers').map((raw, index) => {
    const tier = fieldsOf(raw, `tiers[${index}]`)
    const size = decimalAt(tier, 'block_size')
    if (size.n <= 0n) throw new RatingError('block_size must be positive')
    const capacity = optionalDecimalAt(tier, 'max_blocks')
    return {
      tier: index + 1,
      size,
      room: capacity === undefined ? undefined : multiply(capacity, size),
      blockAmount: decimalAt(tier, 'block_amount'),
    }
  })
  const components: { tier: number; amount: Rational }[] = []
  let rest = quantity
  for (const [index, { tier, size, room, blockAmount }] of tiers.entries()) {
    const last = index === tiers.length - 1
    const inTier = last || room === undefined ? rest : smaller(rest, room)
    const reached = last || room === undefined || compare(rest, room) <= 0
    const blocks = (units: Rational): Rational => rational(toScaled(divide(units, size), 0, 'ceil'))
    if (policy === 'all_tiers' && inTier.n > 0n) {
      components.push({ tier, amount: multiply(blocks(inTier), blockAmount) })
    }
    if (policy === 'top_tier' && reached && quantity.n > 0n) {
      components.push({ tier, amount: multiply(blocks(quantity), blockAmount) })
    }
    if (reached) break
    rest = subtract(rest, inTier)
  }
  return {
    amount: formatDecimal(components.map((component) => component.amount).reduce(add, ZERO)),
    components: components.map(({ tier, amount }) => ({ tier, amount: formatDecimal(amount) })),
  }
}

/** How much of the next transaction is free; each call uses the allowance. */
function freeAllowance(parameters: Fields): (transaction: Rational) => Rational {
  const events = optionalDecimalAt(parameters, 'free_events')
  const amount = optionalDecimalAt(parameters, 'free_amount')
  let eventsLeft = events
  let amountLeft = amount
  return (transaction) => {
    if (events === undefined && amount === undefined) return ZERO
    if (eventsLeft !== undefined && eventsLeft.n <= 0n) return ZERO
    if (amountLeft !== undefined && amountLeft.n <= 0n) return ZERO
    if (eventsLeft !== undefined) eventsLeft = subtract(eventsLeft, rational(1n))
    const free = amountLeft === undefined ? transaction : smaller(transaction, amountLeft)
    if (amountLeft !== undefined) amountLeft = subtract(amountLeft, free)
    return free
  }
}
