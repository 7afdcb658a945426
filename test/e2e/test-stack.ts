import { findGoogleEmulators } from '#local/engine/google.ts'
import { keepToOwnStack } from '#local/stack/clean-env.ts'
import { parseOptions } from '#local/stack/options.ts'
import { type Stack, startStack } from '#local/stack/stack.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

export { eventually } from '../support/until.ts'

export type TestStack = Stack & {
  /** Everything the stack printed. */
  readonly printed: readonly string[]
}

/** A whole stack in a folder of its own, on free ports; `close` leaves nothing running. */
export async function startTestStack(...flags: readonly string[]): Promise<TestStack> {
  keepToOwnStack(process.env)
  const options = parseOptions(['--port', '0', '--data', temporaryFolder(), ...flags], {})
  if (options === 'help') throw new Error('no help wanted')
  const printed: string[] = []
  const stack = await startStack(options, { print: (text) => void printed.push(text) })
  return { ...stack, printed }
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
