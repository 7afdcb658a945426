import type { Seen } from '../support/answer.ts'
import type { Code } from '../support/victims.ts'
import type { World } from '../support/world.ts'

export const INVALID = '400 oauth invalid_grant'

export type Fields = Readonly<Record<string, string | undefined>>
export const given = (fields: Fields): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).filter((pair): pair is [string, string] => pair[1] !== undefined))

export const redeem = (w: World, code: Code, change: Fields = {}): Promise<Seen> =>
  w.ask(
    given({
      ...{ grant_type: 'authorization_code', client_id: code.clientId, code: code.code },
      ...{ redirect_uri: code.redirectUri, code_verifier: code.verifier, ...change },
    }),
  )

export const refresh = (w: World, token: string, change: Fields = {}): Promise<Seen> =>
  w.ask(given({ grant_type: 'refresh_token', client_id: w.people.app, refresh_token: token, ...change }))

/** A revocation is known to every function within two seconds. */
export async function eventuallyRefused(w: World, token: string): Promise<Seen> {
  const untilMs = performance.now() + 6_000
  let seen = await w.read(token)
  while (seen.status === 200 && performance.now() < untilMs) seen = await w.read(token)
  return seen
}
