import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findGoogleEmulators } from '#local/engine/google.ts'
import { keepToOwnStack } from '#local/stack/clean-env.ts'
import { parseOptions } from '#local/stack/options.ts'
import { type Stack, startStack } from '#local/stack/stack.ts'

export type TestStack = Stack & {
  /** Everything the stack printed. */
  readonly printed: readonly string[]
}

/** A whole stack in a folder of its own, on free ports; `close` leaves nothing behind. */
export async function startTestStack(...flags: readonly string[]): Promise<TestStack> {
  keepToOwnStack(process.env)
  const dataDir = await mkdtemp(join(tmpdir(), 'energent-test-'))
  const options = parseOptions(['--port', '0', '--data', dataDir, ...flags], {})
  if (options === 'help') throw new Error('no help wanted')
  const printed: string[] = []
  const stack = await startStack(options, { print: (text) => void printed.push(text) })
  return {
    ...stack,
    printed,
    close: async () => {
      await stack.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** The stacks a test runs on: our engine, and Google's emulators where they are wanted and installed. */
export async function stackEngines(): Promise<readonly ('embedded' | 'google')[]> {
  const wanted = (process.env['ENGINES'] ?? 'embedded').split(',')
  const google = wanted.includes('google') && (await findGoogleEmulators()).found
  return [
    ...(wanted.includes('embedded') ? ['embedded' as const] : []),
    ...(google ? ['google' as const] : []),
  ]
}

/** What `look` returns once it returns something; throws with `what` after the limit of real time. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  limitMs = 30_000,
): Promise<T> {
  const endMs = performance.now() + limitMs
  let last: unknown
  while (performance.now() < endMs) {
    try {
      const seen = await look()
      if (seen !== undefined) return seen
    } catch (error) {
      last = error
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`not within ${limitMs} ms: ${what}${last === undefined ? '' : `; last: ${String(last)}`}`)
}

/** Calls the control door and returns its JSON; throws on anything but 200. */
export async function control(
  stack: Stack,
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const answer = await fetch(`${stack.info().controlUrl}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const json = (await answer.json()) as Record<string, unknown>
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(json)}`)
  return json
}
