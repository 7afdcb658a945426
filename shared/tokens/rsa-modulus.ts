const FEWEST_BITS = 2048
const MOST_BITS = 8192
const LEAST_EXPONENT = 65_537n
/** Larger ones only make each verification slower. */
const MOST_EXPONENT_BYTES = 4

/** The odd primes below 752, by which NIST SP 800-89 §5.3.3 tries a modulus. */
const SMALL_PRIMES = primesBelow(752).slice(1)
/** Of these, the remainders of a modulus tell whether it was made by the generator of CVE-2017-15361 (ROCA). */
const ROCA_PRIMES = SMALL_PRIMES.filter((prime) => prime <= 167)
const ROCA_REMAINDERS: ReadonlyMap<number, ReadonlySet<number>> = new Map(
  ROCA_PRIMES.map((prime) => [prime, powersOf(65_537 % prime, prime)]),
)
const PRODUCT_OF_SMALL_PRIMES = SMALL_PRIMES.reduce((product, prime) => product * BigInt(prime), 1n)

/**
 * What is wrong with an RSA public key, both numbers as big-endian bytes; undefined when nothing is.
 *
 * Only what a look at the public half can tell: sizes, small factors, and the mark that one broken
 * generator left in every modulus it made.
 */
export function findRsaFault(modulus: Uint8Array, exponent: Uint8Array): string | undefined {
  if (modulus[0] === 0 || exponent[0] === 0) return 'leading zeros'
  if (modulus.length > MOST_BITS / 8 || exponent.length > MOST_EXPONENT_BYTES) return 'too large'
  const n = numberOf(modulus)
  const e = numberOf(exponent)
  if (n >> BigInt(FEWEST_BITS - 1) === 0n) return `less than ${FEWEST_BITS} bits`
  if (e < LEAST_EXPONENT || e % 2n === 0n) return 'exponent'
  if (n % 2n === 0n || haveCommonFactor(PRODUCT_OF_SMALL_PRIMES, n % PRODUCT_OF_SMALL_PRIMES)) {
    return 'small factor'
  }
  const marked = ROCA_PRIMES.every((prime) => ROCA_REMAINDERS.get(prime)?.has(Number(n % BigInt(prime))))
  return marked ? 'made by a broken generator' : undefined
}

function haveCommonFactor(left: bigint, right: bigint): boolean {
  let [a, b] = [left, right]
  while (b !== 0n) [a, b] = [b, a % b]
  return a !== 1n
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

function powersOf(base: number, modulus: number): ReadonlySet<number> {
  const powers = new Set<number>()
  for (let power = 1; !powers.has(power); power = (power * base) % modulus) powers.add(power)
  return powers
}

function primesBelow(limit: number): number[] {
  const numbers = Array.from({ length: limit - 2 }, (_, index) => index + 2)
  return numbers.filter((candidate) => {
    for (let divisor = 2; divisor * divisor <= candidate; divisor += 1) {
      if (candidate % divisor === 0) return false
    }
    return true
  })
}
