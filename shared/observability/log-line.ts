import { z } from 'zod'
import { type FieldName, type FieldSpec, LOG_FIELDS, LOG_MESSAGES, type MessageSpec } from './messages.ts'

/** The most a text of a field has: 8 KiB and the sign that it was cut. */
const MOST_TEXT = 8 * 1024 + 1

const LATENCY = /^\d+\.\d{6}s$/

/** The members of a field's value, by the kind of the field. */
const KINDS: Readonly<Record<FieldSpec['kind'], z.ZodType>> = {
  text: z.string().max(MOST_TEXT),
  number: z.number().min(0),
  flag: z.boolean(),
  texts: z.array(z.string().max(MOST_TEXT)).max(100),
  code: z.union([z.number().int(), z.string().max(100)]),
  httpRequest: z.strictObject({
    requestMethod: z.string().regex(/^[A-Z-]{1,20}$/),
    requestUrl: z.string().max(256),
    status: z.number().int().min(100).max(599),
    latency: z.string().regex(LATENCY),
  }),
}

/**
 * What a line of the functions' log is, to the field: for tests and for whoever reads the logs.
 *
 * Nothing that runs in production imports this. `docs/log-line.schema.json` is made from it.
 */
export const LOG_LINE = z.discriminatedUnion(
  'message',
  Object.entries(LOG_MESSAGES).map(([message, spec]) => lineOf(message, spec)) as [
    ReturnType<typeof lineOf>,
    ...ReturnType<typeof lineOf>[],
  ],
)

/** What is wrong with a line of the log, or nothing. */
export function logLineFaults(line: string): string[] {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return ['not JSON']
  }
  const parsed = LOG_LINE.safeParse(value)
  if (parsed.success) return []
  return parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
}

function lineOf(message: string, spec: MessageSpec) {
  const [first, ...rest] = spec.severities
  return z.strictObject({
    severity: z.enum([first ?? 'INFO', ...rest]),
    message: z.literal(message),
    time: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    service: z.string().min(1),
    'logging.googleapis.com/trace': z
      .string()
      .regex(/^projects\/[a-z][a-z0-9-]{4,28}[a-z0-9]\/traces\/[0-9a-f]{32}$/)
      .optional(),
    'logging.googleapis.com/spanId': z
      .string()
      .regex(/^[0-9a-f]{16}$/)
      .optional(),
    'logging.googleapis.com/trace_sampled': z.boolean().optional(),
    ...Object.fromEntries(spec.fields.map((name) => [name, kindOf(name)])),
    ...Object.fromEntries(spec.optional.map((name) => [name, kindOf(name).optional()])),
  })
}

function kindOf(name: FieldName): z.ZodType {
  return KINDS[LOG_FIELDS[name].kind]
}
