import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { ConfigError } from '#shared/config.ts'
import type { HeadKey } from '#shared/contracts/audit-head.ts'
import { CALL_DEADLINE_MS, signalAfter } from '#shared/deadline.ts'
import { parser } from '#shared/json.ts'

const member = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const parseKeys = parser(
  z.object({
    keys: z.array(
      z.object({ kid: z.string(), kty: z.literal('EC'), crv: z.literal('P-256'), x: member, y: member }),
    ),
  }),
)

/**
 * The public evidence keys, by their names: from a file, or from the API as anybody gets them.
 *
 * Never from the store whose contents they vouch for. Throws `ConfigError` when there is no telling.
 */
export async function evidenceKeys(from: {
  readonly file: string | undefined
  readonly baseUrl: string
}): Promise<ReadonlyMap<string, HeadKey>> {
  const text = await (from.file === undefined ? fetched(from.baseUrl) : readFile(from.file, 'utf8')).catch(
    (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error)
      throw new ConfigError(
        `The evidence keys could not be had (${why}): name the API with PUBLIC_BASE_URL, or a file with --keys.`,
      )
    },
  )
  const parsed = parseKeys(jsonOf(text))
  if (!parsed.ok) throw new ConfigError('These are no evidence keys as GET /v1/evidence-keys answers them.')
  return new Map(parsed.value.keys.map(({ kid, kty, crv, x, y }) => [kid, { kty, crv, x, y }]))
}

async function fetched(baseUrl: string): Promise<string> {
  const signal = signalAfter(CALL_DEADLINE_MS)
  const response = await fetch(`${baseUrl}/v1/evidence-keys`, { redirect: 'error', signal })
  if (response.status !== 200) throw new Error(`${baseUrl} answered ${response.status}`)
  return response.text()
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
