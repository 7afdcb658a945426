import { readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { inject } from 'vitest'
import { control, startTestStack, type TestStack } from '../e2e/test-stack.ts'

/** A stack whose log can be read. */
export type ObservedStack = TestStack & {
  /** Every line the functions have written so far. */
  lines(): string[]
  /** Waits until nothing is under way, then for the last lines to be written. */
  settled(): Promise<void>
  /** Asks each path without a token; the clock has moved on before, so that nothing is remembered. */
  healthAfter(seconds: number): Promise<Readonly<Record<string, Health>>>
}

export type Health = {
  readonly status: number
  readonly text: string
  readonly failed: readonly string[]
}

export const HEALTH_PATHS = ['/health', '/health/billing', '/health/tenants'] as const

export async function startObservedStack(): Promise<ObservedStack> {
  const data = await mkdtemp(join(inject('temporaryRoot'), 'observed-'))
  const stack = await startTestStack('--data', data)
  const advance = (seconds: number) => control(stack, 'POST', '/clock', { advanceSeconds: seconds })
  return {
    ...stack,
    lines: () =>
      readFileSync(join(data, 'logs', 'functions.ndjson'), 'utf8')
        .split('\n')
        .filter(Boolean),
    settled: async () => {
      await advance(0)
    },
    healthAfter: async (seconds) => {
      await advance(seconds)
      const answers = await Promise.all(
        HEALTH_PATHS.map(async (path) => [path, await healthOf(stack, path)] as const),
      )
      return Object.fromEntries(answers)
    },
  }
}

async function healthOf(stack: TestStack, path: string): Promise<Health> {
  const answer = await fetch(`${stack.info().gatewayUrl}${path}`)
  const text = await answer.text()
  const { checks = {} } = JSON.parse(text) as { checks?: Record<string, { status: string }> }
  const failed = Object.keys(checks).filter((name) => checks[name]?.status !== 'ok')
  return { status: answer.status, text, failed }
}
