import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { StackError } from './options.ts'

export const ROOT = join(import.meta.dirname, '..', '..')

/** The folder with everything a stack keeps. One stack at a time owns it. */
export type DataDir = {
  readonly path: string
  file(name: string): string
  /** Forgets everything but the lock. */
  clear(): void
  release(): void
}

/** Takes the folder, or says which process has it. */
export function openDataDir(dir: string): DataDir {
  const path = isAbsolute(dir) ? dir : join(ROOT, dir)
  // It holds keys and secrets, if only of demo tenants.
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const lock = join(path, 'lock')
  takeLock(lock, path)
  mkdirSync(join(path, 'logs'), { recursive: true })
  return {
    path,
    file: (name) => join(path, name),
    clear: () => {
      for (const entry of readdirSync(path)) {
        if (entry !== 'lock') rmSync(join(path, entry), { recursive: true, force: true })
      }
      mkdirSync(join(path, 'logs'), { recursive: true })
    },
    release: () => rmSync(lock, { force: true }),
  }
}

function takeLock(lock: string, path: string): void {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      const descriptor = openSync(lock, 'wx')
      writeSync(descriptor, String(process.pid))
      closeSync(descriptor)
      return
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      const owner = Number(readFileSync(lock, 'utf8'))
      if (isAlive(owner)) {
        throw new StackError(
          `Another stack (process ${owner}) uses ${path}; stop it, or choose another folder with --data.`,
        )
      }
      // Its process is gone without having said good-bye.
      rmSync(lock, { force: true })
    }
  }
  throw new StackError(`${lock} cannot be taken.`)
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** The stack's clock: the machine's, moved by an offset that all its processes read from one file. */
type ClockFile = {
  readonly path: string
  offsetMs(): number
  setOffsetMs(offsetMs: number): void
}

export function openClockFile(path: string): ClockFile {
  const write = (offsetMs: number): void => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt(Math.round(offsetMs)))
    writeFileSync(path, bytes, { flag: 'r+' })
  }
  const descriptor = openSync(path, 'a')
  closeSync(descriptor)
  if (readFileSync(path).length !== 8) writeFileSync(path, Buffer.alloc(8))
  return {
    path,
    offsetMs: () => Number(readFileSync(path).readBigInt64BE()),
    setOffsetMs: write,
  }
}
