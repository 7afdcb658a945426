import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

type OtherProcess = {
  readonly child: ChildProcess
  /** The first line it printed. */
  readonly said: string
  /** Sends a signal and waits until the process is gone. */
  kill(signal: 'SIGINT' | 'SIGKILL'): Promise<void>
}

/** Runs a module's text in another Node, to be killed; resolves once it has printed a line. */
export async function startOtherProcess(program: string): Promise<OtherProcess> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const said = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([line]) => String(line)),
    exited.then(() => undefined),
  ])
  if (said === undefined) throw new Error('the other process ended before it printed a line')
  return {
    child,
    said,
    kill: async (signal) => {
      child.kill(signal)
      await exited
    },
  }
}
