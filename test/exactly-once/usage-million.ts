import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { type DeliveryOutcome, runDeliveries } from './deliveries.ts'

const HELP = `Usage: npm run exactly-once:usage -- [options]

Delivers usage once to five times in any order and any batches to processes that die, or lose an answer,
at every call they make, and compares what is counted with what was sent. Ends with code 1 unless nothing
was lost and nothing counted twice.

  --deliveries N  messages handed over, in all (default 1000000)
  --seed N        draws others (default 1)
  --workers N     processes (default: one for each processor)`

/** Deliveries to one store; the next ones get a fresh one, since a query there looks at every document. */
const ROUND = 4_000

type Total = { -readonly [Key in keyof DeliveryOutcome]: DeliveryOutcome[Key] } & { rounds: number }

const { values } = parseArgs({
  options: {
    deliveries: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    help: { type: 'boolean', default: false },
  },
})

if (process.send !== undefined) work()
else if (values.help) say(HELP)
else process.exitCode = (await runAll()) ? 0 : 1

/** As a child: rounds on demand. */
function work(): void {
  process.on('message', (seed: number) => {
    void runDeliveries({ deliveries: ROUND, seed }).then((outcome) => process.send?.(outcome))
  })
}

async function runAll(): Promise<boolean> {
  const wanted = Number(values.deliveries)
  const startedMs = performance.now()
  const total = nothing()
  let asked = 0
  let reported = 0
  const runOne = (child: ChildProcess): Promise<void> =>
    new Promise((resolve, reject) => {
      const next = (): void => {
        if (asked * ROUND >= wanted) {
          child.disconnect()
          resolve()
          return
        }
        asked += 1
        child.send(Number(values.seed) * 1_000_000 + asked)
      }
      child.on('message', (outcome: DeliveryOutcome) => {
        add(total, outcome)
        if (Math.floor(total.deliveries / 100_000) > reported) {
          reported = Math.floor(total.deliveries / 100_000)
          say(`  ${total.deliveries} deliveries: ${total.lost} lost, ${total.double} double`)
        }
        next()
      })
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))))
      next()
    })
  await Promise.all(Array.from({ length: Number(values.workers) }, () => runOne(fork(import.meta.filename))))
  const seconds = (performance.now() - startedMs) / 1000
  report(total, seconds)
  return (
    total.lost + total.double + total.wrongHours === 0 && total.exact && total.setAside === total.badEvents
  )
}

function report(total: Total, seconds: number): void {
  const perSecond = Math.round(total.deliveries / seconds)
  say(`${total.deliveries} deliveries of ${total.eventDeliveries} events in ${total.rounds} rounds`)
  say(`  ${total.distinctEvents} different events; ${total.redelivered} deliveries failed and came again`)
  say(`  ${total.instances} processes started; faults: ${JSON.stringify(total.faults)}`)
  say(`  lost ${total.lost}, double ${total.double}, hours with another quantity ${total.wrongHours}`)
  say(`  bad events ${total.badEvents}, set aside ${total.setAside}; answers exact: ${total.exact}`)
  say(`  with 95 % confidence fewer than 1 delivery in ${Math.floor(total.deliveries / 3)} goes wrong`)
  say(`  ${seconds.toFixed(0)} s, ${perSecond} deliveries/s`)
}

function nothing(): Total {
  return {
    ...{ deliveries: 0, eventDeliveries: 0, distinctEvents: 0, badEvents: 0, redelivered: 0, rounds: 0 },
    ...{ faults: {}, instances: 0, lost: 0, double: 0, wrongHours: 0, setAside: 0, exact: true },
  }
}

function add(total: Total, { faults, exact, ...counts }: DeliveryOutcome): void {
  total.rounds += 1
  total.exact &&= exact
  for (const [name, count] of Object.entries(counts)) total[name as keyof typeof counts] += count
  const sums = { ...total.faults }
  for (const [name, count] of Object.entries(faults)) sums[name] = (sums[name] ?? 0) + count
  total.faults = sums
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
