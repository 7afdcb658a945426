import type { EngineName } from '../../support/engines.ts'

/** What an engine does instead of what production does, and what that means for whoever relies on it. */
export type Difference = { does: string; observed: unknown }

/** Every known difference, by case id and engine. A case that is not here holds on every engine. */
export const DIFFERENCES: Record<string, Partial<Record<EngineName, Difference>> | undefined> = {}
