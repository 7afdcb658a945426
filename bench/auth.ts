import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '#shared/clock.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import { parseTenantId } from '#shared/ids.ts'
import { createLogger } from '#shared/log.ts'
import type { Result } from '#shared/result.ts'
import { openAsDeployer } from '#shared/tenancy/operator.ts'
import { parseNewClient } from '../functions/auth/domain/new-client.ts'
import { createClient } from '../functions/auth/operations/create-client.ts'
import { wireAuth } from '../functions/auth/wiring.ts'
import type { LoadPhase, LoadResult } from './load-generator.ts'
import { cpuOf, type Rig, startRig } from './rig.ts'

/**
 * What one token costs: the auth function as it is delivered, beside functions-framework and node:http
 * that do nothing, and oidc-provider issuing the same JWT, inside the framework and alone, as ours.
 *
 * Counted are answers for each second of processor time that the server's process took: others on the
 * machine, the load generator and the store take theirs elsewhere. The peers take turns, round by
 * round, and the median is printed; the ratios are what means something on another machine.
 */
const TENANTS = Array.from({ length: 40 }, (_, at) => `tenant-${at + 10}`)
const CALLERS = 16
const OURS = 'energent-auth, framework'
const OURS_ALONE = 'energent-auth, node:http'
const PEER_CLIENT = 'bench'
const PEER_SECRET = 'bench-secret-of-sufficient-length'

type Server = {
  readonly name: string
  readonly port: number
  readonly pid: number
  readonly requests: readonly string[]
}

type PeerOptions = {
  readonly path?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly requests?: readonly string[]
}

type Round = { readonly perCpuSecond: number; readonly perSecond: number; readonly p95: number }

async function run(rounds: number, durationMs: number): Promise<void> {
  const rig = await startRig('auth', TENANTS)
  const children: ChildProcess[] = []
  const generator = fork(join(import.meta.dirname, 'load-generator.ts'))
  children.push(generator)
  const peer = async (name: string, file: string, how: PeerOptions): Promise<Server> => {
    const child = fork(join(import.meta.dirname, 'peers', file), how.args ?? [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: how.env ?? process.env,
    })
    children.push(child)
    const [port] = (await once(child, 'message')) as [number]
    const requests = how.requests ?? [
      requestOf(how.path ?? '/', basic('authorization', PEER_CLIENT, PEER_SECRET)),
    ]
    return { name, port, pid: child.pid ?? 0, requests }
  }
  try {
    const running = await rig.start()
    const requests = await ourRequests(rig)
    const servers: readonly Server[] = [
      { name: OURS, port: running.port, pid: running.pid, requests },
      await peer('functions-framework, empty', 'framework-nothing.ts', {}),
      await peer('oidc-provider, framework', 'oidc-provider.ts', { path: '/token', args: ['framework'] }),
      await peer(OURS_ALONE, 'own-handler.ts', { requests, env: rig.env }),
      await peer('node:http, empty', 'bare-http.ts', {}),
      await peer('oidc-provider, node:http', 'oidc-provider.ts', { path: '/token' }),
    ]
    await compare(servers, generator, rounds, durationMs)
  } finally {
    for (const child of children) child.kill()
    await rig.close()
  }
}

async function compare(
  servers: readonly Server[],
  generator: ChildProcess,
  rounds: number,
  durationMs: number,
): Promise<void> {
  const all = new Map<string, Round[]>(servers.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const server of servers) {
      const result = await offer(server, generator, durationMs)
      // The first round warms up.
      if (round > 0) all.get(server.name)?.push(result)
    }
  }
  const median = (name: string, of: (round: Round) => number): number => {
    const sorted = (all.get(name) ?? []).map(of).sort((left, right) => left - right)
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  }
  console.log(`${rounds} rounds of ${durationMs} ms each, ${CALLERS} callers; medians`)
  console.log(lineOf('server', 'answers/s per core', 'ours is', 'p95 ms'))
  for (const { name } of servers) {
    const perCore = median(name, (round) => round.perCpuSecond)
    // Like with like: what runs inside functions-framework with ours inside it.
    const ours = median(
      name.endsWith('node:http') || name.startsWith('node:http') ? OURS_ALONE : OURS,
      (round) => round.perCpuSecond,
    )
    const p95 = median(name, (round) => round.p95).toFixed(1)
    console.log(lineOf(name, perCore.toFixed(0), `${(ours / perCore).toFixed(2)} x`, p95))
  }
}

function lineOf(name: string, ...cells: readonly [string, string, string]): string {
  const [perCore, ratio, p95] = cells
  return `${name.padEnd(28)}${perCore.padStart(20)}${ratio.padStart(10)}${p95.padStart(9)}`
}

async function offer(server: Server, generator: ChildProcess, durationMs: number): Promise<Round> {
  const phase: LoadPhase = {
    kind: 'closed',
    callers: CALLERS,
    port: server.port,
    requests: server.requests,
    durationMs,
  }
  const before = await cpuOf(server.pid)
  generator.send(phase)
  const [result] = (await once(generator, 'message')) as [LoadResult]
  const cpuMs = (await cpuOf(server.pid)) - before
  const answered = result.byStatus['200'] ?? 0
  const others = Object.entries(result.byStatus).filter(([status]) => status !== '200')
  if (others.length > 0 || answered === 0) {
    throw new Error(`${server.name} answered ${JSON.stringify(result.byStatus)}`)
  }
  return {
    perCpuSecond: (answered * 1000) / cpuMs,
    perSecond: (answered * 1000) / durationMs,
    p95: result.okMs.p95,
  }
}

/** One client in each tenant: none of them comes near the limit of its tier. */
async function ourRequests(rig: Rig): Promise<string[]> {
  // Nobody hears the facts here, and what is not published would be logged at length.
  const publisher = { publish: async () => 'unheard' }
  const log = createLogger({
    clock: systemClock,
    project: rig.config.GOOGLE_CLOUD_PROJECT,
    service: 'bench',
    write: () => undefined,
  })
  const deps = wireAuth(rig.config, { publisher, log })
  const nowMs = deps.platform.clock.now()
  const caller = await rig.headersOf('platform', '')
  const wanted = unwrap(parseNewClient({ scopes: ['usage:read', 'usage:write'] }))
  const requests: string[] = []
  for (const tenant of TENANTS) {
    const ctx = openAsDeployer(unwrap(parseTenantId(tenant)), 'bench', 'bench', nowMs)
    const made = unwrap(await createClient(deps, { ctx, giver: 'deployer', wanted, nowMs }))
    const credentials = basic('x-forwarded-authorization', made.client.clientId, made.clientSecret ?? '')
    requests.push(requestOf('/oauth2/token', `authorization: ${caller['authorization']}\r\n${credentials}`))
  }
  await closeDatabase(deps.platform.database)
  return requests
}

function requestOf(path: string, headers: string): string {
  const form = 'grant_type=client_credentials'
  return (
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${headers}` +
    `content-type: application/x-www-form-urlencoded\r\ncontent-length: ${form.length}\r\n\r\n${form}`
  )
}

function basic(header: string, clientId: string, clientSecret: string): string {
  return `${header}: Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}\r\n`
}

function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.code}: ${result.detail}`)
  return result.value
}

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' } },
})
await run(Number(values.rounds), Number(values.seconds) * 1000)
process.exit(0)
