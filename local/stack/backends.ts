import type { GoogleIssuer } from '#local/issuers/google.ts'
import { FUNCTION_IDS, FUNCTIONS, type FunctionId } from '#shared/catalogue.ts'
import { type Accounts, functionUri } from './accounts.ts'
import { type FunctionProcess, startFunction } from './function-process.ts'
import type { StackOptions } from './options.ts'
import type { Ports } from './ports.ts'

/** One function as its callers see it: an address, and behind it a process or a front and a process. */
type Backend = {
  readonly id: FunctionId
  readonly uri: string
  /** Where the gateway reaches it. */
  readonly url: string
  /** Where pusher and scheduler reach it, over what is Google's own network in the cloud. */
  readonly internalUrl: string
  readonly process: FunctionProcess
}

export type Backends = {
  readonly all: readonly Backend[]
  of(id: FunctionId): Backend
  close(): Promise<void>
}

type BackendOptions = {
  readonly stack: StackOptions
  readonly ports: Ports
  readonly accounts: Accounts
  readonly google: GoogleIssuer
  readonly now: () => number
  readonly env: (id: FunctionId) => Readonly<Record<string, string>>
  readonly onLine: (id: FunctionId, line: string) => void
  readonly onCrash: (sentence: string) => void
  readonly onRestart: () => void
}

/** Starts all functions at once, with Cloud Run fronts before them when asked for. */
export async function startBackends(options: BackendOptions): Promise<Backends> {
  const started = await Promise.allSettled(FUNCTION_IDS.map((id) => startBackend(options, id)))
  const running = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const close = async (): Promise<void> => {
    await Promise.all(running.map((backend) => backend.close()))
  }
  const failed = started.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) {
    await close()
    throw failed.reason
  }
  const byId = new Map(running.map((backend) => [backend.id, backend]))
  return {
    all: running,
    of: (id) => {
      const backend = byId.get(id)
      if (backend === undefined) throw new Error(`${id} is not running`)
      return backend
    },
    close,
  }
}

async function startBackend(
  options: BackendOptions,
  id: FunctionId,
): Promise<Backend & { close(): Promise<void> }> {
  const uri = functionUri(options.stack.project, id)
  const running = await startFunction({
    id,
    port: options.ports.functions[id],
    env: options.env(id),
    onLine: (line) => options.onLine(id, line),
    onCrash: options.onCrash,
    onRestart: options.onRestart,
  })
  if (options.stack.callerCheck === 'jwks') {
    return {
      id,
      uri,
      url: running.url,
      internalUrl: running.url,
      process: running,
      close: () => running.stop(),
    }
  }
  const { startCloudRunFront } = await import('#local/cloud-run-front/front.ts')
  const front = await startCloudRunFront({
    target: running.url,
    audience: uri,
    invokers: invokersOf(options.accounts, id),
    jwksUri: options.google.jwksUri,
    now: options.now,
    ingress: FUNCTIONS[id].ingress,
    concurrency: FUNCTIONS[id].concurrency,
    timeoutMs: FUNCTIONS[id].timeoutSeconds * 1000,
  })
  return {
    id,
    uri,
    url: front.url,
    internalUrl: front.internalUrl,
    process: running,
    close: async () => {
      await front.close()
      await running.stop()
    },
  }
}

/** Who has `roles/run.invoker` on a function (contracts §1). */
function invokersOf(accounts: Accounts, id: FunctionId): string[] {
  return FUNCTIONS[id].trigger === 'push' ? [accounts.push(id)] : [accounts.gateway, accounts.scheduler]
}
