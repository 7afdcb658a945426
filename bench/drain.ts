import { Agent, get } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Rig, type RunningFunction, startRig } from './rig.ts'

/** What became of the requests of one round. */
export type DrainRound = {
  readonly finished: number
  readonly resets: number
  readonly others: readonly number[]
  readonly exitCode: number | null
  readonly exitMs: number
}

const IN_FLIGHT = 20
const STORE_DELAY_MS = 300

/**
 * One round: twenty requests wait for the store, SIGTERM comes at a random moment of that wait, and
 * every one of them should be answered in full before the process ends well.
 */
export async function drainRound(rig: Rig, atMs: number): Promise<DrainRound> {
  const headers = await rig.headersOf('platform', 'platform:read')
  const running = await rig.start()
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT })
  // The first one loads the client, and brings the tenant's state and the keys.
  await statusOf(running, agent, headers)
  let waiting = 0
  rig.engine.setFault(() => {
    waiting += 1
    return { mode: 'delay', delayMs: STORE_DELAY_MS }
  })
  const outcomes = Array.from({ length: IN_FLIGHT }, () => statusOf(running, agent, headers))
  while (waiting < IN_FLIGHT) await pause(2)
  await pause(atMs)
  const killedAtMs = performance.now()
  running.kill('SIGTERM')
  const statuses = await Promise.all(outcomes)
  const [exitCode] = await running.exited
  const exitMs = performance.now() - killedAtMs
  rig.engine.setFault(undefined)
  agent.destroy()
  return {
    finished: statuses.filter((status) => status === 200).length,
    resets: statuses.filter((status) => status === 'reset').length,
    others: statuses.filter((status) => status !== 200 && status !== 'reset').map(Number),
    exitCode,
    exitMs,
  }
}

function statusOf(
  { port }: RunningFunction,
  agent: Agent,
  headers: Record<string, string>,
): Promise<number | 'reset'> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/v1/tenants', agent, headers }, (response) => {
      response.on('error', () => resolve('reset'))
      response.resume().on('end', () => resolve(response.complete ? (response.statusCode ?? 0) : 'reset'))
    })
    request.on('error', () => resolve('reset'))
  })
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '100' } } })
  const rounds = Number(values.rounds)
  const rig = await startRig('tenants-api', [])
  let finished = 0
  let resets = 0
  let slowestMs = 0
  const bad: string[] = []
  for (let round = 0; round < rounds; round += 1) {
    // Spread evenly over the wait: from the moment all are in to just before the first is answered.
    const result = await drainRound(rig, ((round * 37) % 100) * (STORE_DELAY_MS / 100) * 0.8)
    finished += result.finished
    resets += result.resets
    slowestMs = Math.max(slowestMs, result.exitMs)
    if (result.finished !== IN_FLIGHT || result.exitCode !== 0)
      bad.push(`round ${round}: ${JSON.stringify(result)}`)
  }
  await rig.close()
  console.log(
    `drain: ${rounds} rounds, ${finished} of ${rounds * IN_FLIGHT} requests finished, ${resets} resets,`,
  )
  console.log(`       the slowest process ended ${Math.round(slowestMs)} ms after SIGTERM`)
  for (const line of bad) console.log(line)
  process.exitCode = bad.length === 0 ? 0 : 1
}
