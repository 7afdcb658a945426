import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { RequestRecord } from '#local/gateway/gateway.ts'
import type { Idp } from '#local/idp/index.ts'
import { type ApiClient, apiClient } from './api-client.ts'
import { type ControlDoor, openControlDoor } from './control.ts'
import { controlRoutes } from './control-routes.ts'
import { type DataDir, openDataDir, ROOT } from './data-dir.ts'
import { type FaultList, faultList } from './fault-list.ts'
import { seedOperators } from './operators.ts'
import type { StackOptions } from './options.ts'
import { type Parts, startParts } from './parts.ts'
import { choosePorts, type Ports } from './ports.ts'
import { usePrepared } from './prepared.ts'
import { demoConnections, type Seed, seedTenants } from './seed.ts'
import { markFirstStart, readSeed, wasInterrupted, writeSecret, writeSeed } from './seed-file.ts'
import { connectTenants } from './sign-on.ts'

/** What `.local/stack.json` says: where everything is, as which process, and with which credentials. */
export type StackInfo = {
  readonly project: string
  readonly engine: StackOptions['engine']
  /** As it was named at the start: relative to the repository, or absolute. */
  readonly dataDir: string
  readonly gatewayUrl: string
  /** Null until there is a console. */
  readonly consoleUrl: string | null
  readonly controlUrl: string
  readonly operator: Seed['operators'][0]
  readonly operators: Seed['operators']
  readonly tenants: Seed['tenants']
  readonly firestoreHost: string
  readonly pubsubHost: string
  readonly secretManagerHost: string
  readonly stripe: { readonly url: string; readonly webhookSecret: string }
  readonly kubernetes: { readonly url: string }
  readonly storage: { readonly url: string }
  readonly idp: { readonly issuer: string; readonly pid: number | undefined }
  readonly clusterIssuer: { readonly url: string; readonly issuer: string }
  readonly functions: Readonly<Record<string, { readonly url: string; readonly pid: number | undefined }>>
}

export type Stack = {
  /** Where things are; after a reset or a crashed function, what is true now. */
  info(): StackInfo
  api(): ApiClient
  parts(): Parts
  reset(): Promise<void>
  close(): Promise<void>
}

type StackHooks = {
  readonly print: (text: string) => void
  readonly onRequest?: (record: RequestRecord) => void
}

type BootHooks = StackHooks & { readonly onRestart: () => void }

type Booted = { readonly parts: Parts; readonly faults: FaultList; readonly idp: Idp; readonly seed: Seed }

/** Starts the whole system and resolves when it takes requests and its demo tenants are active. */
export async function startStack(options: StackOptions, hooks: StackHooks): Promise<Stack> {
  const data = openDataDir(options.dataDir)
  let booted: Booted | undefined
  let door: ControlDoor | undefined
  try {
    if (options.fresh || options.engine === 'google' || wasInterrupted(data)) data.clear()
    await usePrepared(data, options)
    readSeed(data, options)
    const ports = await choosePorts(options.port)
    // Until all is up there is nothing to keep true: what is saved then names the processes of then.
    const onRestart = (): void => {
      if (booted !== undefined && door !== undefined) save(data, infoOf(options, booted, door))
    }
    const boot = async (): Promise<Booted> => bootAll(options, { ...hooks, onRestart }, data, ports)
    booted = await boot()
    const current = (): Booted => {
      if (booted === undefined) throw new Error('the stack is being reset')
      return booted
    }
    const reset = async (): Promise<void> => {
      const old = current()
      booted = undefined
      await halt(old)
      data.clear()
      await usePrepared(data, options)
      booted = await boot()
      save(data, infoOf(options, booted, door))
    }
    door = await openControlDoor(
      ports.control,
      controlRoutes({
        project: options.project,
        parts: () => current().parts,
        faults: () => current().faults,
        reset,
        audience: () => current().parts.gateway.url,
      }),
    )
    save(data, infoOf(options, booted, door))
    return {
      info: () => infoOf(options, current(), door),
      api: () => apiClient(current().parts.gateway.url),
      parts: () => current().parts,
      reset,
      close: async () => {
        await door?.close()
        if (booted !== undefined) await halt(booted)
        rmSync(data.file('stack.json'), { force: true })
        data.release()
      },
    }
  } catch (error) {
    await door?.close()
    if (booted !== undefined) await halt(booted)
    data.release()
    throw error
  }
}

