import assert from 'node:assert/strict'
import { type Attack, type AttackGroup, attack } from '../attack.ts'
import { jsonOf, type Seen } from '../support/answer.ts'
import { proof } from '../support/forge.ts'
import { bearer, form, json } from '../support/send.ts'
import { ATTACKER, EXCHANGE, TOKEN_TYPE, VICTIM, type World } from '../support/world.ts'

const MISSING = '404 resource.not_found'

const inquire = (w: World, token: string, minimal = false): Promise<Seen> => {
  const { clientId, clientSecret } = w.attacker.machine
  const fields = {
    token,
    client_id: clientId,
    client_secret: clientSecret,
    ...(minimal ? { minimal: 'true' } : {}),
  }
  return w.at('/oauth2/introspect', form(fields))
}
const revoke = (w: World, token: string): Promise<Seen> => {
  const { clientId, clientSecret } = w.attacker.machine
  return w.at('/oauth2/revoke', form({ token, client_id: clientId, client_secret: clientSecret }))
}
const exchange = (w: World, token: string, type: string, more: Record<string, string> = {}): Promise<Seen> =>
  w.ask(
    { grant_type: EXCHANGE, subject_token: token, subject_token_type: `${TOKEN_TYPE}${type}`, ...more },
    w.attacker.machine,
  )
const podToken = (w: World): Promise<string> =>
  w.stack.parts().cluster.mintServiceAccountToken({
    ...{ namespace: `tenant-${VICTIM}`, serviceAccount: 'tenant-workload', audience: w.base },
  })
const stillGood = (token: (w: World) => string): Pick<Attack, 'check'> => ({
  check: async (w) => assert.equal((await w.read(token(w))).said, '200'),
})

