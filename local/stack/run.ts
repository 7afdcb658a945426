import { buildIfStale } from '../../scripts/build.ts'
import { banner } from './banner.ts'
import { parseOptions, StackError, type StackOptions, USAGE } from './options.ts'
import { type Stack, startStack } from './stack.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** `npm start`: builds if needed, starts the stack, prints where it is, and ends it on a signal. */
export async function run(argv: readonly string[]): Promise<void> {
  const startedMs = performance.now()
  try {
    const options = parseOptions(argv, process.env)
    if (options === 'help') return print(USAGE)
    if (await buildIfStale()) print(`built dist/ in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
    await serve(options, startedMs)
  } catch (error) {
    process.exitCode = 1
    const known = error instanceof StackError || (error instanceof Error && error.name === 'SpecError')
    process.stderr.write(
      `${known ? (error as Error).message : String(error instanceof Error ? error.stack : error)}\n`,
    )
    process.exit()
  }
}

async function serve(options: StackOptions, startedMs: number): Promise<void> {
  let interrupted = false
  const stopped = new Promise<void>((resolve) => {
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        // A second Ctrl-C does not wait; the children notice that their parent has gone.
        if (interrupted) process.exit(130)
        interrupted = true
        resolve()
      })
    }
  })
  const starting = startStack(options, { print })
  const stack = await Promise.race([starting, stopped.then(() => undefined)])
  if (stack === undefined) {
    print('stopping before the start was complete')
    await starting.then((late) => late.close()).catch(() => {})
    return
  }
  print(banner(stack.info(), await demoToken(stack), (performance.now() - startedMs) / 1000))
  await stopped
  print('\nstopping')
  await stack.close()
  process.exit(0)
}

async function demoToken(stack: Stack): Promise<string | undefined> {
  const [tenant] = stack.info().tenants
  return tenant === undefined ? undefined : stack.api().token(tenant)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
