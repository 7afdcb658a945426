import { createWriteStream, type WriteStream } from 'node:fs'
import type { StackOptions } from './options.ts'

/** Takes the lines of the functions: all into a file, and some to the screen. */
type LogSink = {
  line(source: string, line: string): void
  close(): void
}

const COLOURS: Readonly<Record<string, string>> = { WARNING: '\x1b[33m', ERROR: '\x1b[31m', DEBUG: '\x1b[2m' }

export function createLogSink(
  file: string,
  logs: StackOptions['logs'],
  print: (text: string) => void,
): LogSink {
  const stream: WriteStream = createWriteStream(file, { flags: 'a' })
  return {
    line: (source, line) => {
      stream.write(`${line}\n`)
      if (logs === 'json') return print(line)
      const shown = readable(source, line, logs === 'all', process.stdout.isTTY === true)
      if (shown !== undefined) print(shown)
    },
    close: () => stream.end(),
  }
}

/** One line a person reads: time, function, severity, message and what matters of the fields. */
function readable(source: string, line: string, all: boolean, colour: boolean): string | undefined {
  const entry = parse(line)
  if (entry === undefined) return all ? `${source}  ${line}` : undefined
  const severity = String(entry['severity'] ?? 'INFO')
  if (!all && severity !== 'WARNING' && severity !== 'ERROR') return undefined
  const time = String(entry['time'] ?? '').slice(11, 23)
  const request = entry['httpRequest'] as
    | { requestMethod?: string; requestUrl?: string; status?: number }
    | undefined
  const about = [
    request === undefined ? undefined : `${request.requestMethod} ${request.requestUrl} ${request.status}`,
    ...['code', 'error', 'outcome', 'type', 'subscription', 'tenantId', 'durationMs'].map((field) =>
      entry[field] === undefined ? undefined : `${field}=${String(entry[field])}`,
    ),
  ].filter((part) => part !== undefined)
  const text = `${time} ${source.padEnd(13)} ${severity.padEnd(7)} ${String(entry['message'])}  ${about.join(' ')}`
  const start = colour ? COLOURS[severity] : undefined
  return start === undefined ? text : `${start}${text}\x1b[0m`
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
