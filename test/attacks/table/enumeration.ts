import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { newAuthorizationCode } from '../../../functions/auth/domain/authorization-code.ts'
import { newClientSecret } from '../../../functions/auth/domain/client-secret.ts'
import { type Attack, type AttackGroup, attack } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { bearer, form } from '../support/send.ts'
import { EXCHANGE, TOKEN_TYPE, VICTIM, type World } from '../support/world.ts'

/** Everything of an answer that a caller can see, but for what is new with each request. */
function visible({ status, headers, body }: Seen): string {
  const { date: _date, 'x-request-id': requestId, ...rest } = headers
  const told = Object.entries(rest).sort(([one], [other]) => (one < other ? -1 : 1))
  return JSON.stringify({ status, told, body: body.replaceAll(String(requestId), '') })
}

/** Answers that must be the same to the last byte. */
const alike = (
  name: string,
  answer: string,
  ways: Readonly<Record<string, (w: World) => Promise<Seen>>>,
): Attack =>
  attack(
    `${name}: ${Object.keys(ways).join(', ')}`,
    async (w) => {
      const seen: Seen[] = []
      for (const ask of Object.values(ways)) seen.push(await ask(w))
      return seen
    },
    Object.keys(ways).map(() => answer),
    { check: (_w, seen) => assert.equal(new Set(seen.map(visible)).size, 1) },
  )

const secret = (): string => newClientSecret(randomBytes(32))
const GRANT = { grant_type: 'client_credentials' }
const noId = `cid_${VICTIM}_0000000000000000`
const noTenant = 'cid_there-is-none_0000000000000000'
const asking = (w: World, path: string, token = w.tokens.attacker): Promise<Seen> =>
  w.at(path, { headers: bearer(token) })
const refresh = (w: World, token: string): Promise<Seen> =>
  w.ask({ grant_type: 'refresh_token', client_id: w.people.app, refresh_token: token })
const redeem = (w: World, code: string): Promise<Seen> =>
  w.ask({
    grant_type: 'authorization_code',
    client_id: w.people.app,
    code,
    redirect_uri: 'http://127.0.0.1:1/callback',
    code_verifier: 'x'.repeat(43),
  })
const inquire = (w: World, token: string): Promise<Seen> => {
  const { clientId, clientSecret } = w.attacker.machine
  return w.at('/oauth2/introspect', form({ token, client_id: clientId, client_secret: clientSecret }))
}
const authorize = (w: World, change: Readonly<Record<string, string>>): Promise<Seen> => {
  const { pathname, search } = new URL(w.people.authorizeUrl(change))
  return w.at(`${pathname}${search}`)
}

