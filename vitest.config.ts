import { configDefaults, defineConfig } from 'vitest/config'

/**
 * Stories that take ten seconds and more each: `npm run test:long` plays them, and CI with it, so that
 * `npm test` stays short. `LONG` or a choice of engines lets them in.
 */
export const LONG_STORIES = [
  'test/attacks/attacks.test.ts',
  'test/auth/store-outage.test.ts',
  'test/billing/close.test.ts',
  'test/billing/crashes.test.ts',
  'test/billing/explain.test.ts',
  'test/billing/heavy-reads.test.ts',
  'test/e2e/auth-exchange.test.ts',
  'test/e2e/auth-people.test.ts',
  'test/e2e/auth-revocation.test.ts',
  'test/e2e/auth-sessions.test.ts',
  'test/e2e/auth-sign-on.test.ts',
  'test/e2e/billing-contracts.test.ts',
  'test/e2e/control.test.ts',
  'test/e2e/damage.test.ts',
  'test/e2e/journey.test.ts',
  'test/e2e/kill.test.ts',
  'test/e2e/lifecycle-changes.test.ts',
  'test/e2e/lifecycle-export.test.ts',
  'test/e2e/lifecycle-purge.test.ts',
  'test/e2e/start.test.ts',
  'test/e2e/trace.test.ts',
  'test/exactly-once/exactly-once.test.ts',
  'test/exactly-once/poison.test.ts',
  'test/isolation/ids.test.ts',
  'test/isolation/sequences.test.ts',
  'test/observability/stack.test.ts',
  'test/scripts/redrive.test.ts',
  'test/simulation/mutants.test.ts',
  'test/tenant-events/crash/mutants.test.ts',
  'test/tenant-events/kill/kill.test.ts',
]
const withLongStories = process.env['LONG'] !== undefined || process.env['ENGINES'] !== undefined

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(withLongStories ? [] : LONG_STORIES)],
    reporters: ['default', './test/support/closing-line.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Two cores: more workers only make every suite slower.
    maxWorkers: 2,
    // A shared machine can stall for seconds; a test that needs its second try is reported as flaky.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    env: { METADATA_SERVER_DETECTION: 'none' },
  },
})
