import { vi } from 'vitest'

const asked = process.env['CASES']
// Ten thousand cases of an invoice take longer than a test may otherwise.
if (asked !== undefined) vi.setConfig({ testTimeout: 900_000 })

/**
 * Cases of a property: few in `npm test`, and as many as `CASES` says in `npm run test:long`, which asks
 * for ten thousand. `most` bounds what is too dear for so many.
 */
export function cases(usual: number, most = Number.POSITIVE_INFINITY): { readonly numRuns: number } {
  return { numRuns: Math.min(Number(asked ?? usual), most) }
}
