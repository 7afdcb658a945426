import { z } from 'zod'
import type { Clock } from './clock.ts'
import { parser } from './json.ts'

/** Access tokens of the function's own service account. */
export type AccessTokenSource = {
  /** A token that is good for a while yet; rejects when none can be had. */
  token(signal: AbortSignal): Promise<string>
  /** Gives up the kept token: somebody refused it. */
  forget(): void
}

const PATH = '/computeMetadata/v1/instance/service-accounts/default/token'
/** Less than the five minutes before expiry at which the metadata server gives out a new one. */
const MARGIN_MS = 120_000
const CALL_LIMIT_MS = 5_000

const parseToken = parser(
  z.object({
    access_token: z.string().min(1),
    expires_in: z.number().positive(),
    token_type: z.literal('Bearer'),
  }),
)

/**
 * Tokens from the metadata server (`host` is the value of `GCE_METADATA_HOST`), kept until two minutes
 * before they expire. Callers that ask at once share one request; a request that fails is not kept.
 */
export function metadataTokens(host: string, clock: Clock): AccessTokenSource {
  let kept: { readonly token: string; readonly untilMs: number } | undefined
  let pending: Promise<string> | undefined
  const fetchToken = async (): Promise<string> => {
    const response = await fetch(`http://${host}${PATH}`, {
      headers: { 'Metadata-Flavor': 'Google' },
      redirect: 'error',
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
    })
    // Whatever else answers at that address is not the metadata server, and its token is not ours.
    if (!response.ok || response.headers.get('metadata-flavor') !== 'Google') {
      throw new Error(`the metadata server answered ${response.status}`)
    }
    const parsed = parseToken(await response.json())
    if (!parsed.ok) throw new Error('the metadata server answered no token')
    const { access_token: token, expires_in: seconds } = parsed.value
    kept = { token, untilMs: clock.now() + seconds * 1000 - MARGIN_MS }
    return token
  }
  return {
    token: (signal) => {
      signal.throwIfAborted()
      if (kept !== undefined && clock.now() < kept.untilMs) return Promise.resolve(kept.token)
      pending ??= fetchToken().finally(() => {
        pending = undefined
      })
      return pending
    },
    forget: () => {
      kept = undefined
    },
  }
}
