import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { type DataDir, ROOT } from './data-dir.ts'
import { DEFAULT_OPTIONS, type StackOptions } from './options.ts'
import { forgetFirstStart, markFirstStart } from './seed-file.ts'

/**
 * A stack as its first start leaves it, made when the packages are installed: demo tenants provisioned
 * by events, through the gateway, with keys and credentials of this machine alone.
 *
 * The first `npm start` copies it instead of doing all that while a user waits. It belongs to the very
 * sources it was made with; after a change a start seeds for itself again.
 */
const PREPARED = join(ROOT, 'dist', '.prepared')

/** What a running stack has and a folder at rest has not. */
const NOT_KEPT = ['logs', 'lock', 'stack.json', 'clock', 'first-start']

/** Fills an empty folder from the prepared stack, where that fits. */
export async function usePrepared(data: DataDir, options: StackOptions): Promise<void> {
  const fits = options.seed && options.engine === 'embedded' && options.project === DEFAULT_OPTIONS.project
  if (!fits || existsSync(data.file('firestore.sqlite')) || !(await isCurrent())) return
  // A copy that is cut off is a first start that is cut off.
  markFirstStart(data)
  for (const entry of readdirSync(join(PREPARED, 'data'))) {
    cpSync(join(PREPARED, 'data', entry), data.file(entry), { recursive: true })
  }
  forgetFirstStart(data)
}

/** Keeps the folder of a stack that has just been closed as the prepared one. */
export async function keepAsPrepared(folder: string): Promise<void> {
  for (const entry of NOT_KEPT) rmSync(join(folder, entry), { recursive: true, force: true })
  rmSync(PREPARED, { recursive: true, force: true })
  mkdirSync(PREPARED, { recursive: true, mode: 0o700 })
  renameSync(folder, join(PREPARED, 'data'))
  writeFileSync(join(PREPARED, 'digest'), await sourceDigest())
}

/** Whether a prepared stack is there and was made with these sources. */
export async function isCurrent(): Promise<boolean> {
  const digest = join(PREPARED, 'digest')
  return existsSync(digest) && readFileSync(digest, 'utf8') === (await sourceDigest())
}

async function sourceDigest(): Promise<string> {
  const files = ['api-spec.yaml', 'package-lock.json']
  const patterns = ['functions/**/*.ts', 'shared/**/*.ts', 'local/**/*.ts', 'local/**/*.mjs']
  for await (const file of glob(patterns, { cwd: ROOT })) files.push(file)
  const hash = createHash('sha256')
  for (const file of files.sort()) hash.update(`${file}\0`).update(readFileSync(join(ROOT, file)))
  return hash.digest('hex')
}
