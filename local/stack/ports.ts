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
] as const
type Name = (typeof NAMES)[number]

/** Which port each part takes. They stay the same over a restart: issuers are known by their address. */
export type Ports = { readonly [N in Name]: number } & {
  readonly functions: Readonly<Record<FunctionId, number>>
}

/** Ports from `base` on, each checked to be free; or, with base 0, whatever the system gives. */
export async function choosePorts(base: number): Promise<Ports> {
  const all = [...NAMES, ...FUNCTION_IDS]
  const ports = new Map<string, number>()
  for (const [index, name] of all.entries()) {
    ports.set(name, base === 0 ? await newPort() : await claim(base + index, name, base))
  }
  const of = (name: string): number => ports.get(name) ?? 0
  return {
    ...(Object.fromEntries(NAMES.map((name) => [name, of(name)])) as { [N in Name]: number }),
    functions: Object.fromEntries(FUNCTION_IDS.map((id) => [id, of(id)])) as Record<FunctionId, number>,
  }
}

async function claim(port: number, name: string, base: number): Promise<number> {
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

const given = new Set<number>()

async function newPort(): Promise<number> {
  for (;;) {
    const port = await probePort(0)
    // The system may offer a port again that we have named but not yet opened.
    if (!given.has(port)) {
      given.add(port)
      return port
    }
  }
}
