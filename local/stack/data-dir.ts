import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { takeLock } from './lock.ts'
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
  makeFolder(path)
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

function makeFolder(path: string): void {
  if (!existsSync(dirname(path)))
    throw new StackError(`${dirname(path)} does not exist, so ${path} cannot be made.`)
  try {
    // It holds keys and secrets, if only of demo tenants.
    if (!existsSync(path)) mkdirSync(path, { mode: 0o700 })
    if (!statSync(path).isDirectory()) throw new StackError(`${path} is not a folder.`)
  } catch (error) {
    if (error instanceof StackError) throw error
    throw new StackError(`${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/**
 * Opens what keeps its state in a file. A file that cannot be read is the usual reason why it fails, and
 * the user should hear which.
 */
export async function opening<T>(file: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
      throw new StackError(message)
    throw new StackError(`${file} cannot be used (${message}). ${START_AFRESH}`)
  }
}

export const START_AFRESH = 'If it is damaged or of another version: npm start -- --fresh begins anew.'

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
