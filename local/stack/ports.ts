import { probePort } from '#local/tcp-ports.ts'
import { FUNCTION_IDS, type FunctionId } from '#shared/catalogue.ts'
import { StackError } from './options.ts'

const NAMES = [
  'gateway',
  'console',
  'control',
  'idp',
  'clusterIssuer',
  'googleIssuer',
  'firestore',
  'pubsub',
  'secrets',
  'kubernetes',
  'stripe',
  'storage',
  'kms',
  'container',
  'fleet',
  'connectGateway',
] as const
type Name = (typeof NAMES)[number]

/** Which port each part takes. They stay the same over a restart: issuers are known by their address. */
export type Ports = { readonly [N in Name]: number } & {
  readonly functions: Readonly<Record<FunctionId, number>>
}

/** Ports from `base` on, each checked to be free; or, with base 0, a run of ports nobody uses. */
export async function choosePorts(base: number): Promise<Ports> {
  const all = [...NAMES, ...FUNCTION_IDS]
  const first = base === 0 ? await freeRun(all.length) : base
  const ports = new Map<string, number>()
  for (const [index, name] of all.entries()) ports.set(name, await claim(first + index, name, base))
  const of = (name: string): number => ports.get(name) ?? 0
  return {
    ...(Object.fromEntries(NAMES.map((name) => [name, of(name)])) as { [N in Name]: number }),
    functions: Object.fromEntries(FUNCTION_IDS.map((id) => [id, of(id)])) as Record<FunctionId, number>,
  }
}

/** Ports that `fetch` and browsers refuse to connect to ("bad port" in the Fetch standard), from 1024 on. */
const BLOCKED_BY_FETCH = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
  10080,
])

async function claim(port: number, name: string, base: number): Promise<number> {
  if (BLOCKED_BY_FETCH.has(port)) {
    throw new StackError(
      `Port ${port} (${name}) is one no browser or fetch connects to. Move the whole stack: npm start -- --port ${base + 1000}`,
    )
  }
  try {
    await probePort(port)
    return port
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new StackError(
        `Port ${port} (${name}) is in use. Stop what uses it, or move the whole stack: npm start -- --port ${base + 1000}`,
      )
    }
    throw error
  }
}

/** Below 32768, where systems begin to take ports for outgoing connections: those come and go at any moment. */
const RUNS_FROM = 10_000
const RUN_LENGTH = 30
const RUNS = 700
let runsGiven = 0

/**
 * The first port of a run nobody uses. Where the search begins differs between processes and calls, so
 * that stacks that start at once do not choose the same.
 */
async function freeRun(length: number): Promise<number> {
  for (let attempt = 0; attempt < RUNS; attempt += 1) {
    const first = RUNS_FROM + ((process.pid * 13 + runsGiven) % RUNS) * RUN_LENGTH
    runsGiven += 1
    if (await isFree(first, length)) return first
  }
  throw new StackError(`No ${length} free ports in a row; name a port with --port.`)
}

async function isFree(first: number, length: number): Promise<boolean> {
  try {
    for (let port = first; port < first + length; port += 1) {
      if (BLOCKED_BY_FETCH.has(port)) return false
      await probePort(port)
    }
    return true
  } catch {
    return false
  }
}
