import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Gateway, type RequestRecord, startGateway } from '#local/gateway/gateway.ts'
import { JOBS } from '#shared/catalogue.ts'
import { accountsOf, functionUri } from './accounts.ts'
import { type Backends, startBackends } from './backends.ts'
import { type DataDir, openClockFile, ROOT } from './data-dir.ts'
import { startDelivery } from './delivery.ts'
import { dnsFile } from './dns-file.ts'
import { startEngines } from './engines.ts'
import { type EnvParts, functionEnv } from './function-env.ts'
import { createLogSink } from './log-lines.ts'
import type { StackOptions } from './options.ts'
import type { Ports } from './ports.ts'
import { startScheduler } from './scheduler.ts'
import { startStandIns } from './stand-ins.ts'

/** Everything that runs, without what the seed puts into it. */
export type Parts = Awaited<ReturnType<typeof startParts>>

type PartsOptions = {
  readonly stack: StackOptions
  readonly ports: Ports
  readonly data: DataDir
  readonly print: (text: string) => void
  readonly onRequest?: (record: RequestRecord) => void
  /** Hears that a process of a function was replaced by another. */
  readonly onRestart: () => void
  /** Done while the functions start, which leaves this process idle: what needs only the stores. */
  readonly alongside?: (env: EnvParts, now: () => number) => Promise<unknown>
}

type Keep = <T extends { close(): Promise<unknown> }>(part: T) => T

/** Starts all parts in the order they need each other. On a failure what already runs is ended again. */
export async function startParts(options: PartsOptions) {
  const running: { close(): Promise<unknown> }[] = []
  const keep: Keep = (part) => {
    running.push(part)
    return part
  }
  const close = async (): Promise<void> => {
    for (const part of running.splice(0).reverse()) await part.close()
  }
  try {
    return { ...(await start(options, keep)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function start(options: PartsOptions, keep: Keep) {
  const { data, ports, print, stack } = options
  const accounts = accountsOf(stack.project)
  const clockFile = openClockFile(data.file('clock'))
  const now = (): number => Date.now() + clockFile.offsetMs()
  const dns = dnsFile(data.file('dns.json'))
  const logs = createLogSink(data.file('logs/functions.ndjson'), stack.logs, print)
  keep({ close: async () => logs.close() })
  const engines = keep(await startEngines({ name: stack.engine, project: stack.project, ports, data, now }))
  const standIns = await startStandIns({ project: stack.project, ports, data, accounts, now, keep })
  const { cluster, google, kubernetes } = standIns

  let backends: Backends | undefined
  const gateway = keep(
    await openGateway(options, {
      account: accounts.gateway,
      mintIdToken: google.mintIdToken,
      now,
      resolve: (address) => backends?.all.find((backend) => address.startsWith(backend.uri))?.url,
    }),
  )
  const env: EnvParts = {
    stack,
    accounts,
    engines,
    publicBaseUrl: gateway.url,
    clockFile: clockFile.path,
    dnsFile: dns.path,
    callerIssuer: google.issuer,
    callerJwksUri: google.jwksUri,
    metadataHost: google.metadataHost,
    kubernetesUrl: kubernetes.url,
    kms: standIns.kms,
    storage: standIns.storage,
    container: standIns.container,
    fleet: standIns.fleet,
    clusterIssuer: cluster.issuer,
    outboundAllow: [ports.idp, ports.clusterIssuer, ports.googleIssuer].map((port) => `127.0.0.1:${port}`),
  }
  const alongside = options.alongside?.(env, now)
  // Heard of below; if the functions fail before that, theirs is the failure to tell.
  alongside?.catch(() => {})
  const started = keep(
    await startBackends({
      stack,
      ports,
      accounts,
      google,
      now,
      env: (id) => functionEnv(env, id),
      onLine: (id, line) => logs.line(id, line),
      onCrash: print,
      onRestart: options.onRestart,
    }),
  )
  backends = started
  await alongside
  const { mintIdToken } = google
  const pusher = keep(
    await startDelivery({ project: stack.project, engines, backends: started, accounts, mintIdToken, now }),
  )
  const scheduler = startScheduler({
    now,
    mintIdToken,
    account: accounts.scheduler,
    audienceOf: (job) => started.of(JOBS[job].function).uri,
    urlOf: (job) => started.of(JOBS[job].function).internalUrl,
    onFailure: print,
    rotations: engines.secrets,
  })
  keep({ close: async () => scheduler.stop() })
  return {
    ...standIns,
    accounts,
    backends: started,
    clockFile,
    dns,
    engines,
    gateway,
    now,
    pusher,
    scheduler,
  }
}

async function openGateway(
  options: PartsOptions,
  wiring: {
    readonly account: string
    readonly mintIdToken: (request: { email: string; audience: string }) => Promise<string>
    readonly now: () => number
    readonly resolve: (address: string) => string | undefined
  },
): Promise<Gateway> {
  const { project } = options.stack
  return startGateway({
    port: options.ports.gateway,
    spec: await readFile(join(ROOT, 'api-spec.yaml'), 'utf8'),
    variables: (url) => ({
      public_base_url: url,
      energent_auth_uri: functionUri(project, 'auth'),
      energent_billing_api_uri: functionUri(project, 'billing-api'),
      energent_tenants_api_uri: functionUri(project, 'tenants-api'),
    }),
    mintIdToken: wiring.mintIdToken,
    gatewayAccount: wiring.account,
    now: wiring.now,
    resolveBackend: wiring.resolve,
    ...(options.onRequest === undefined ? {} : { onRequest: options.onRequest }),
  })
}
