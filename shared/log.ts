import type { Clock } from './clock.ts'
import type { LogMessage } from './observability/messages.ts'
import { redactSecrets } from './redact.ts'
import type { Trace } from './trace.ts'

export type Severity = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR'

/** Values beside the message. Never a token, a key, an e-mail address or a body. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * Writes one JSON line per call in Cloud Logging's structured format.
 *
 * The message is one of the table, so that lines can be counted; whatever varies is a field.
 */
export type Logger = {
  debug(message: LogMessage, fields?: LogFields): void
  info(message: LogMessage, fields?: LogFields): void
  warn(message: LogMessage, fields?: LogFields): void
  error(message: LogMessage, fields?: LogFields): void
  /** The same logger with fields and, if given, a trace on every line. */
  with(fields: LogFields, trace?: Trace): Logger
}

export type LogOptions = {
  readonly clock: Clock
  readonly project: string
  readonly service: string
  readonly write?: (line: string) => void
}

/** The longest text of a field that is kept; Cloud Logging drops lines beyond 256 KiB. */
const LONGEST_TEXT = 8 * 1024

/** The project's only door to standard output in production. */
export function createLogger(options: LogOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stdout.write(`${line}\n`))
  return loggerWith(options, write, {}, undefined)
}

/** A logger that keeps silent, for tests of something else. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLogger,
}

/** What is safe to say of an error: its class and message scrubbed, and its stack for Error Reporting. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) }
  const code = 'code' in error ? { errorCode: error.code } : {}
  const said = messageOf(error)
  // The stack begins with the message.
  const stack = error.stack?.replace(error.message, () => said)
  return { error: said, errorName: error.name, stack_trace: stack, ...code }
}

/** What an error says, but for the text that could not be parsed: an engine quotes its beginning. */
function messageOf(error: Error): string {
  return error instanceof SyntaxError ? error.message.replace(/["'].*["']/s, '"…"') : error.message
}

function loggerWith(
  options: LogOptions,
  write: (line: string) => void,
  bound: LogFields,
  trace: Trace | undefined,
): Logger {
  const traceFields =
    trace === undefined
      ? {}
      : {
          'logging.googleapis.com/trace': `projects/${options.project}/traces/${trace.traceId}`,
          'logging.googleapis.com/spanId': trace.spanId,
          'logging.googleapis.com/trace_sampled': trace.sampled,
        }
  const line = (severity: Severity, message: LogMessage, fields: LogFields = {}): void => {
    // What names the line comes last: no field can pass for it.
    const named = {
      severity,
      message,
      time: new Date(options.clock.now()).toISOString(),
      service: options.service,
      ...traceFields,
    }
    write(toLine({ ...named, ...bound, ...fields, ...named }))
  }
  return {
    debug: (message, fields) => line('DEBUG', message, fields),
    info: (message, fields) => line('INFO', message, fields),
    warn: (message, fields) => line('WARNING', message, fields),
    error: (message, fields) => line('ERROR', message, fields),
    with: (fields, newTrace) => loggerWith(options, write, { ...bound, ...fields }, newTrace ?? trace),
  }
}

/** Logging never fails what it tells of: a line whose fields cannot be written says so instead. */
function toLine(entry: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(entry, scrub)
  } catch {
    const { severity, message, time, service } = entry
    return JSON.stringify({ severity, message, time, service, unwritable: true })
  }
}

/** `this` holds the member as it was before its `toJSON`, which shows a Buffer's bytes. */
function scrub(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Readonly<Record<string, unknown>>)[key]
  if (original instanceof Uint8Array) return `(${original.length} bytes)`
  if (value instanceof Error) return errorFields(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'string') return value
  const kept = value.length <= LONGEST_TEXT ? value : `${value.slice(0, LONGEST_TEXT)}…`
  return redactSecrets(kept)
}
