import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { findGoogleEmulators } from '#local/engine/google.ts'

const HELP = `Runs every test that has a variant for Google's own emulators, on both engines.

  node scripts/test-google.ts [FILTER ...]

  FILTER   only files whose path holds one of these

Ends with 1 when a test failed, and when the emulators are not installed.
`
const ROOT = join(import.meta.dirname, '..')

/** What a test file that runs on more than one engine names, itself or through its contract. */
const NAMES_ENGINES = /engines\.ts'|'\.\/contract\.ts'|stackEngines|inject\('engines'\)/

async function run(filters: readonly string[]): Promise<number> {
  if (filters.includes('--help')) {
    process.stdout.write(HELP)
    return 0
  }
  const emulators = await findGoogleEmulators()
  if (!emulators.found) {
    process.stderr.write(`Google's emulators cannot run here: ${emulators.reason}\n`)
    return 1
  }
  const files = []
  for await (const file of glob('test/**/*.test.ts', { cwd: ROOT })) {
    const wanted = filters.length === 0 || filters.some((filter) => file.includes(filter))
    if (wanted && NAMES_ENGINES.test(readFileSync(join(ROOT, file), 'utf8'))) files.push(file)
  }
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  const env = { ...process.env, ENGINES: 'embedded,google' }
  const child = spawn(process.execPath, [vitest, 'run', ...files.sort()], {
    cwd: ROOT,
    env,
    stdio: 'inherit',
  })
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}

process.exitCode = await run(process.argv.slice(2))
