import { createPrivateKey, type KeyObject, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type AttackGroup, attack, attacks } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { type Members, part, signatureOf, without } from '../support/forge.ts'
import { form } from '../support/send.ts'
import { ATTACKER, VICTIM, type World } from '../support/world.ts'

/** The identity provider's own key: what an attacker lacks, and a test needs for odd claims. */
function providerKey(w: World): { key: KeyObject; kid: string } {
  const file = join(resolve(w.stack.info().dataDir), 'idp', 'idp-keys.json')
  const [jwk] = (JSON.parse(readFileSync(file, 'utf8')) as { jwks: { keys: Record<string, string>[] } }).jwks
    .keys
  if (jwk === undefined) throw new Error('the provider has no key')
  return { key: createPrivateKey({ key: jwk, format: 'jwk' }), kid: String(jwk['kid']) }
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

function logoutToken(w: World, change: Members = {}, header: Members = {}, key = providerKey(w).key): string {
  const head = part(without({ alg: 'RS256', typ: 'logout+jwt', kid: providerKey(w).kid, ...header }))
  const claims = part(
    without({
      ...{ iss: w.stack.info().idp.issuer, aud: `energent-${VICTIM}`, iat: w.now(), exp: w.now() + 120 },
      ...{ jti: randomUUID(), sub: 'nobody', events: { [EVENT]: {} }, ...change },
    }),
  )
  return `${head}.${claims}.${signatureOf(`${head}.${claims}`, key)}`
}
const logOut = (w: World, token: string, tenantId = VICTIM): Promise<Seen> =>
  w.at(`/sso/${tenantId}/${w.people.connectionId}/backchannel-logout`, form({ logout_token: token }))

export const logouts: AttackGroup = {
  title: 'Logout tokens (back channel)',
  aim: 'Sign people out who did not ask for it, again and again.',
  sent: '`POST /sso/{tenant}/{connection}/backchannel-logout`, signed with the provider’s real key unless the row says otherwise.',
  places: ['answer'],
  never: 'Nobody’s session ends.',
  attacks: [
    ...attacks<(w: World) => string>(
      {
        'another key': (w) => logoutToken(w, {}, {}, w.clientKey),
        '`none`': (w) => `${part({ alg: 'none' })}.${logoutToken(w).split('.')[1]}.AA`,
        'a key that it brings along': (w) => logoutToken(w, {}, { jwk: {} }),
        'the type of an ID token': (w) => logoutToken(w, {}, { typ: 'at+jwt' }),
        'another issuer': (w) => logoutToken(w, { iss: 'https://evil.example' }),
        'another audience': (w) => logoutToken(w, { aud: `energent-${ATTACKER}` }),
        'no event': (w) => logoutToken(w, { events: undefined }),
        'another event': (w) => logoutToken(w, { events: { 'urn:x': {} } }),
        'an event that is no object': (w) => logoutToken(w, { events: { [EVENT]: true } }),
        'a nonce, as in an ID token': (w) => logoutToken(w, { nonce: 'x' }),
        'neither person nor session': (w) => logoutToken(w, { sub: undefined }),
        'a person that is a list': (w) => logoutToken(w, { sub: ['x'] }),
        'no id': (w) => logoutToken(w, { jti: undefined }),
        'no time': (w) => logoutToken(w, { iat: undefined }),
        'of ten minutes ago': (w) => logoutToken(w, { iat: w.now() - 600 }),
        'of the future': (w) => logoutToken(w, { iat: w.now() + 60 }),
        expired: (w) => logoutToken(w, { iat: w.now() - 200, exp: w.now() - 100 }),
        'a life of a day': (w) => logoutToken(w, { exp: w.now() + 86_400 }),
        'an ID token of ours': (w) => w.people.of.viewer.idToken,
        'no JWT': () => 'x',
      },
      (w, make) => logOut(w, make(w)),
      '400 oauth invalid_request',
    ),
    attack(
      'at a tenant that has no such connection',
      (w) => logOut(w, logoutToken(w), ATTACKER),
      '400 oauth invalid_request',
    ),
    attack(
      'at a tenant that does not exist',
      (w) => logOut(w, logoutToken(w), 'there-is-none'),
      '400 oauth invalid_request',
    ),
    attack(
      'no token',
      (w) => w.at(`/sso/${VICTIM}/${w.people.connectionId}/backchannel-logout`, form({})),
      '400 oauth invalid_request',
    ),
    attack('a right one of a person that is not here', (w) => logOut(w, logoutToken(w)), '200'),
    attack(
      'a right one, the second time',
      async (w) => {
        const token = logoutToken(w)
        return [await logOut(w, token), await logOut(w, token)]
      },
      ['200', '400 oauth invalid_request'],
    ),
  ],
}
