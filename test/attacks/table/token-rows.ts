import { type Attack, attack } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { bearer } from '../support/send.ts'
import { EXCHANGE, TOKEN_TYPE, VICTIM, type World } from '../support/world.ts'

/** Where a token is tried: at the gateway, at two functions past it, and where it is only shown. */
export const TOKEN_PLACES = ['gateway', 'tenants', 'auth', 'introspected', 'exchanged'] as const

/** What is behind the gateway takes nothing for granted: it refuses by itself what the gateway refuses. */
const BEHIND = ['401 token.invalid', '401 token.invalid', '200 inactive', '400 oauth invalid_request']

/** The answers to a token that nobody takes: the gateway in its own words, everybody else in theirs. */
export const refusedAs = (gateway: string): readonly string[] => [gateway, ...BEHIND]

/** One that the gateway lets through, since it looks at less than we do. */
export const REFUSED_BEHIND = refusedAs('401 token.invalid')

/** One row: a token that is tried in all places. */
export function tokenAttack(
  name: string,
  make: (world: World) => string,
  answers: readonly string[],
): Attack {
  return attack(name, async (world) => tryToken(world, make(world)), answers)
}

async function tryToken(world: World, token: string): Promise<Seen[]> {
  const path = `/v1/tenants/${VICTIM}`
  // As the gateway would send it, had it taken the token.
  const forwarded = [
    ['x-forwarded-authorization', `Bearer ${token}`],
    ['x-apigateway-api-userinfo', token.split('.')[1] ?? ''],
  ] as const
  return Promise.all([
    world.at(path, { headers: bearer(token) }),
    world.behind('tenants-api', { path, headers: forwarded }),
    world.behind('auth', { path: `${path}/sessions`, headers: forwarded }),
    introspected(world, token),
    world.ask(
      { grant_type: EXCHANGE, subject_token: token, subject_token_type: `${TOKEN_TYPE}access_token` },
      world.victim.machine,
    ),
  ])
}

function introspected(world: World, token: string): Promise<Seen> {
  const { clientId, clientSecret } = world.victim.machine
  const body = new URLSearchParams({ token, client_id: clientId, client_secret: clientSecret }).toString()
  const headers = [['content-type', 'application/x-www-form-urlencoded']] as const
  return world.at('/oauth2/introspect', { method: 'POST', headers, body })
}
