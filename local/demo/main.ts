import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keepToOwnStack } from '#local/stack/clean-env.ts'
import { explain } from '#local/stack/explain.ts'
import { DEFAULT_OPTIONS, parseOptions, StackError } from '#local/stack/options.ts'
import { readStackInfo, type Stack, startStack } from '#local/stack/stack.ts'
import { buildIfStale } from '../../scripts/build.ts'
import { playJourney } from './journey.ts'
import { createNarrator, StepFailed } from './narrator.ts'

const USAGE = `Plays one tenant's life on a fresh stack and exits non-zero if a step is wrong.

Usage: npm run demo -- [--engine embedded|google] [--caller-check jwks|platform] [--attach]

  --attach   on the stack that npm start runs, with a new tenant, instead of a fresh one`

const FLAGS = ['--engine', '--caller-check', '--attach', '--help', '-h']

keepToOwnStack(process.env)

const print = (text: string): void => void process.stdout.write(`${text}\n`)

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${error instanceof StepFailed ? error.message : explain(error)}\n`)
  process.exitCode = 1
}

async function main(): Promise<number> {
  const argv = process.argv.slice(2)
  const unknown = argv.find((word) => word.startsWith('-') && !FLAGS.includes(word.split('=')[0] ?? ''))
  if (unknown !== undefined) throw new StackError(`There is no option ${unknown}.\n\n${USAGE}`)
  if (argv.includes('--help') || argv.includes('-h')) {
    print(USAGE)
    return 0
  }
  return argv.includes('--attach') ? attached() : fresh(argv)
}

async function attached(): Promise<number> {
  const info = readStackInfo(DEFAULT_OPTIONS.dataDir)
  if (info === undefined)
    throw new StackError('No stack is running: npm start in another terminal, or leave out --attach.')
  await playJourney(info, `demo-${Date.now().toString(36)}`, createNarrator(print), {
    month: false,
  })
  print('\nThe journey is complete. Its last part, a month that passes, takes a stack of its own.')
  return 0
}

async function fresh(argv: readonly string[]): Promise<number> {
  const dataDir = await mkdtemp(join(tmpdir(), 'energent-demo-'))
  let stack: Stack | undefined
  try {
    const options = parseOptions(['--port', '0', '--data', dataDir, ...argv], process.env)
    if (options === 'help') return 0
    await buildIfStale()
    stack = await startStack(options, { print })
    print(`A fresh stack runs on ${stack.info().gatewayUrl} (engine: ${stack.info().engine}).\n`)
    await playJourney(stack.info(), 'demo-robotics', createNarrator(print))
    print('\nThe journey is complete.')
    return 0
  } finally {
    await stack?.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
}
