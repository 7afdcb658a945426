import { execFileSync } from 'node:child_process'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { StackError } from './options.ts'

/** How far the start of a process may seem off before it is another process with a used number. */
const START_SLACK_MS = 10_000

/** Takes a lock file for this process, or says which living process has it. */
export function takeLock(lock: string, path: string): void {
  const own = `${lock}.${process.pid}`
  writeFileSync(own, `${process.pid} ${Math.round(Date.now() - process.uptime() * 1000)}`)
  try {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      try {
        // A link appears with its content: nobody can see a lock that does not say whose it is.
        linkSync(own, lock)
        return
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      }
      const [pid = 0, startedMs = 0] = readFileSync(lock, 'utf8').split(' ').map(Number)
      if (isRunning(pid, startedMs)) {
        throw new StackError(
          `Another stack (process ${pid}) uses ${path}; stop it, or choose another folder with --data.`,
        )
      }
      // Its process is gone without having said good-bye.
      rmSync(lock, { force: true })
    }
    throw new StackError(`${lock} cannot be taken.`)
  } finally {
    rmSync(own, { force: true })
  }
}

/** Whether that very process still runs: after a restart of the machine its number may be another's. */
function isRunning(pid: number, startedMs: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  try {
    const seconds = Number(execFileSync('ps', ['-o', 'etimes=', '-p', String(pid)], { encoding: 'utf8' }))
    return Math.abs(Date.now() - seconds * 1000 - startedMs) < START_SLACK_MS
  } catch {
    // Without ps nobody can tell; better to refuse than to let two stacks write one file.
    return true
  }
}
