import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** So many times sooner than usual: a second becomes a tenth, and contention still finds an end. */
const SOONER = 10
const LONGEST_SECONDS = 0.1

/**
 * Lets Firestore's official client try again sooner, in this process.
 *
 * It repeats what was refused for seven seconds, reads that can never succeed included; what is tested
 * is the answer and not how long the client waits for it. Two layers wait: the client itself, which has
 * a hook for its own tests, and below it the one that opens streams again.
 */
export function retrySooner(): void {
  const main = createRequire(import.meta.url).resolve('@google-cloud/firestore')
  const require = createRequire(main)
  // The package's `exports` hide the file from everything but its path.
  const backoff = require(join(dirname(main), 'backoff.js')) as {
    setTimeoutHandler(handler: (run: () => void, ms: number) => unknown): void
  }
  backoff.setTimeoutHandler((run, ms) => setTimeout(run, ms / SOONER))
  const streams = createRequire(require.resolve('google-gax'))('retry-request') as {
    readonly defaults: { maxRetryDelay: number }
  }
  streams.defaults.maxRetryDelay = LONGEST_SECONDS
}
