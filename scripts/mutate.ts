import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MUTATIONS } from '../test/isolation/mutations/all.ts'
import type { Mutation } from '../test/isolation/mutations/mutation.ts'

const HELP = `Takes each check of the table out of a copy of the source and runs the tests that must notice.

  node scripts/mutate.ts [--only TEXT] [--jobs N] [--list]

  --only TEXT   only entries whose file or description holds TEXT; may stand several times
  --jobs N      how many at a time (2)
  --list        print the table and run nothing

Exits with 1 when a mutation survives, when an entry does not apply, or when the tests fail without any.
`
const ROOT = join(import.meta.dirname, '..')
const COPIED = [
  'functions',
  'shared',
  'local',
  'test',
  'scripts',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
  'api-spec.yaml',
]
const LIMIT_MS = 180_000

type Verdict = { readonly kind: 'caught' | 'survived' | 'broken'; readonly by: string }

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [''] },
    jobs: { type: 'string', default: '2' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const chosen = MUTATIONS.filter(({ file, without }) =>
  values.only.some((text) => `${file} ${without}`.includes(text)),
)
if (values.help) process.stdout.write(HELP)
else if (values.list)
  for (const mutation of chosen) process.stdout.write(`${mutation.file}: without ${mutation.without}\n`)
else process.exitCode = await runAll(chosen, Number(values.jobs))

async function runAll(mutations: readonly Mutation[], jobs: number): Promise<number> {
  const startedMs = performance.now()
  const first = makeCopy(ROOT)
  const tests = [...new Set(mutations.flatMap(({ caughtBy }) => (caughtBy === 'types' ? [] : caughtBy)))]
  const plain = tests.length === 0 ? undefined : await runTests(first, tests)
  const sound = plain === undefined || plain.kind === 'survived'
  if (!sound)
    process.stdout.write(`The tests fail without any mutation, so nothing can be said: ${plain.by}\n`)
  const waiting = sound ? [...mutations] : []
  const verdicts: Verdict[] = []
  const work = async (copy: string): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const verdict = await tryOut(copy, next)
      verdicts.push(verdict)
      process.stdout.write(
        `${verdict.kind.padEnd(8)} ${next.file}: without ${next.without}\n           ${verdict.by}\n`,
      )
    }
  }
  const copies = [first, ...Array.from({ length: Math.max(jobs, 1) - 1 }, () => makeCopy(first))]
  await Promise.all(copies.map(work))
  for (const copy of copies) rmSync(copy, { recursive: true, force: true })
  const caught = verdicts.filter(({ kind }) => kind === 'caught').length
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  process.stdout.write(`${caught} of ${mutations.length} mutations caught in ${seconds} s\n`)
  return sound && caught === mutations.length ? 0 : 1
}

/** The source as it stands, with the packages of this checkout. */
function makeCopy(from: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'energent-mutate-'))
  for (const path of COPIED) cpSync(join(from, path), join(copy, path), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

async function tryOut(copy: string, { file, find, replace, caughtBy }: Mutation): Promise<Verdict> {
  const path = join(copy, file)
  const source = readFileSync(path, 'utf8')
  if (source.split(find).length !== 2)
    return { kind: 'broken', by: 'the text does not stand there exactly once' }
  writeFileSync(
    path,
    source.replace(find, () => replace),
  )
  try {
    return caughtBy === 'types' ? await runTypes(copy) : await runTests(copy, caughtBy)
  } finally {
    writeFileSync(path, source)
  }
}

async function runTests(copy: string, tests: readonly string[]): Promise<Verdict> {
  const report = join(copy, 'report.json')
  rmSync(report, { force: true })
  const vitest = [
    'node_modules/vitest/vitest.mjs',
    'run',
    ...tests,
    '--bail=1',
    '--reporter=json',
    `--outputFile=${report}`,
  ]
  const ran = await run(copy, vitest)
  if (ran.code === 0) return { kind: 'survived', by: tests.join(', ') }
  const { failed, messages } = readReport(report)
  // A file that does not even load proves nothing about its tests.
  return failed.length > 0
    ? { kind: 'caught', by: failed[0] ?? '' }
    : { kind: 'broken', by: `${messages.join(' ')} ${ran.output}`.slice(0, 400) }
}

async function runTypes(copy: string): Promise<Verdict> {
  const ran = await run(copy, ['node_modules/typescript/bin/tsc', '-p', '.', '--incremental', 'false'])
  const [first = ''] = ran.output.split('\n').filter((line) => line.includes('error TS'))
  return ran.code === 0 ? { kind: 'survived', by: 'tsc' } : { kind: 'caught', by: first }
}

type Report = {
  readonly testResults: readonly {
    readonly message: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

function readReport(report: string): { failed: string[]; messages: string[] } {
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report
    const all = testResults.flatMap(({ assertionResults }) => assertionResults)
    const failed = all.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName.trim())
    return { failed, messages: testResults.map(({ message }) => message) }
  } catch {
    return { failed: [], messages: [] }
  }
}

function run(cwd: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, ENGINES: 'embedded', METADATA_SERVER_DETECTION: 'none' }
    const options = { cwd, env, timeout: LIMIT_MS, maxBuffer: 64 * 1024 * 1024 }
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: `${stdout}${stderr}` })
    })
  })
}