export const foreignTokens: AttackGroup = {
  title: 'Every kind of token and credential of the victim, in the attacker’s hands',
  aim: 'Use, inspect, end or exchange what another tenant was given.',
  sent: `By the attacker's own client of \`${ATTACKER}\`, which holds \`introspect\` and may exchange.`,
  places: ['answer'],
  never: 'What is shown of a foreign token is that it is none; it stays good for its owner.',
  attacks: [
    attack(
      'introspection of a machine’s access token',
      (w) => inquire(w, w.tokens.victim),
      '200 inactive',
      stillGood((w) => w.tokens.victim),
    ),
    attack('the same, `minimal`', (w) => inquire(w, w.tokens.victim, true), '200 inactive'),
    attack(
      'introspection of a person’s access token',
      (w) => inquire(w, w.people.of.viewer.accessToken),
      '200 inactive',
    ),
    attack(
      'introspection of a refresh token',
      (w) => inquire(w, w.people.of.viewer.refreshToken),
      '200 inactive',
    ),
    attack('introspection of an ID token', (w) => inquire(w, w.people.of.viewer.idToken), '200 inactive'),
    attack('introspection of an API key', (w) => inquire(w, w.apiKeys.victim), '200 inactive'),
    attack(
      'introspection of a client’s secret',
      (w) => inquire(w, w.victim.modest.clientSecret),
      '200 inactive',
    ),
    attack(
      'introspection by the bearer of a token',
      (w) =>
        w.at('/oauth2/introspect', {
          ...form({ token: w.tokens.victim }),
          headers: [...bearer(w.tokens.attacker), ['content-type', 'application/x-www-form-urlencoded']],
        }),
      '200 inactive',
    ),
    attack(
      'an end put to an access token',
      (w) => revoke(w, w.tokens.victim),
      '200',
      stillGood((w) => w.tokens.victim),
    ),
    attack(
      'an end put to a person’s access token',
      (w) => revoke(w, w.people.of.viewer.accessToken),
      '200',
      stillGood((w) => w.people.of.viewer.accessToken),
    ),
    attack(
      'an end put to a session by its refresh token',
      (w) => revoke(w, w.people.of.viewer.refreshToken),
      '200',
    ),
    attack(
      'a refresh',
      (w) =>
        w.ask(
          { grant_type: 'refresh_token', refresh_token: w.people.of.viewer.refreshToken },
          w.attacker.web,
        ),
      '400 oauth invalid_grant',
    ),
    attack(
      'a code',
      async (w) => {
        const { code, verifier, redirectUri } = await w.people.code('viewer')
        return w.ask(
          { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier },
          w.attacker.web,
        )
      },
      '400 oauth invalid_grant',
      { leaves: 'a sign-in of the victim’s own' },
    ),
    attack(
      'an exchange of an access token',
      (w) => exchange(w, w.tokens.victim, 'access_token'),
      '400 oauth invalid_request',
    ),
    attack(
      'an exchange of a person’s access token',
      (w) => exchange(w, w.people.of.viewer.accessToken, 'access_token'),
      '400 oauth invalid_request',
    ),
    attack(
      'an exchange of a workload’s token',
      async (w) => exchange(w, await podToken(w), 'jwt'),
      '400 oauth invalid_request',
    ),
    attack(
      'an exchange of a token of the victim’s identity provider',
      (w) => exchange(w, w.people.of.viewer.idToken, 'id_token'),
      '400 oauth invalid_request',
    ),
    attack(
      'the victim as actor for the attacker',
      (w) =>
        exchange(w, w.tokens.attacker, 'access_token', {
          actor_token: w.tokens.victim,
          actor_token_type: `${TOKEN_TYPE}access_token`,
        }),
      '400 oauth invalid_request',
    ),
    attack(
      'an operator’s token as subject',
      (w) => exchange(w, w.tokens.admin, 'access_token'),
      '400 oauth invalid_request',
    ),
    attack(
      'a check of an API key',
      (w) =>
        w.at('/v1/api-keys/verify', {
          ...json({ key: w.apiKeys.victim }),
          headers: [...bearer(w.tokens.attacker), ['content-type', 'application/json']],
        }),
      '200 not valid',
    ),
    attack(
      'the attacker’s API key at the victim’s directory',
      (w) => w.at(`/scim/v2/${VICTIM}/Users`, { headers: bearer(w.apiKeys.attacker) }),
      '404 scim -',
    ),
    attack(
      'the victim’s API key at the attacker’s directory',
      (w) => w.at(`/scim/v2/${ATTACKER}/Users`, { headers: bearer(w.apiKeys.victim) }),
      '404 scim -',
    ),
    attack(
      'a person of the victim’s below the attacker’s directory',
      (w) =>
        w.at(`/scim/v2/${ATTACKER}/Users/${w.people.of.viewer.userId}`, {
          headers: bearer(w.apiKeys.attacker),
        }),
      '404 scim -',
    ),
    attack(
      'an access token at the directory',
      (w) => w.at(`/scim/v2/${VICTIM}/Users`, { headers: bearer(w.tokens.victim) }),
      '401 scim -',
    ),
    attack(
      'an API key as an access token',
      (w) => w.read(w.apiKeys.victim),
      '401 gateway: Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
    ),
    attack(
      'an ID token as an access token',
      (w) => w.read(w.people.of.viewer.idToken),
      '403 gateway: Audiences in Jwt are not allowed',
    ),
    attack(
      'a refresh token as an access token',
      (w) => w.read(w.people.of.viewer.refreshToken),
      '401 gateway: Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
    ),
    attack(
      'a workload’s token of the cluster as an access token',
      async (w) => w.read(await podToken(w)),
      '401 gateway: Jwt issuer is not configured',
    ),
    attack(
      'a proof as an access token',
      (w) =>
        w.read(
          proof({
            key: w.mine,
            method: 'GET',
            url: w.base,
            nowSeconds: w.now(),
            claims: { iss: w.base, aud: w.base },
          }),
        ),
      '401 gateway: Jwt verification fails',
    ),
    attack(
      'an invitation of another tenant, accepted',
      async (w) => {
        const invited = await w.at(`/v1/tenants/${ATTACKER}/invitations`, {
          ...json({ email: 'viewer@globex.example', role: 'viewer' }),
          headers: [...bearer(w.tokens.attacker), ['content-type', 'application/json']],
        })
        const token = String(jsonOf(invited.body)['token'])
        return w.at('/v1/invitations/accept', {
          ...json({ token }),
          headers: [...bearer(w.people.of.viewer.accessToken), ['content-type', 'application/json']],
        })
      },
      MISSING,
      { leaves: 'the invitation' },
    ),
  ],
}
