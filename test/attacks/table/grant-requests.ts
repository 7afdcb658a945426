import { control } from '../../e2e/test-stack.ts'
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

/** What a read says two seconds later, when every function knows what was revoked. */
export async function readLater(w: World, token: string): Promise<Seen> {
  await control(w.stack, 'POST', '/clock', { advanceSeconds: 2.5 })
  return w.read(token)
}

const inHand = new WeakMap<World, { readonly code: Code; readonly madeAt: number }>()
const LONGEST_IN_HAND_SECONDS = 20

/** A code that nobody has redeemed yet, the same for a while: a wrong attempt takes nothing from it. */
export async function codeInHand(w: World): Promise<Code> {
  const known = inHand.get(w)
  if (known !== undefined && w.now() - known.madeAt < LONGEST_IN_HAND_SECONDS) return known.code
  const made = { code: await w.people.code('viewer'), madeAt: w.now() }
  inHand.set(w, made)
  return made.code
}
