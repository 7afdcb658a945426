import type { LifecycleDeps } from '../../../functions/tenant-events/ports.ts'

/** A bug planted into otherwise unchanged code: alternatives to parts of one process. */
export type Mutant = {
  readonly name: string
  readonly deps?: (deps: LifecycleDeps) => LifecycleDeps
}

/** The code as it is. */
export const NO_MUTANT: Mutant = { name: 'none' }
