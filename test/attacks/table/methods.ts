import assert from 'node:assert/strict'
import { type AttackGroup, attack, attacks } from '../attack.ts'
import { bearer, type Call, type Fields, form } from '../support/send.ts'
import { VICTIM, type World } from '../support/world.ts'

const clientOf = (w: World): string => `/v1/tenants/${VICTIM}/clients/${w.victim.bound.clientId}`
const override = (method: string): Fields => [['x-http-method-override', method]]

/** At the function itself, as the gateway would send it: nobody but the gateway may change a method. */
const atFunction = (
  w: World,
  path: string,
  headers: Fields,
): Promise<unknown> & ReturnType<World['behind']> =>
  w.behind('auth', {
    path,
    headers: [
      ['x-forwarded-authorization', `Bearer ${w.tokens.victim}`],
      ['x-apigateway-api-userinfo', w.tokens.victim.split('.')[1] ?? ''],
      ...headers,
    ],
  })

export const methods: AttackGroup = {
  title: 'Another method than the one that was checked',
  aim: 'Have one method authorized and another one done: override headers, odd methods.',
  sent: 'Through the gateway unless the row says otherwise; the target is a client of the victim.',
  places: ['answer'],
  never: 'The client is still there.',
  attacks: [
    attack(
      'a GET made a DELETE, with a token that may only read',
      (w) => w.at(clientOf(w), { headers: [...bearer(w.tokens.modest), ...override('DELETE')] }),
      '403 token.insufficient_scope',
    ),
    attack(
      'a GET made a DELETE, by the attacker',
      (w) => w.at(clientOf(w), { headers: [...bearer(w.tokens.attacker), ...override('DELETE')] }),
      '404 resource.not_found',
    ),
    attack(
      'a POST made a GET, without a token',
      (w) => w.at(clientOf(w), { method: 'POST', headers: override('GET') }),
      '401 gateway: Jwt is missing',
    ),
    attack(
      'a preflight made a DELETE',
      (w) => w.at(clientOf(w), { method: 'OPTIONS', headers: [['origin', w.base], ...override('DELETE')] }),
      '401 gateway: Jwt is missing',
    ),
    attack(
      'a DELETE made a preflight, which needs no token',
      (w) =>
        w.at(clientOf(w), {
          method: 'DELETE',
          headers: [...bearer(w.tokens.attacker), ...override('OPTIONS')],
        }),
      '204',
    ),
    ...attacks<Partial<Call>>(
      {
        'by `X-HTTP-Method`': { headers: [['x-http-method', 'DELETE']] },
        'by `X-Method-Override`': { headers: [['x-method-override', 'DELETE']] },
      },
      (w, call) => w.at(clientOf(w), { headers: [...bearer(w.tokens.victim), ...(call.headers ?? [])] }),
      '200',
      { check: (w, [seen]) => assert.ok(seen?.body.includes(w.victim.bound.clientId)) },
    ),
    attack(
      'by `_method` in the query',
      (w) => w.at(`${clientOf(w)}?_method=DELETE`, { headers: bearer(w.tokens.victim) }),
      '200',
    ),
    attack(
      'by the header, at the function itself',
      (w) => atFunction(w, clientOf(w), override('DELETE')),
      '200',
      { check: (w, [seen]) => assert.ok(seen?.body.includes(w.victim.bound.clientId)) },
    ),
    attack(
      'by `_method` in a form, at the token endpoint',
      (w) => w.at('/oauth2/token', form({ _method: 'GET', grant_type: 'password' })),
      '400 oauth unsupported_grant_type',
    ),
    ...attacks(
      { TRACE: 'TRACE', PUT: 'PUT', PROPFIND: 'PROPFIND', 'a method in small letters': 'delete' },
      (w, method) => w.at(clientOf(w), { headers: [...bearer(w.tokens.victim), ...override(method)] }),
      `405 gateway: The current request is matched to the defined url template "/v1/tenants/{tenantId}/clients/{clientId}" but its http method is not allowed`,
    ),
    attack(
      'HEAD of a record',
      (w) => w.at(clientOf(w), { method: 'HEAD', headers: bearer(w.tokens.victim) }),
      '405 ',
    ),
    attack(
      'a token request by GET',
      (w) => w.at(`/oauth2/token?grant_type=client_credentials&client_id=${w.victim.machine.clientId}`),
      `405 gateway: The current request is matched to the defined url template "/oauth2/token" but its http method is not allowed`,
    ),
    attack(
      'a token request by GET that is made a POST, its parameters in the URL',
      (w) =>
        w.at(
          `/oauth2/token?${new URLSearchParams({ grant_type: 'client_credentials', client_id: w.victim.machine.clientId, client_secret: w.victim.machine.clientSecret })}`,
          { headers: [...override('POST'), ['content-type', 'application/x-www-form-urlencoded']] },
        ),
      '400 oauth invalid_request',
    ),
  ],
}