export const enumeration: AttackGroup = {
  title: 'What answers give away',
  aim: 'Learn which tenants, clients, people and tokens there are, by the difference of two answers.',
  sent: 'One after the other: each way, and then the answers are compared to the last byte of status, headers and body, but for date and request id.',
  places: ['each answer'],
  never: 'No two of them differ.',
  attacks: [
    alike('a client', '401 oauth invalid_client', {
      'a wrong secret': (w) => w.ask(GRANT, { clientId: w.victim.web.clientId, clientSecret: secret() }),
      'an unknown client': (w) => w.ask(GRANT, { clientId: noId, clientSecret: secret() }),
      'an unknown tenant': (w) => w.ask(GRANT, { clientId: noTenant, clientSecret: secret() }),
      'a secret that is none': (w) => w.ask(GRANT, { clientId: w.victim.web.clientId, clientSecret: 'x' }),
      'a client with a key': (w) =>
        w.ask(GRANT, { clientId: w.victim.asserting.clientId, clientSecret: secret() }),
      'an id alone': (w) => w.ask({ ...GRANT, client_id: w.victim.web.clientId }),
      'an assertion of an unknown client': (w) =>
        w.ask({
          ...GRANT,
          client_assertion: `e30.${Buffer.from(JSON.stringify({ sub: noId })).toString('base64url')}.AA`,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        }),
    }),
    alike('a client at introspection', '401 oauth invalid_client', {
      'a wrong secret': (w) =>
        w.at(
          '/oauth2/introspect',
          form({ token: 'x', client_id: w.victim.web.clientId, client_secret: secret() }),
        ),
      'an unknown client': (w) =>
        w.at('/oauth2/introspect', form({ token: 'x', client_id: noId, client_secret: secret() })),
      'a wrong secret and a token of ours': (w) =>
        w.at(
          '/oauth2/introspect',
          form({ token: w.tokens.victim, client_id: w.victim.web.clientId, client_secret: secret() }),
        ),
    }),
    alike('a tenant', '404 resource.not_found', {
      'another’s': (w) => asking(w, `/v1/tenants/${VICTIM}`),
      'one that is not there': (w) => asking(w, '/v1/tenants/there-is-none'),
      'the operators’': (w) => asking(w, '/v1/tenants/platform'),
      'no id': (w) => asking(w, '/v1/tenants/GLOBEX'),
    }),
    alike('a client of another tenant', '404 resource.not_found', {
      'one that is there': (w) => asking(w, `/v1/tenants/${VICTIM}/clients/${w.victim.web.clientId}`),
      'one that is not': (w) => asking(w, `/v1/tenants/${VICTIM}/clients/${noId}`),
      'of a tenant that is not there': (w) => asking(w, `/v1/tenants/there-is-none/clients/${noId}`),
    }),
    alike('a person of another tenant', '404 resource.not_found', {
      'one who is there': (w) => asking(w, `/v1/tenants/${VICTIM}/users/${w.people.of.owner.userId}`),
      'one who is not': (w) => asking(w, `/v1/tenants/${VICTIM}/users/usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E`),
      'no id': (w) => asking(w, `/v1/tenants/${VICTIM}/users/x`),
    }),
    alike('a person of the own tenant', '404 resource.not_found', {
      'one who is not there': (w) =>
        asking(w, `/v1/tenants/${VICTIM}/users/usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E`, w.tokens.victim),
      'no id': (w) => asking(w, `/v1/tenants/${VICTIM}/users/x`, w.tokens.victim),
    }),
    alike('a refresh token', '400 oauth invalid_grant', {
      nonsense: (w) => refresh(w, 'drt_x'),
      'a changed one': (w) => refresh(w, `${w.people.of.owner.refreshToken.slice(0, -2)}AA`),
      'one of another kind': (w) => refresh(w, w.people.of.owner.accessToken),
    }),
    alike('a code', '400 oauth invalid_grant', {
      nonsense: (w) => redeem(w, 'x'),
      'one that is well formed': (w) => redeem(w, newAuthorizationCode(randomBytes(32))),
    }),
    attack(
      'a code that is there, with another verifier, as one that is not',
      async (w) => [
        await redeem(w, (await w.people.code('viewer')).code),
        await redeem(w, newAuthorizationCode(randomBytes(32))),
      ],
      ['400 oauth invalid_grant', '400 oauth invalid_grant'],
      { leaves: 'the code', check: (_w, seen) => assert.equal(new Set(seen.map(visible)).size, 1) },
    ),
    alike('a token at introspection', '200 inactive', {
      nonsense: (w) => inquire(w, 'x'),
      'another tenant’s': (w) => inquire(w, w.tokens.victim),
      'another tenant’s person’s': (w) => inquire(w, w.people.of.owner.accessToken),
      'another tenant’s refresh token': (w) => inquire(w, w.people.of.owner.refreshToken),
      'an expired one': (w) => inquire(w, w.minted({ iat: w.now() - 600, exp: w.now() - 300 })),
      'an operator’s': (w) => inquire(w, w.tokens.admin),
    }),
    alike('an API key at the directory', '401 scim -', {
      nonsense: (w) => asking(w, `/scim/v2/${VICTIM}/Users`, 'x'),
      'a changed one': (w) =>
        asking(
          w,
          `/scim/v2/${VICTIM}/Users`,
          `${w.apiKeys.victim.slice(0, -9)}A${w.apiKeys.victim.slice(-8)}`,
        ),
      'an access token': (w) => asking(w, `/scim/v2/${VICTIM}/Users`, w.tokens.victim),
    }),
    alike('another tenant’s directory', '404 scim -', {
      'one that is there': (w) => asking(w, `/scim/v2/${VICTIM}/Users`, w.apiKeys.attacker),
      'one that is not': (w) => asking(w, '/scim/v2/there-is-none/Users', w.apiKeys.attacker),
    }),
    alike('a sign-in', '400 page authorization.invalid', {
      'another redirect URI': (w) => authorize(w, { redirect_uri: 'https://evil.example/' }),
      'an unknown client': (w) => authorize(w, { client_id: noId }),
      'an unknown tenant': (w) => authorize(w, { client_id: noTenant }),
      'a machine': (w) => authorize(w, { client_id: w.victim.machine.clientId }),
      'no client id': (w) => authorize(w, { client_id: 'x' }),
    }),
    alike('an exchange', '400 oauth invalid_request', {
      'another tenant’s token': (w) => exchange(w, w.tokens.victim, 'access_token'),
      nonsense: (w) => exchange(w, 'x', 'access_token'),
      'nonsense of another kind': (w) => exchange(w, 'x', 'jwt'),
      'an ID token of nobody’s provider': (w) => exchange(w, w.people.of.owner.idToken, 'id_token'),
    }),
    alike('an end of a token', '200', {
      nonsense: (w) => revoke(w, 'x'),
      'another tenant’s': (w) => revoke(w, w.tokens.victim),
      'another client’s refresh token': (w) => revoke(w, w.people.of.owner.refreshToken),
    }),
    alike('an invitation', '404 resource.not_found', {
      'a token that is none': (w) => accept(w, 'x'),
      'a token that is well formed': (w) => accept(w, `inv_${VICTIM}_${'A'.repeat(43)}`),
    }),
    alike('a logout at the back channel', '400 oauth invalid_request', {
      'a connection that is there': (w) => logOut(w, VICTIM, w.people.connectionId),
      'one that is not': (w) => logOut(w, VICTIM, 'con_nobody'),
      'of a tenant that is not there': (w) => logOut(w, 'there-is-none', w.people.connectionId),
    }),
  ],
}

function exchange(w: World, token: string, type: string): Promise<Seen> {
  return w.ask(
    { grant_type: EXCHANGE, subject_token: token, subject_token_type: `${TOKEN_TYPE}${type}` },
    w.attacker.machine,
  )
}
function revoke(w: World, token: string): Promise<Seen> {
  const { clientId, clientSecret } = w.attacker.machine
  return w.at('/oauth2/revoke', form({ token, client_id: clientId, client_secret: clientSecret }))
}
function accept(w: World, token: string): Promise<Seen> {
  const headers = [
    ['content-type', 'application/json'] as const,
    ...bearer(w.people.of.developer.accessToken),
  ]
  return w.at('/v1/invitations/accept', { method: 'POST', headers, body: JSON.stringify({ token }) })
}
function logOut(w: World, tenantId: string, connectionId: string): Promise<Seen> {
  return w.at(`/sso/${tenantId}/${connectionId}/backchannel-logout`, form({ logout_token: 'e30.e30.AA' }))
}
