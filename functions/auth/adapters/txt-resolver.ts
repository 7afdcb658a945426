import { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { DependencyFailed } from '#shared/deadline.ts'
import type { TxtResolver } from '../ports/sign-on.ts'

const NO_SUCH_RECORD: readonly unknown[] = ['ENOTFOUND', 'ENODATA']
const MOST_RECORDS = 100

/** Asks DNS afresh each time, through the resolvers of the platform. A record in pieces is put together. */
export function dnsTxtResolver(): TxtResolver {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  return {
    txt: async (name) => {
      try {
        const records = await resolver.resolveTxt(name)
        return records.slice(0, MOST_RECORDS).map((pieces) => pieces.join(''))
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined
        if (NO_SUCH_RECORD.includes(code)) return []
        throw new DependencyFailed('DNS does not answer', { cause: error })
      }
    },
  }
}

const RECORDS = z.record(z.string(), z.array(z.string()))

/** The stand-in of demo projects: TXT records by name in a JSON file, read at each question. */
export function fileTxtResolver(file: string): TxtResolver {
  return {
    txt: async (name) => {
      const text = await readFile(file, 'utf8').catch(() => '{}')
      return RECORDS.parse(JSON.parse(text))[name] ?? []
    },
  }
}
