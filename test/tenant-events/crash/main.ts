import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { withSeed } from './check.ts'
import { exhaust } from './exhaust.ts'
import { FATES } from './faults.ts'
import { NO_MUTANT } from './mutant.ts'
import { MUTANTS } from './mutants.ts'
import { STORIES } from './stories.ts'
import { added, blindSpots, NOTHING, type Summary, summaryOf } from './summary.ts'

const HELP = `Tells tenants' lives while processes die, and compares each with the life in which nothing failed.

  npm run crashes -- [--runs 20000] [--from 1] [--jobs 2] [--mutant NAME] [--story NAME]
  npm run crashes -- --seed 4711 [--trace 200] [--mutant NAME] [--story NAME]
  npm run crashes -- --single [--fates all] [--delays 5] [--story NAME]

  --runs    how many seeds to run, beginning at --from; each draws a story and its faults
  --seed    one seed alone, with what was wrong and the end of its trace
  --trace   how much of that trace is shown
  --single  one fault at each call of each story instead: crashes before and after it, and with --fates all
            every kind; an ask that does not wait comes after every fifth commit, or --delays 1 each
  --jobs    threads to share the runs between
  --story   one story alone: ${STORIES.map(({ name }) => name).join(', ')}
  --mutant  plants one of the known bugs, which should be seen: ${MUTANTS.map(({ name }) => name).join(', ')}

Ends with 1 when anything was wrong, a seed did not repeat, or a kind of fault hardly happened.`

/** Every so many seeds, one is run twice: the same seed must give the same trace. */
const REPEAT_EVERY = 50

type Job = {
  readonly from: number
  readonly runs: number
  readonly step: number
  readonly mutant: string
  readonly story: string
}

if (isMainThread) await main()
else await work(workerData as Job)

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '20000' },
      from: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '2' },
      seed: { type: 'string' },
      trace: { type: 'string', default: '60' },
      mutant: { type: 'string', default: NO_MUTANT.name },
      story: { type: 'string', default: '' },
      single: { type: 'boolean', default: false },
      fates: { type: 'string', default: 'crashes' },
      delays: { type: 'string', default: '5' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return say(HELP)
  const { mutant, story } = values
  if (values.seed !== undefined)
    return replay(wholeNumber(values.seed), mutant, story, wholeNumber(values.trace))
  if (values.single) return single(story, mutant, values.fates === 'all', wholeNumber(values.delays))
  const [runs = 0, from = 1, jobs = 1] = [values.runs, values.from, values.jobs].map(wholeNumber)
  const startedMs = performance.now()
  const parts = await Promise.all(
    Array.from({ length: jobs }, (_none, job) =>
      runJob({ from: from + job, runs: Math.ceil((runs - job) / jobs), step: jobs, mutant, story }),
    ),
  )
  report(parts.reduce(added, NOTHING), (performance.now() - startedMs) / 1000, mutant)
}

function runJob(job: Job): Promise<Summary> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: job })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

async function work({ from, runs, step, ...names }: Job): Promise<void> {
  const stories = storiesNamed(names.story)
  const mutant = mutantNamed(names.mutant)
  let summary = NOTHING
  for (let run = 0; run < runs; run += 1) {
    const seed = from + run * step
    const outcome = await withSeed(seed, stories, { mutant })
    const again = run % REPEAT_EVERY === 0 ? await withSeed(seed, stories, { mutant }) : undefined
    summary = added(summary, summaryOf(seed, outcome, again))
  }
  parentPort?.postMessage(summary)
}

async function replay(seed: number, mutant: string, story: string, keepTrace: number): Promise<void> {
  const run = await withSeed(seed, storiesNamed(story), { mutant: mutantNamed(mutant), keepTrace })
  for (const line of run.outcome.tail) say(line)
  for (const violation of run.violations) say(`WRONG ${violation}`)
  const { calls, hash, lastedMs } = run.outcome
  say(`seed ${seed}, ${run.story.name}: ${calls} calls in ${Math.round(lastedMs / 60_000)} virtual minutes`)
  say(`trace ${hash}`)
  process.exitCode = run.violations.length === 0 ? 0 : 1
}

async function single(name: string, mutant: string, all: boolean, delays: number): Promise<void> {
  let runs = 0
  let wrong = 0
  const startedMs = performance.now()
  for (const story of storiesNamed(name)) {
    const fates = all ? FATES : (['crash-before', 'crash-after'] as const)
    const found = await exhaust(story, { mutant: mutantNamed(mutant), fates, delays })
    runs += found.runs
    wrong += found.failed.length
    say(`${story.name}: ${found.runs} runs, ${found.failed.length} wrong`)
    for (const failed of found.failed.slice(0, 5)) say(`  ${failed}`)
  }
  const seconds = (performance.now() - startedMs) / 1000
  say(`${runs} runs with one fault each in ${seconds.toFixed(0)} s, ${wrong} wrong`)
  process.exitCode = wrong === 0 ? 0 : 1
}

function report(summary: Summary, seconds: number, mutant: string): void {
  const { runs, calls, virtualMs, injected, failed, differing, repeated, stories } = summary
  const faults = Object.values(injected).reduce((sum, count) => sum + count, 0)
  const days = Math.round(virtualMs / 86_400_000)
  say(
    `${runs} runs in ${seconds.toFixed(0)} s (${(runs / seconds).toFixed(0)} a second): ${calls} calls, ${days} virtual days`,
  )
  say(`${faults} faults, ${(faults / runs).toFixed(1)} a run:`)
  for (const [name, count] of Object.entries(injected).sort(([, left], [, right]) => right - left)) {
    say(`  ${name.padEnd(16)} ${count}`)
  }
  say('runs of each story:')
  for (const [name, count] of Object.entries(stories).sort()) say(`  ${name.padEnd(40)} ${count}`)
  say(`${repeated} seeds run twice, ${differing.length} of them differed ${differing.join(' ')}`)
  const planted = mutant === NO_MUTANT.name ? '' : ` --mutant "${mutant}"`
  for (const { seed, story, violation } of failed.slice(0, 20)) {
    say(`${story}: ${violation}`)
    say(`  npm run crashes -- --seed ${seed}${planted}`)
  }
  say(
    failed.length === 0
      ? `0 wrong: with 95 % confidence fewer than ${((3 / runs) * 100).toFixed(3)} % of all seeds are (3/n)`
      : `${failed.length} runs went wrong`,
  )
  const blind = blindSpots(summary)
  if (blind.length > 0) say(`hardly ever happened: ${blind.join(', ')}`)
  process.exitCode = failed.length + differing.length + blind.length === 0 ? 0 : 1
}

function mutantNamed(name: string): (typeof MUTANTS)[number] {
  const mutant = [NO_MUTANT, ...MUTANTS].find((known) => known.name === name)
  if (mutant === undefined) throw new RangeError(`no mutant "${name}"; see --help`)
  return mutant
}

function storiesNamed(name: string): typeof STORIES {
  const stories = name === '' ? STORIES : STORIES.filter((story) => story.name === name)
  if (stories.length === 0) throw new RangeError(`no story "${name}"; see --help`)
  return stories
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new RangeError(`"${text}" is not a whole number`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
