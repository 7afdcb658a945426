import type { Seen } from '../support/answer.ts'
import { bearer, json } from '../support/send.ts'
import { VICTIM, type World } from '../support/world.ts'

/** Somebody with a token. */
export type Who = keyof World['tokens'] | 'developer' | 'viewer' | 'owner'

function tokenOf(w: World, who: Who): string {
  return who === 'developer' || who === 'viewer' || who === 'owner'
    ? w.people.of[who].accessToken
    : w.tokens[who]
}

/** A call by one of them, as JSON where there is a body. */
export const by = (w: World, who: Who, method: string, path: string, body?: object): Promise<Seen> =>
  w.at(path, {
    method,
    ...(body === undefined ? {} : json(body, method)),
    headers: [
      ...bearer(tokenOf(w, who)),
      ...(body === undefined ? [] : [['content-type', 'application/json'] as const]),
    ],
  })
export const below = (path: string): string => `/v1/tenants/${VICTIM}${path}`

export const FORBIDDEN = '403 token.insufficient_scope'
