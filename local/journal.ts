import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

/** A map that survives a restart: every change is on disk when the call returns. */
export type Journal = {
  get(key: string): unknown
  set(key: string, value: unknown): void
  delete(key: string): void
  entries(): IterableIterator<[string, unknown]>
  /** Forgets everything, on disk as well. */
  clear(): void
  close(): void
}

/**
 * Opens a map kept in a file of JSON lines, or in memory alone when there is no file.
 *
 * Lines are only appended, so a kill in the middle of a write costs at most the last line, which is
 * the one nobody was told about. Opening compacts the file.
 */
export function openJournal(file?: string): Journal {
  const values = new Map<string, unknown>()
  let descriptor: number | undefined
  if (file !== undefined) {
    mkdirSync(dirname(file), { recursive: true })
    if (existsSync(file)) replay(readFileSync(file, 'utf8'), values)
    descriptor = rewrite(file, values)
  }
  const append = (line: readonly unknown[]): void => {
    if (descriptor !== undefined) writeSync(descriptor, `${JSON.stringify(line)}\n`)
  }
  return {
    get: (key) => values.get(key),
    set: (key, value) => {
      values.set(key, value)
      append([key, value])
    },
    delete: (key) => {
      if (values.delete(key)) append([key])
    },
    entries: () => values.entries(),
    clear: () => {
      values.clear()
      if (file === undefined || descriptor === undefined) return
      closeSync(descriptor)
      descriptor = rewrite(file, values)
    },
    close: () => {
      if (descriptor !== undefined) closeSync(descriptor)
      descriptor = undefined
    },
  }
}

/** A line that does not parse can only be the torn last one. */
function replay(text: string, values: Map<string, unknown>): void {
  for (const line of text.split('\n')) {
    const parsed = parseLine(line)
    if (parsed === undefined) continue
    const [key, value] = parsed
    if (parsed.length === 1) values.delete(String(key))
    else values.set(String(key), value)
  }
}

function parseLine(line: string): unknown[] | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    return Array.isArray(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

function rewrite(file: string, values: Map<string, unknown>): number {
  const temporary = `${file}.new`
  writeFileSync(temporary, [...values].map((entry) => `${JSON.stringify(entry)}\n`).join(''), { mode: 0o600 })
  renameSync(temporary, file)
  return openSync(file, 'a', 0o600)
}
