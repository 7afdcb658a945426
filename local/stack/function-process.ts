import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { acceptsConnections } from '#local/tcp-ports.ts'
import { FUNCTIONS, type FunctionId } from '#shared/catalogue.ts'
import { ROOT } from './data-dir.ts'
import { StackError } from './options.ts'

export type FunctionProcess = {
  readonly id: FunctionId
  readonly url: string
  /** The process of the moment; undefined while it is being started again. */
  pid(): number | undefined
  stop(): Promise<void>
}

type FunctionProcessOptions = {
  readonly id: FunctionId
  readonly port: number
  readonly env: Readonly<Record<string, string>>
  /** Hears each line the process writes. */
  readonly onLine: (line: string) => void
  /** Hears one sentence when the process ends by itself. */
  readonly onCrash: (sentence: string) => void
  /** Hears that another process runs in its place, as soon as that has an id. */
  readonly onRestart?: () => void
}

const START_LIMIT_MS = 20_000
const STOP_LIMIT_MS = 3_000
const FRAMEWORK = join(ROOT, 'node_modules/@google-cloud/functions-framework/build/src/main.js')
const GUARD = join(ROOT, 'local/stack/child-guard.mjs')

/**
 * Runs one deployed bundle under functions-framework, as Cloud Run would, and starts it again when it
 * ends by itself. Rejects with one clear line when it cannot even start.
 */
export async function startFunction(options: FunctionProcessOptions): Promise<FunctionProcess> {
  let child = launch(options)
  let stopping = false
  let lastLine = ''
  const supervise = (running: Launched): void => {
    running.exited.then(async (how) => {
      if (stopping || running !== child) return
      options.onCrash(`${FUNCTIONS[options.id].name} ended (${how}); starting it again`)
      await pause(200)
      if (stopping) return
      child = launch(options)
      supervise(child)
      options.onRestart?.()
      await reachable(options.port, child, () => lastLine).catch((error: unknown) => {
        options.onCrash(error instanceof Error ? error.message : String(error))
      })
    })
  }
  child.onLine((line) => {
    lastLine = line
  })
  await reachable(options.port, child, () => lastLine)
  supervise(child)
  return {
    id: options.id,
    url: `http://127.0.0.1:${options.port}`,
    pid: () => child.process.pid,
    stop: async () => {
      stopping = true
      await end(child)
    },
  }
}

type Launched = {
  readonly process: ChildProcess
  readonly exited: Promise<string>
  alive(): boolean
  onLine(listener: (line: string) => void): void
}

function launch(options: FunctionProcessOptions): Launched {
  const spec = FUNCTIONS[options.id]
  const listeners = [options.onLine]
  const args = [
    '--import',
    `file://${GUARD}`,
    FRAMEWORK,
    `--target=${spec.entryPoint}`,
    `--source=${join(ROOT, 'dist', spec.folder)}`,
  ]
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: {
      ...options.env,
      PORT: String(options.port),
      FUNCTION_TARGET: spec.entryPoint,
      NODE_ENV: 'production',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
    // Its own group: Ctrl-C reaches us alone, and we end the parts in order.
    detached: true,
  })
  let ended = false
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`))
  }).finally(() => {
    ended = true
  })
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      for (const listener of listeners) listener(line)
    })
  }
  child.stdin.on('error', () => {})
  return { process: child, exited, alive: () => !ended, onLine: (listener) => void listeners.push(listener) }
}

async function reachable(port: number, child: Launched, lastLine: () => string): Promise<void> {
  const untilMs = performance.now() + START_LIMIT_MS
  while (performance.now() < untilMs) {
    if (!child.alive())
      throw new StackError(`A function process ended at start: ${lastLine() || (await child.exited)}`)
    if (await acceptsConnections(port)) return
    await pause(15)
  }
  throw new StackError(`A function did not listen on port ${port} within ${START_LIMIT_MS / 1000} s.`)
}

async function end(child: Launched): Promise<void> {
  if (!child.alive()) return
  child.process.kill('SIGTERM')
  const stopped = await Promise.race([
    child.exited.then(() => true),
    pause(STOP_LIMIT_MS, false, { ref: false }),
  ])
  if (!stopped) child.process.kill('SIGKILL')
  await child.exited
}
