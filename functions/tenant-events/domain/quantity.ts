const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,2})|([A-Za-z]{0,2}))$/

/**
 * A Kubernetes quantity as a number (`500m`, `10Gi`, `1e3`), to compare with another one; undefined for what
 * is none. Exact for whole bytes below 2^53.
 */
export function quantityOf(text: unknown): number | undefined {
  const [, digits, exponent, suffix = ''] = typeof text === 'string' ? (QUANTITY.exec(text) ?? []) : []
  if (digits === undefined) return undefined
  if (exponent !== undefined) return Number(digits) * 10 ** Number(exponent)
  const factor = Object.hasOwn(FACTORS, suffix) ? FACTORS[suffix] : undefined
  return factor === undefined ? undefined : Number(digits) * factor
}
