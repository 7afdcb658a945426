import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { acceptsConnections, freePort } from '../tcp-ports.ts'
import type { IdpFault, IdpSettings, IdpTenant } from './settings.ts'

export type { IdpTenant } from './settings.ts'

type IdpOptions = {
  /** A free one is taken unless told; the issuer changes with it. */
  readonly port?: number
  /** The stack's clock offset, 8 bytes; the machine's own time without it. */
  readonly clockFile?: string
  /** Where the signing and cookie keys are kept. */
  readonly dataDir: string
  readonly tenants: readonly IdpTenant[]
  /** Hears one sentence when the process ends by itself; it is started again. */
  readonly onCrash?: (sentence: string) => void
  /** Hears that another process runs in its place. */
  readonly onRestart?: () => void
}

export type Idp = {
  readonly issuer: string
  /** The process of the moment. */
  pid(): number | undefined
  /** Ends every session of a user and tells each client over its back channel; answers how many. */
  logout(login: string): Promise<number>
  /** Makes the next `count` requests fail, and takes other faults back; `undefined` takes all back. */
  setFault(fault: IdpFault | undefined): Promise<void>
  /** Makes the next `count` requests fail, behind those that other faults wait for. */
  addFault(id: string, fault: IdpFault): Promise<void>
  removeFault(id: string): Promise<void>
  close(): Promise<void>
}

/** Real time on purpose: how long another process may take to listen. */
const START_MS = 20_000
const RESTART_MS = 200

/**
 * Starts the enterprise identity provider in a process of its own and waits until it accepts
 * connections. Rejects with what the process printed if it ends before that.
 */
export async function startIdp(options: IdpOptions): Promise<Idp> {
  const port = options.port === undefined || options.port === 0 ? await freePort() : options.port
  if (await acceptsConnections(port)) throw new Error(`port ${port} of the identity provider is taken`)
  const settings: IdpSettings = { port, dataDir: options.dataDir, tenants: options.tenants }
  const launch = (): ChildProcess => spawnIdp(options, settings)
  let child = launch()
  let closing = false
  try {
    await untilListening(child, port)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  const supervise = (running: ChildProcess): void => {
    running.once('exit', (code, signal) => {
      if (closing) return
      options.onCrash?.(`The identity provider ended (${signal ?? `exit code ${code}`}); starting it again`)
      setTimeout(() => {
        if (closing) return
        child = launch()
        supervise(child)
        options.onRestart?.()
      }, RESTART_MS)
    })
  }
  supervise(child)
  const issuer = `http://127.0.0.1:${port}`
  return {
    issuer,
    pid: () => child.pid,
    logout: async (login) => {
      const response = await fetch(`${issuer}/admin/logout`, {
        method: 'POST',
        body: JSON.stringify({ login }),
      })
      if (!response.ok) throw new Error(await response.text())
      return ((await response.json()) as { told: number }).told
    },
    setFault: async (fault) => {
      await admin(issuer, 'DELETE', 'faults')
      if (fault !== undefined) await admin(issuer, 'PUT', 'faults/only', fault)
    },
    addFault: (id, fault) => admin(issuer, 'PUT', `faults/${id}`, fault),
    removeFault: (id) => admin(issuer, 'DELETE', `faults/${id}`),
    close: () => {
      closing = true
      return end(child)
    },
  }
}

async function admin(issuer: string, method: string, path: string, body?: unknown): Promise<void> {
  const content = body === undefined ? {} : { body: JSON.stringify(body) }
  const answer = await fetch(`${issuer}/admin/${path}`, { method, ...content })
  if (answer.status !== 204) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
}

function spawnIdp(options: IdpOptions, settings: IdpSettings): ChildProcess {
  return spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--import',
      new URL('../shift-date.mjs', import.meta.url).href,
      fileURLToPath(new URL('./main.ts', import.meta.url)),
    ],
    {
      // Standard input stays open as long as this process lives: the child ends with it.
      stdio: ['pipe', 'ignore', 'pipe'],
      // Its own group: Ctrl-C reaches the stack alone, which ends its parts in order.
      detached: true,
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        CLOCK_FILE: options.clockFile ?? '',
        IDP_SETTINGS: JSON.stringify(settings),
      },
    },
  )
}

async function untilListening(child: ChildProcess, port: number): Promise<void> {
  let printed = ''
  let ended: string | undefined
  child.stderr?.on('data', (chunk: Buffer) => {
    printed = `${printed}${chunk.toString()}`.slice(-4000)
  })
  child.once('error', (error) => {
    ended = error.message
  })
  child.once('exit', (code) => {
    ended = `exit code ${code}`
  })
  const deadline = performance.now() + START_MS
  while (!(await acceptsConnections(port))) {
    if (ended !== undefined) throw new Error(`the identity provider did not start (${ended})\n${printed}`)
    if (performance.now() > deadline)
      throw new Error(`the identity provider did not listen in time\n${printed}`)
    await sleep(20)
  }
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}
