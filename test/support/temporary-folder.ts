import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'

/** A new empty folder. It goes with all others at the end of the run, so no test has to remember it. */
export function temporaryFolder(): string {
  return mkdtempSync(join(inject('temporaryRoot'), 'test-'))
}
