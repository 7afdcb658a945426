import type { EngineName } from '../../support/engines.ts'

/** What an engine does instead of what production does, and what that means for whoever relies on it. */
type Difference = { does: string; observed: unknown }

/** Every known difference, by case id and engine. A case that is not here holds on every engine. */
export const DIFFERENCES: Record<string, Partial<Record<EngineName, Difference>> | undefined> = {
  'transforms-500': {
    google: { does: 'takes any number of transforms', observed: ['ok', 'ok'] },
  },
  'order-by-name-descending': {
    google: { does: 'refuses to read names backwards, as if an index were missing', observed: 9 },
  },
  partitions: {
    google: { does: 'has no PartitionQuery', observed: 12 },
  },
}
