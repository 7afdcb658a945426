import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StackError } from './options.ts'

/** One line for a person. What nobody expected goes into a file in full, and the line says where. */
export function explain(error: unknown): string {
  if (error instanceof StackError) return error.message
  // The gateway's complaints about api-spec.yaml say all there is to say.
  if (error instanceof Error && 'place' in error) return error.message
  const message = error instanceof Error ? error.message : String(error)
  const file = join(tmpdir(), `energent-error-${process.pid}.log`)
  writeFileSync(file, String(error instanceof Error ? error.stack : error))
  return `The stack cannot run: ${message.split('\n')[0]} (in full in ${file}; npm start -- --fresh begins anew)`
}
