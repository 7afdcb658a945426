import { parseArgs } from 'node:util'
import { startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { findGoogleEmulators, startGoogleFirestore, startGooglePubsub } from '#local/engine/google.ts'
import { startPubsubEngine } from '#local/engine/pubsub/index.ts'
import { systemClock } from '#shared/clock.ts'
import { checkPublish, checkTenants, checkUsage } from './checks.ts'
import { runPublish } from './publish-scenario.ts'
import { runTenants } from './tenant-scenario.ts'
import { runNaive, runUsage } from './usage-scenario.ts'

const HELP = `Usage: node test/exactly-once/run.ts [options]

Cuts connections between the functions and their stores and counts what comes of it, with the official
clients. Ends with code 1 when anything was counted twice or lost.

  --engine NAME   embedded, google or both (default: both where Google's emulators are installed)
  --events N      usage events, one message each (default 2000)
  --cuts N        connections cut in each scenario (default 200)
  --seed N        draws other faults (default 1)`

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'both' },
    events: { type: 'string', default: '2000' },
    cuts: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

type Hosts = { readonly firestore: string; readonly pubsub: string }

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

async function onEmbedded(act: (hosts: Hosts) => Promise<boolean>): Promise<boolean> {
  const firestore = await startFirestoreEngine({ now: systemClock.now })
  const pubsub = await startPubsubEngine()
  try {
    return await act({ firestore: firestore.host, pubsub: pubsub.host })
  } finally {
    await Promise.all([firestore.close(), pubsub.close()])
  }
}

async function onGoogle(act: (hosts: Hosts) => Promise<boolean>): Promise<boolean> {
  const [{ emulator: firestore }, { emulator: pubsub }] = await Promise.all([
    startGoogleFirestore(),
    startGooglePubsub({ project: 'demo-energent' }),
  ])
  try {
    if (firestore === undefined || pubsub === undefined)
      throw new Error("Google's emulators are not installed")
    return await act({ firestore: firestore.host, pubsub: pubsub.host })
  } finally {
    await Promise.all([firestore?.stop(), pubsub?.stop()])
  }
}

async function report<T extends object>(
  what: string,
  work: () => Promise<T>,
  check: (outcome: T) => readonly string[],
): Promise<boolean> {
  const startedMs = performance.now()
  const outcome = await work()
  const faults = check(outcome)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  const figures = JSON.stringify(outcome, (key, value) => (key === 'tenants' ? value.length : value))
  say(`${faults.length === 0 ? 'exact' : 'WRONG'}  ${what} (${seconds} s)  ${figures}`)
  for (const fault of faults) say(`       ${fault}`)
  return faults.length === 0
}

async function all(name: string, hosts: Hosts): Promise<boolean> {
  const scale = { events: Number(values.events), cuts: Number(values.cuts), seed: Number(values.seed) }
  const seesDoubles = (naive: { acknowledged: number; stored: number }): string[] =>
    naive.stored > naive.acknowledged ? [] : ['the control counted exactly: these cuts prove nothing']
  const outcomes = [
    await report(`${name}: usage`, () => runUsage(hosts.firestore, scale), checkUsage),
    await report(`${name}: control without a claim`, () => runNaive(hosts.firestore, scale), seesDoubles),
    await report(
      `${name}: tenants`,
      () => runTenants(hosts, { tenants: scale.events / 10, cuts: scale.cuts / 2, seed: scale.seed }),
      checkTenants,
    ),
    await report(
      `${name}: publishing`,
      () => runPublish(hosts, { events: scale.events / 2, cuts: scale.cuts / 2, seed: scale.seed }),
      checkPublish,
    ),
  ]
  return outcomes.every(Boolean)
}

if (values.help) say(HELP)
else {
  const google = values.engine === 'both' ? (await findGoogleEmulators()).found : values.engine === 'google'
  const outcomes = [
    values.engine === 'google' || (await onEmbedded((hosts) => all('embedded', hosts))),
    !google || (await onGoogle((hosts) => all('google', hosts))),
  ]
  if (!google) say("Google's emulators were not part of this run.")
  // The clients keep connections open that nothing else ends.
  process.exit(outcomes.every(Boolean) ? 0 : 1)
}