async function bootAll(
  options: StackOptions,
  hooks: BootHooks,
  data: DataDir,
  ports: Ports,
): Promise<Booted> {
  const idpStarting = startIdentityProvider(options, hooks, data, ports)
  // Waited for below; a failure before that must not go unheard of, nor unhandled.
  idpStarting.catch(() => {})
  let seed = readSeed(data, options)
  if (seed === undefined) markFirstStart(data)
  let parts: Parts | undefined
  try {
    parts = await startParts({
      stack: options,
      ports,
      data,
      print: hooks.print,
      onRestart: hooks.onRestart,
      ...(hooks.onRequest === undefined ? {} : { onRequest: hooks.onRequest }),
      alongside: async (env, now) => {
        // What an earlier run made is still there, secrets included; only what is missing is made.
        seed ??= { operators: await seedOperators(env, now()), tenants: [] }
      },
    })
    seed = await withTenants(options, parts, seed)
    const idp = await idpStarting
    seed = await withSignOn(options, parts, idp, seed)
    writeSeed(data, options, seed)
    return { parts, faults: faultList(parts, idp), idp, seed }
  } catch (error) {
    await parts?.close()
    await idpStarting.then((idp) => idp.close()).catch(() => {})
    throw error
  }
}

async function startIdentityProvider(
  options: StackOptions,
  hooks: BootHooks,
  data: DataDir,
  ports: Ports,
): Promise<Idp> {
  const { startIdp } = await import('#local/idp/index.ts')
  return startIdp({
    port: ports.idp,
    clockFile: data.file('clock'),
    dataDir: data.file('idp'),
    onCrash: hooks.print,
    onRestart: hooks.onRestart,
    tenants: options.seed
      ? demoConnections(`http://127.0.0.1:${ports.gateway}`, `http://127.0.0.1:${ports.idp}`)
      : [],
  })
}

async function withTenants(options: StackOptions, parts: Parts, seed: Seed | undefined): Promise<Seed> {
  if (seed === undefined) throw new Error('there are no operators')
  if (!options.seed || seed.tenants.length > 0) return seed
  const settle = (): Promise<void> => parts.pusher.idle()
  const tenants = await seedTenants(apiClient(parts.gateway.url), seed.operators[0], settle)
  return { ...seed, tenants }
}

/** Tenants of a prepared stack are connected when it is used: only then is it known where the provider is. */
async function withSignOn(options: StackOptions, parts: Parts, idp: Idp, seed: Seed): Promise<Seed> {
  if (!options.seed || options.preparing === true) return seed
  const api = apiClient(parts.gateway.url)
  return connectTenants(api, { issuer: idp.issuer, dns: parts.dns }, seed)
}

async function halt(booted: Booted): Promise<void> {
  await booted.parts.close()
  await booted.idp.close()
}

function infoOf(
  options: StackOptions,
  { parts, idp, seed }: Booted,
  door: ControlDoor | undefined,
): StackInfo {
  return {
    project: options.project,
    engine: options.engine,
    dataDir: options.dataDir,
    gatewayUrl: parts.gateway.url,
    consoleUrl: null,
    controlUrl: door?.url ?? '',
    operator: seed.operators[0],
    operators: seed.operators,
    tenants: seed.tenants,
    firestoreHost: parts.engines.firestoreHost,
    pubsubHost: parts.engines.pubsubHost,
    secretManagerHost: parts.engines.secretsHost,
    stripe: { url: parts.stripe.url, webhookSecret: parts.stripe.webhookSecret },
    kubernetes: { url: parts.kubernetes.url },
    storage: { url: parts.storage.url },
    idp: { issuer: idp.issuer, pid: idp.pid() },
    clusterIssuer: { url: parts.cluster.url, issuer: parts.cluster.issuer },
    functions: Object.fromEntries(
      parts.backends.all.map(({ id, internalUrl, process: running }) => [
        id,
        { url: internalUrl, pid: running.pid() },
      ]),
    ),
  }
}

function save(data: DataDir, info: StackInfo): void {
  writeSecret(data.file('stack.json'), info)
}

/** Where a running stack wrote what it is; undefined when none runs. */
export function readStackInfo(dataDir: string): StackInfo | undefined {
  try {
    return JSON.parse(readFileSync(join(ROOT, dataDir, 'stack.json'), 'utf8')) as StackInfo
  } catch {
    return undefined
  }
}
