import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { type Mutant, NO_MUTANT } from './mutant.ts'
import { MUTANTS } from './mutants/all.ts'
import { simulate } from './simulate.ts'
import { added, blindSpots, NOTHING, type Summary, summaryOf } from './summary.ts'

const HELP = `Simulates whole lives of the platform, one for each seed, and checks what must hold.

  node test/simulation/run.ts [--seeds 10000] [--from 1] [--jobs 2] [--mutant "no claim"]
  node test/simulation/run.ts --seed 4711 [--mutant "no claim"] [--trace 200]

  --seeds   how many seeds to run, beginning at --from
  --seed    one seed alone, with its violations and the end of its trace
  --trace   how much of the trace of that one seed is shown
  --jobs    threads to share the seeds between
  --mutant  plants one of the known bugs, which should be seen:
            ${MUTANTS.map(({ name }) => name).join(', ')}

Ends with 1 when anything was violated, a seed did not repeat, or a class of faults hardly happened.`

/** Every so many seeds, one is run twice: the same seed must give the same trace. */
const REPEAT_EVERY = 50

type Job = { readonly from: number; readonly seeds: number; readonly step: number; readonly mutant: string }

if (isMainThread) await main()
else await work(workerData as Job)

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10000' },
      from: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '2' },
      seed: { type: 'string' },
      trace: { type: 'string', default: '40' },
      mutant: { type: 'string', default: NO_MUTANT.name },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return say(HELP)
  const mutant = mutantNamed(values.mutant)
  if (values.seed !== undefined) return replay(wholeNumber(values.seed), mutant, wholeNumber(values.trace))
  const [seeds, from, jobs] = [values.seeds, values.from, values.jobs].map(wholeNumber) as [
    number,
    number,
    number,
  ]
  const startedMs = performance.now()
  const parts = await Promise.all(
    Array.from({ length: jobs }, (_none, job) =>
      runJob({ from: from + job, seeds: Math.ceil((seeds - job) / jobs), step: jobs, mutant: mutant.name }),
    ),
  )
  report(parts.reduce(added, NOTHING), (performance.now() - startedMs) / 1000)
}

function runJob(job: Job): Promise<Summary> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: job })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

async function work({ from, seeds, step, mutant: name }: Job): Promise<void> {
  const mutant = mutantNamed(name)
  let summary = NOTHING
  for (let run = 0; run < seeds; run += 1) {
    const seed = from + run * step
    const outcome = await simulate(seed, { mutant })
    const again = run % REPEAT_EVERY === 0 ? await simulate(seed, { mutant }) : undefined
    summary = added(summary, summaryOf(outcome, again))
  }
  parentPort?.postMessage(summary)
}

async function replay(seed: number, mutant: Mutant, keepTrace: number): Promise<void> {
  const { violations, hash, tail, steps, lastedMs } = await simulate(seed, { mutant, keepTrace })
  for (const line of tail) say(line)
  for (const violation of violations) say(`VIOLATED ${violation}`)
  say(`seed ${seed}: ${steps} steps in ${Math.round(lastedMs / 60_000)} virtual minutes, trace ${hash}`)
  process.exitCode = violations.length === 0 ? 0 : 1
}

function report(summary: Summary, seconds: number): void {
  const { seeds, steps, virtualMs, injected, failed, differing, repeated } = summary
  const faults = Object.values(injected).reduce((sum, count) => sum + count, 0)
  say(
    `${seeds} seeds, ${steps} steps, ${Math.round(virtualMs / 3_600_000)} virtual hours in ${seconds.toFixed(0)} s`,
  )
  say(`${faults} faults, ${(faults / seeds).toFixed(0)} a seed:`)
  for (const [name, count] of Object.entries(injected).sort(([, left], [, right]) => right - left)) {
    say(`  ${name.padEnd(16)} ${count}`)
  }
  say(`${repeated} seeds run twice, ${differing.length} of them differed ${differing.join(' ')}`)
  for (const { seed, violations } of failed.slice(0, 20)) say(`seed ${seed}: ${violations[0]}`)
  say(
    failed.length === 0
      ? `0 violations: with 95 % confidence fewer than ${((3 / seeds) * 100).toFixed(3)} % of all seeds have one (3/n)`
      : `${failed.length} seeds with violations; look at one with --seed ${failed[0]?.seed}`,
  )
  const blind = blindSpots(summary)
  if (blind.length > 0) say(`hardly ever happened: ${blind.join(', ')}`)
  process.exitCode = failed.length + differing.length + blind.length === 0 ? 0 : 1
}

function mutantNamed(name: string): Mutant {
  const mutant = [NO_MUTANT, ...MUTANTS].find((known) => known.name === name)
  if (mutant === undefined) throw new RangeError(`no mutant "${name}"; see --help`)
  return mutant
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new RangeError(`"${text}" is not a whole number`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
