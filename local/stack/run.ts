import { buildIfStale } from '../../scripts/build.ts'
import { banner } from './banner.ts'
import { START_AFRESH } from './data-dir.ts'
import { explain } from './explain.ts'
import { parseOptions, StackError, type StackOptions, USAGE } from './options.ts'
import { type Stack, startStack } from './stack.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const ONE_PRESS_MS = 1_000

/** `npm start`: builds if needed, starts the stack, prints where it is, and ends it on a signal. */
export async function run(argv: readonly string[]): Promise<void> {
  const startedMs = performance.now()
  try {
    const options = parseOptions(argv, process.env)
    if (options === 'help') return print(USAGE)
    if (await buildIfStale(() => print('building dist/'))) {
      print(`built in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
    }
    await serve(options, startedMs)
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    process.exit(1)
  }
}

async function serve(options: StackOptions, startedMs: number): Promise<void> {
  let interruptedMs: number | undefined
  const stopped = new Promise<void>((resolve) => {
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        const nowMs = performance.now()
        interruptedMs ??= nowMs
        // One Ctrl-C can arrive twice, from the terminal and from npm. One that is pressed again later
        // does not wait; the children notice that their parent has gone.
        if (nowMs - interruptedMs > ONE_PRESS_MS) process.exit(130)
        resolve()
      })
    }
  })
  const starting = startStack(options, { print })
  const stack = await Promise.race([starting, stopped.then(() => undefined)])
  if (stack === undefined) {
    print('stopping as soon as the start is through')
    await starting.then((late) => late.close()).catch(() => {})
    process.exit(0)
  }
  const token = await demoToken(stack).catch(async (error: unknown) => {
    await stack.close()
    throw error
  })
  print(banner(stack.info(), token, (performance.now() - startedMs) / 1000))
  await stopped
  print('\nstopping')
  await stack.close()
  process.exit(0)
}

async function demoToken(stack: Stack): Promise<string | undefined> {
  const [tenant] = stack.info().tenants
  if (tenant === undefined) return undefined
  try {
    return await stack.api().token(tenant)
  } catch (error) {
    throw new StackError(`${error instanceof Error ? error.message : String(error)} ${START_AFRESH}`)
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
