/**
 * Resource quantities (k8s.io/apimachinery `resource.Quantity`): exact, because quota is arithmetic.
 */
export type Quantity = { readonly nanos: bigint; readonly format: 'BinarySI' | 'DecimalSI' }

const NANO = 1_000_000_000n
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']

/** Reads a quantity such as `500m`, `2Gi`, `1e3` or a bare number; nothing if it is none. */
export function parseQuantity(value: unknown): Quantity | undefined {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string') return undefined
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d{1,2}))?$/.exec(text)
  if (match === null) return undefined
  const [, sign, whole = '', fraction = '', binary, decimal, exponent] = match
  if (whole === '' && fraction === '') return undefined
  const scaled = BigInt(`${whole}${fraction}`) * multiplier(binary, decimal, exponent)
  // Below a nano the server rounds up.
  const divisor = 10n ** BigInt(fraction.length + 18)
  const nanos = (scaled + divisor - 1n) / divisor
  return { nanos: sign === '-' ? -nanos : nanos, format: binary === undefined ? 'DecimalSI' : 'BinarySI' }
}

/** Nanos per unit of the suffix, times 10^18 so that negative exponents stay whole. */
function multiplier(binary?: string, decimal?: string, exponent?: string): bigint {
  const unit = NANO * 10n ** 18n
  if (binary !== undefined) return unit * 1024n ** BigInt(BINARY.indexOf(binary))
  if (decimal !== undefined) return 10n ** 18n * 1000n ** BigInt(DECIMAL.indexOf(decimal))
  if (exponent === undefined) return unit
  const power = Number(exponent)
  return power >= 0 ? unit * 10n ** BigInt(power) : unit / 10n ** BigInt(-power)
}

/** The canonical spelling: the largest suffix that leaves no fraction. */
export function formatQuantity(quantity: Quantity): string {
  const { nanos } = quantity
  if (nanos === 0n) return '0'
  const whole = nanos % NANO === 0n
  const magnitude = nanos < 0n ? -nanos : nanos
  if (quantity.format === 'BinarySI' && whole && magnitude >= 1024n * NANO) {
    return withSuffix(nanos / NANO, 1024n, BINARY)
  }
  return withSuffix(nanos, 1000n, DECIMAL)
}

function withSuffix(value: bigint, base: bigint, suffixes: readonly string[]): string {
  let rest = value
  let index = 0
  while (rest % base === 0n && index < suffixes.length - 1) {
    rest /= base
    index += 1
  }
  return `${rest}${suffixes[index] ?? ''}`
}

/** The canonical spelling of what parses; anything else unchanged, for validation to refuse. */
export function canonicalQuantity(value: unknown): unknown {
  const quantity = parseQuantity(value)
  return quantity === undefined ? value : formatQuantity(quantity)
}

/** Zero takes the format of what is added to it, as the server's arithmetic does. */
export function addQuantity(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos + b.nanos, format: a.nanos === 0n ? b.format : a.format }
}

export const ZERO: Quantity = { nanos: 0n, format: 'DecimalSI' }

/** A quantity as Go's `%#v` prints it: some validation messages of the server show that. */
export function goQuantity(text: string): string {
  const quantity = parseQuantity(text) ?? ZERO
  const milli = quantity.nanos % NANO !== 0n
  const amount = milli ? quantity.nanos / 1_000_000n : quantity.nanos / NANO
  return `resource.Quantity{i:resource.int64Amount{value:${amount}, scale:${milli ? -3 : 0}}, d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:"${text}", Format:"${quantity.format}"}`
}
