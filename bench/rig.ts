import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { Firestore } from '@google-cloud/firestore'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { bindLoopback } from '#local/bind-loopback.ts'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { startPubsubEngine } from '#local/engine/pubsub/index.ts'
import { startSecretManagerEngine } from '#local/engine/secrets/index.ts'
import { acceptsConnections, freePort } from '#local/tcp-ports.ts'
import { FUNCTIONS, type FunctionId } from '#shared/catalogue.ts'
import { systemClock } from '#shared/clock.ts'
import { type Config, readConfig } from '#shared/config.ts'

/**
 * One function as it is delivered, under functions-framework's own main program, with the embedded
 * Firestore behind it: callers are proven as Cloud Run leaves them, tokens are ours.
 */
export type Rig = {
  readonly engine: FirestoreEngine
  /** The function's settings, for preparing its data from here. */
  readonly config: Config
  /** The same as its process gets them. */
  readonly env: Readonly<Record<string, string>>
  /** Headers of a call through the gateway, with a token of the tenant; `platform` is the operators'. */
  headersOf(tenant: string, scope: string): Promise<Record<string, string>>
  start(): Promise<RunningFunction>
  close(): Promise<void>
}

export type RunningFunction = {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** What it wrote, line by line. */
  readonly lines: readonly string[]
  readonly process: ChildProcess
  /** Resolves with exit code and signal. */
  readonly exited: Promise<readonly [number | null, NodeJS.Signals | null]>
  kill(signal: NodeJS.Signals): void
}

const ROOT = join(import.meta.dirname, '..')
const FRAMEWORK = join(ROOT, 'node_modules/@google-cloud/functions-framework/build/src/main.js')
const GUARD = join(ROOT, 'local/stack/child-guard.mjs')
const PROJECT = 'demo-bench'
const ISSUER = 'https://api.energent.test'
const FUNCTION_URI = 'https://function.energent.test'
const account = (name: string): string => `${name}@${PROJECT}.iam.gserviceaccount.com`

export async function startRig(functionId: FunctionId, tenants: readonly string[]): Promise<Rig> {
  process.env['METADATA_SERVER_DETECTION'] ??= 'none'
  const engine = await startFirestoreEngine({ port: 0, now: systemClock.now })
  const pubsub = await startPubsubEngine({ port: 0, now: systemClock.now })
  const secrets = await startSecretManagerEngine({ now: systemClock.now })
  const keys = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }
  const server = await bindLoopback(
    createServer((_request, response) => response.end(JSON.stringify({ keys: [jwk] }))),
    0,
  )
  await seed(engine.host, tenants)
  const running = new Set<RunningFunction>()
  const spec = FUNCTIONS[functionId]
  const env = {
    PATH: process.env['PATH'] ?? '',
    METADATA_SERVER_DETECTION: 'none',
    NODE_ENV: 'production',
    GOOGLE_CLOUD_PROJECT: PROJECT,
    FUNCTION_TARGET: spec.entryPoint,
    FUNCTION_URI,
    PUBLIC_BASE_URL: ISSUER,
    CALLER_CHECK: 'platform',
    GATEWAY_ACCOUNT: account('gateway'),
    SCHEDULER_ACCOUNT: account('scheduler'),
    JWKS_URI: server.url,
    FIRESTORE_EMULATOR_HOST: engine.host,
    PUBSUB_EMULATOR_HOST: pubsub.host,
    SECRET_MANAGER_EMULATOR_HOST: secrets.host,
    KUBERNETES_API_URL: 'http://127.0.0.1:1',
  }
  return {
    engine,
    config: readConfig(env),
    env,
    headersOf: (tenant, scope) => headersOf(keys.privateKey, tenant, scope),
    start: async () => {
      const started = await startFunction(spec, env)
      running.add(started)
      void started.exited.then(() => running.delete(started))
      return started
    },
    close: async () => {
      const ended = [...running].map((one) => {
        one.kill('SIGKILL')
        return one.exited
      })
      await Promise.all(ended)
      await server.close()
      await Promise.all([engine.close(), pubsub.close(), secrets.close()])
    },
  }
}

/** Resident memory of a process in bytes, now and at its highest, as the kernel counts it. */
export async function memoryOf(pid: number): Promise<{ readonly now: number; readonly highest: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const read = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024
  return { now: read('VmRSS'), highest: read('VmHWM') }
}

/** Processor time of a process so far, in milliseconds; the kernel counts it in hundredths of a second. */
export async function cpuOf(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function startFunction(
  spec: { readonly entryPoint: string; readonly folder: string },
  env: Readonly<Record<string, string>>,
): Promise<RunningFunction> {
  const port = await freePort()
  const args = [
    '--import',
    `file://${GUARD}`,
    FRAMEWORK,
    `--target=${spec.entryPoint}`,
    `--source=${join(ROOT, 'dist', spec.folder)}`,
  ]
  const child = spawn(process.execPath, args, { env: { ...env, PORT: String(port) }, stdio: 'pipe' })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line))
  }
  child.stdin.on('error', () => undefined)
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  while (!(await acceptsConnections(port))) {
    if (child.exitCode !== null) throw new Error(`the function ended at start: ${lines.join('\n')}`)
    await pause(20)
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    lines,
    process: child,
    exited,
    kill: (signal) => void child.kill(signal),
  }
}

type SigningKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']

async function seed(host: string, tenants: readonly string[]): Promise<void> {
  const client = new Firestore({
    projectId: PROJECT,
    host,
    ssl: false,
    customHeaders: { Authorization: 'Bearer owner' },
  })
  for (const tenant of ['platform', ...tenants]) {
    const state = {
      status: 'ACTIVE',
      tier: 'enterprise',
      version: 1,
      notBefore: 0,
      sequence: '0',
      cluster: '',
      namespace: '',
      updatedAt: 0,
    }
    await client.doc(`tenants/${tenant}/auth_state/current`).set(state)
  }
  await client.terminate()
}

async function headersOf(key: SigningKey, tenant: string, scope: string): Promise<Record<string, string>> {
  const seconds = Math.floor(systemClock.now() / 1000)
  const token = await new SignJWT({
    client_id: 'c',
    scope,
    tenant,
    tier: 'enterprise',
    roles: [],
    ver: 1,
    jti: 'j',
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' })
    .setIssuer(ISSUER)
    .setAudience(ISSUER)
    .setSubject('c')
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + 3_000)
    .sign(key)
  return {
    authorization: `Bearer ${callerToken(seconds)}`,
    'x-forwarded-authorization': `Bearer ${token}`,
    'x-apigateway-api-userinfo': token.split('.')[1] ?? '',
  }
}

/** What Cloud Run hands on of the gateway's ID token once it has checked it. */
function callerToken(seconds: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iss: 'https://accounts.google.com',
    aud: FUNCTION_URI,
    sub: '1',
    iat: seconds,
    exp: seconds + 3_000,
    email: account('gateway'),
    email_verified: true,
  }
  return `${part({ alg: 'RS256', kid: 'g1', typ: 'JWT' })}.${part(claims)}.SIGNATURE_REMOVED_BY_GOOGLE`
}
