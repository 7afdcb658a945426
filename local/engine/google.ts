import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { access, readdir, realpath } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { acceptsConnections, freePort } from '../tcp-ports.ts'

/** Google's emulators as installed on this machine, or why they cannot be used. */
type GoogleEmulators =
  | { found: true; java: string; firestoreJar: string; pubsubJar: string }
  | { found: false; reason: string }

/** A running emulator of Google's. `stop` returns when the whole process group is gone. */
export type GoogleEmulator = { host: string; port: number; pid: number; stop(): Promise<void> }

/** The emulator, or `undefined` and the reason when Java or the emulator is not installed. */
type GoogleStart = { emulator: GoogleEmulator; reason: undefined } | { emulator: undefined; reason: string }

/**
 * Finds Java and the emulators that gcloud installed, without starting anything of either.
 *
 * The SDK is searched through `CLOUDSDK_ROOT`, the `gcloud` on the PATH, and at last by asking gcloud.
 */
export async function findGoogleEmulators(): Promise<GoogleEmulators> {
  const java = await findJava()
  if (java === undefined) return { found: false, reason: 'no working Java on JAVA_HOME or PATH' }
  const sdk = await findSdkRoot()
  if (sdk === undefined) return { found: false, reason: 'no gcloud with emulators on the PATH' }
  const firestoreJar = join(sdk, 'platform/cloud-firestore-emulator/cloud-firestore-emulator.jar')
  const pubsubJar = await findPubsubJar(join(sdk, 'platform/pubsub-emulator/lib'))
  if (!(await exists(firestoreJar))) return { found: false, reason: 'gcloud has no cloud-firestore-emulator' }
  if (pubsubJar === undefined) return { found: false, reason: 'gcloud has no pubsub-emulator' }
  return { found: true, java, firestoreJar, pubsubJar }
}

/** Starts Google's Firestore emulator on 127.0.0.1 and waits until it takes connections (about 4 s). */
export async function startGoogleFirestore(options: { port?: number } = {}): Promise<GoogleStart> {
  const found = await findGoogleEmulators()
  if (!found.found) return { emulator: undefined, reason: found.reason }
  const port = options.port ?? (await freePort())
  const main = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore'
  const args = ['-Duser.language=en', '-cp', found.firestoreJar, main, 'start']
  return start('Firestore', found.java, [...args, '--host', '127.0.0.1', '--port', String(port)], port)
}

/** Starts Google's Pub/Sub emulator on 127.0.0.1 and waits until it takes connections. */
export async function startGooglePubsub(options: { port?: number; project: string }): Promise<GoogleStart> {
  const found = await findGoogleEmulators()
  if (!found.found) return { emulator: undefined, reason: found.reason }
  const port = options.port ?? (await freePort())
  const args = ['-jar', found.pubsubJar, '--host=127.0.0.1', `--port=${port}`, `--project=${options.project}`]
  return start('Pub/Sub', found.java, args, port)
}

/**
 * The Java child belongs to a shell of its own process group, and that shell also watches a pipe only
 * we hold open: however our process ends (SIGINT, SIGKILL, a crash), the pipe closes and Java dies.
 */
const KEEPER = `
exec 3<&0
"$@" </dev/null 3<&- & child=$!
( cat <&3 >/dev/null; kill -9 $child ) 2>/dev/null & watch=$!
wait $child; code=$?
kill -9 $watch 2>/dev/null
exit $code`

const START_DEADLINE_MS = 60_000

async function start(name: string, java: string, args: string[], port: number): Promise<GoogleStart> {
  // A short-lived JVM on few cores: a small heap and the quick compiler start it in half the time.
  const flags = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const child = spawn('/bin/sh', ['-c', KEEPER, 'keeper', java, ...flags, ...args], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const output = collectOutput(child)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async () => {
    child.ref()
    if (child.pid !== undefined) killGroup(child.pid)
    await ended
    // The shell can be gone a moment before Java is, and a caller may want the port again.
    while (await acceptsConnections(port)) await sleep(10)
  }
  const ready = await waitForPort(port, () => child.exitCode !== null || child.signalCode !== null)
  if (!ready) {
    await stop()
    throw new Error(`Google's ${name} emulator did not start on port ${port}: ${output()}`)
  }
  letProcessExit(child)
  return {
    emulator: { host: `127.0.0.1:${port}`, port, pid: child.pid ?? 0, stop },
    reason: undefined,
  }
}

/** Keeps the last lines the emulator printed: what it says when it cannot start. */
function collectOutput(child: ChildProcess): () => string {
  let tail = ''
  const keep = (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-2000)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  return () => tail.trim()
}

/** A forgotten emulator must not keep our process alive; when we exit, the pipe closes and it ends. */
function letProcessExit(child: ChildProcess): void {
  child.unref()
  for (const stream of [child.stdin, child.stdout, child.stderr]) {
    if (stream !== null && 'unref' in stream && typeof stream.unref === 'function') stream.unref()
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The group is gone already, which is what was asked for.
  }
}

// Real time from here: another process is waited for, and no test clock moves it.
async function waitForPort(port: number, gone: () => boolean): Promise<boolean> {
  const deadline = performance.now() + START_DEADLINE_MS
  while (performance.now() < deadline && !gone()) {
    if (await acceptsConnections(port)) return true
    await sleep(50)
  }
  return false
}

const run = promisify(execFile)

async function findJava(): Promise<string | undefined> {
  const home = process.env['JAVA_HOME']
  const candidates = [home === undefined ? undefined : join(home, 'bin/java'), await onPath('java')]
  for (const java of candidates) {
    // macOS has a /usr/bin/java that only says that there is none, so it is asked for its version.
    if (java !== undefined && (await works(java))) return java
  }
  return undefined
}

async function works(java: string): Promise<boolean> {
  return run(java, ['-version']).then(
    () => true,
    () => false,
  )
}

async function findSdkRoot(): Promise<string | undefined> {
  const gcloud = await onPath('gcloud')
  const real = gcloud === undefined ? undefined : await realpath(gcloud)
  const candidates = [
    process.env['CLOUDSDK_ROOT'],
    real === undefined ? undefined : dirname(dirname(real)),
    '/usr/lib/google-cloud-sdk',
  ]
  for (const root of candidates) {
    if (root !== undefined && (await exists(join(root, 'platform')))) return root
  }
  if (gcloud === undefined) return undefined
  const asked = await run(gcloud, ['info', '--format=value(installation.sdk_root)']).catch(() => undefined)
  return asked?.stdout.trim() || undefined
}

async function findPubsubJar(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch((): string[] => [])
  const jar = names.find((name) => name.startsWith('cloud-pubsub-emulator') && name.endsWith('-all.jar'))
  return jar === undefined ? undefined : join(folder, jar)
}

async function onPath(command: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, command)
    if (folder !== '' && (await exists(file))) return file
  }
  return undefined
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
