import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestStack, type TestStack } from '../../e2e/test-stack.ts'
import { killDuringProvisioning } from './kills.ts'

// `npm run kill-run` does the same with 200 tenants.
let stack: TestStack
beforeAll(async () => {
  stack = await startTestStack('--no-seed')
}, 90_000)
afterAll(() => stack.close())

test('a process that is killed with -9 again and again leaves every tenant active, with exact objects', async () => {
  const figures = await killDuringProvisioning(stack, { tenants: 24, kills: 8, seed: 1 })

  expect(figures.wrong).toEqual([])
  // A process that died idle proves nothing; how many do depends on the machine.
  expect(figures.interrupted).toBeGreaterThan(0)
}, 240_000)
