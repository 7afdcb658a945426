import type { z } from 'zod'
import { type Parse, parser } from '../json.ts'

/** One event type of the wire: its name, what its `data` must be, and an example that parses. */
export type EventContract<T> = {
  readonly type: string
  readonly parseData: Parse<T>
  readonly example: T
}

/** `T` is written out by hand so that a reader sees the type; the compiler holds the schema to it. */
export function defineEvent<T>(type: string, schema: z.ZodType<T>, example: T): EventContract<T> {
  return { type, parseData: parser(schema, 'event.malformed'), example }
}
