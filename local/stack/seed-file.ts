import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { TIERS } from '#shared/catalogue.ts'
import { type DataDir, START_AFRESH } from './data-dir.ts'
import { StackError, type StackOptions } from './options.ts'
import type { Seed } from './seed.ts'

const credentials = z.object({ clientId: z.string(), clientSecret: z.string() })
const SCHEMA = z.object({
  project: z.string(),
  operators: z.tuple([credentials, credentials]),
  connectedTo: z.string().optional(),
  tenants: z.array(
    credentials.extend({
      tenantId: z.string(),
      tier: z.enum(TIERS),
      users: z.array(z.object({ login: z.string(), password: z.string(), role: z.string() })),
      signOn: z.object({ clientId: z.string(), redirectUri: z.string() }).optional(),
    }),
  ),
})

/**
 * Whether the first start of this folder never came to its end. Nothing in it is worth keeping then, and
 * half of it is missing.
 */
export function wasInterrupted(data: DataDir): boolean {
  return existsSync(data.file('first-start'))
}

export function markFirstStart(data: DataDir): void {
  writeFileSync(data.file('first-start'), '')
}

export function forgetFirstStart(data: DataDir): void {
  rmSync(data.file('first-start'), { force: true })
}

/** Who was made at the first start; undefined in an empty folder. */
export function readSeed(data: DataDir, options: StackOptions): Seed | undefined {
  const file = data.file('seed.json')
  if (!existsSync(file)) {
    if (!existsSync(data.file('firestore.sqlite'))) return undefined
    throw new StackError(
      `${file} is gone, and without its credentials the rest cannot be used. ${START_AFRESH}`,
    )
  }
  const { project, ...seed } = parse(file)
  if (project === options.project) return seed
  throw new StackError(
    `${data.path} was made for the project ${project}, not ${options.project}; choose another folder with --data.`,
  )
}

export function writeSeed(data: DataDir, options: StackOptions, seed: Seed): void {
  writeSecret(data.file('seed.json'), { project: options.project, ...seed })
  forgetFirstStart(data)
}

/** Writes what only this user should read; whoever reads meanwhile sees the file before or after. */
export function writeSecret(file: string, value: unknown): void {
  const next = `${file}.next`
  writeFileSync(next, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(next, file)
}

function parse(file: string): z.infer<typeof SCHEMA> {
  try {
    return SCHEMA.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    throw new StackError(`${file} does not hold what a start wrote. ${START_AFRESH}`)
  }
}
