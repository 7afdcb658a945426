import assert from 'node:assert/strict'
import { type Attack, type AttackGroup, attack, attacks } from '../attack.ts'
import { jsonOf } from '../support/answer.ts'
import { b64, claimsOf } from '../support/forge.ts'
import { basic, type Call, type Fields, form } from '../support/send.ts'
import { ATTACKER, VICTIM, type World } from '../support/world.ts'

const PATH = `/v1/tenants/${VICTIM}`
const payload = (token: string): string => token.split('.')[1] ?? ''
const forwarded = (token: string, info: string | undefined = payload(token)): Fields => [
  ['x-forwarded-authorization', `Bearer ${token}`],
  ...(info === undefined ? [] : [['x-apigateway-api-userinfo', info] as const]),
]
const inquiry = (token: string, headers: Fields): Call => {
  const { headers: type = [], ...rest } = form({ token })
  return { ...rest, path: '/oauth2/introspect', headers: [...type, ...headers] }
}

/** Through the gateway: it must take away what only it may say. */
const throughGateway: Attack[] = [
  ...attacks<(w: World) => Fields>(
    {
      'the claims of an operator beside the attacker’s own token': (w) => [
        ['authorization', `Bearer ${w.tokens.attacker}`],
        ['X-Apigateway-Api-Userinfo', payload(w.tokens.admin)],
      ],
      'the victim’s token in `X-Forwarded-Authorization` beside the attacker’s own': (w) => [
        ['authorization', `Bearer ${w.tokens.attacker}`],
        ['X-Forwarded-Authorization', `Bearer ${w.tokens.victim}`],
        ['X-Apigateway-Api-Userinfo', payload(w.tokens.victim)],
      ],
      'the same, the headers twice': (w) => [
        ['x-forwarded-authorization', `Bearer ${w.tokens.victim}`],
        ['authorization', `Bearer ${w.tokens.attacker}`],
        ['x-forwarded-authorization', `Bearer ${w.tokens.victim}`],
      ],
      'who the caller is, by headers of other products': (w) => [
        ['authorization', `Bearer ${w.tokens.attacker}`],
        ['x-goog-authenticated-user-email', 'accounts.google.com:ops@example.com'],
        ['x-forwarded-user', w.victim.machine.clientId],
        ['x-tenant-id', VICTIM],
        ['x-apigateway-api-consumer-number', '1'],
      ],
    },
    (w, headers) => w.at(PATH, { headers: headers(w) }),
    '404 resource.not_found',
  ),
  ...attacks<Fields>(
    {
      'the name of the header with underscores': [['x_forwarded_authorization', 'Bearer x']],
      'the name of the gateway’s copy with underscores': [['x_apigateway_api_userinfo', 'e30']],
    },
    (w, headers) => w.at(PATH, { headers }),
    '400 gateway: Bad Request',
  ),
  ...attacks<(w: World) => Fields>(
    {
      'an operator’s claims alone, where no token is asked for': (w) => [
        ['x-apigateway-api-userinfo', payload(w.tokens.admin)],
      ],
      'an operator’s token in `X-Forwarded-Authorization`, where no token is asked for': (w) => [
        ['x-forwarded-authorization', `Bearer ${w.tokens.admin}`],
      ],
      'the credentials of another in `X-Forwarded-Authorization`': (w) =>
        basic(w.victim.machine.clientId, w.victim.machine.clientSecret).map(([, value]) => [
          'x-forwarded-authorization',
          value,
        ]),
    },
    (w, headers) => w.at('', inquiry(w.tokens.victim, headers(w))),
    '401 oauth invalid_client',
  ),
  attack(
    'a good token with an operator’s claims beside it, where no token is asked for',
    (w) =>
      w.at(
        '',
        inquiry(w.tokens.admin, [
          ['authorization', `Bearer ${w.tokens.attacker}`],
          ['x-apigateway-api-userinfo', payload(w.tokens.admin)],
        ]),
      ),
    '200 inactive',
  ),
  ...attacks<Fields>(
    {
      'another `X-Forwarded-Host`': [['x-forwarded-host', 'evil.example']],
      'another `Forwarded`': [['forwarded', 'host=evil.example;proto=https']],
      'another scheme and port': [
        ['x-forwarded-proto', 'https'],
        ['x-forwarded-port', '444'],
      ],
    },
    (w, headers) => w.at('/.well-known/openid-configuration', { headers }),
    '200',
    {
      check: (w, [seen]) => {
        assert.equal(jsonOf(seen?.body ?? '')['issuer'], w.base)
        assert.ok(seen?.body.includes('evil') === false)
      },
    },
  ),
  ...attacks<string>(
    {
      'another path by `X-Original-URL`': 'x-original-url',
      'another path by `X-Rewrite-URL`': 'x-rewrite-url',
    },
    (w, name) => w.at('/health', { headers: [[name, `${PATH}/clients`]] }),
    '200',
    { check: (_w, [seen]) => assert.equal(jsonOf(seen?.body ?? '')['status'], 'ok') },
  ),
]

export const spoofedAtGateway: AttackGroup = {
  title: 'Headers that only the gateway may set, set by a client',
  aim: 'Be somebody by saying so: the function behind trusts what the gateway says of a token.',
  sent: 'Through the gateway, with a token of the attacker at most.',
  places: ['answer'],
  never: 'Nobody’s identity comes from a header; nothing that is answered names another host.',
  attacks: throughGateway,
}

const atFunction = (rows: Readonly<Record<string, (w: World) => Fields>>, answer: string): Attack[] =>
  attacks(rows, (w, headers) => w.behind('tenants-api', { path: PATH, headers: headers(w) }), answer)

const caller = (
  name: string,
  send: (w: World) => ReturnType<Attack['send']>,
  answer = '401 caller.untrusted',
): Attack => attack(name, send, answer)
const account = (w: World, name: string): string =>
  `${name}@${w.stack.info().project}.iam.gserviceaccount.com`

export const spoofedBehind: AttackGroup = {
  title: 'The same from somebody who stands between gateway and function',
  aim: 'Use a function that can be called around the gateway, or a gateway that passes on what it should not.',
  sent: `\`GET ${PATH}\` at the function itself, with the gateway's own identity token unless the row says otherwise.`,
  places: ['answer'],
  never: 'The record is not shown, and no job is run.',
  attacks: [
    ...atFunction(
      {
        'the victim’s claims beside the attacker’s token': (w) =>
          forwarded(w.tokens.attacker, payload(w.tokens.victim)),
        'the attacker’s claims beside the victim’s token': (w) =>
          forwarded(w.tokens.victim, payload(w.tokens.attacker)),
        'claims of another token of the same client': (w) => forwarded(w.tokens.victim, payload(w.minted())),
        'a good token without the gateway’s copy': (w) =>
          forwarded(w.tokens.victim).filter(([name]) => name !== 'x-apigateway-api-userinfo'),
        'the gateway’s copy without a token': (w) => [
          ['x-apigateway-api-userinfo', payload(w.tokens.victim)],
        ],
        'the copy with padding': (w) => forwarded(w.tokens.victim, `${payload(w.tokens.victim)}=`),
        'the copy with the same claims in another order': (w) => {
          const { iss, ...rest } = claimsOf(w.tokens.victim)
          return forwarded(w.tokens.victim, b64(JSON.stringify({ ...rest, iss })))
        },
        'the copy as plain JSON': (w) =>
          forwarded(w.tokens.victim, JSON.stringify(claimsOf(w.tokens.victim))),
        'an empty copy': (w) => forwarded(w.tokens.victim, ''),
        'a copy that is no JSON': (w) => forwarded(w.tokens.victim, 'AAAA'),
        'the gateway’s own identity token as the user’s': (w) => [
          ['x-forwarded-authorization', `Bearer ${w.tokens.victim.split('.')[0]}.e30.AA`],
          ['x-apigateway-api-userinfo', 'e30'],
        ],
        'no credentials of a user at all': () => [],
        'HTTP Basic with a client’s secret': (w) =>
          basic(w.victim.machine.clientId, w.victim.machine.clientSecret).map(([, value]) => [
            'x-forwarded-authorization',
            value,
          ]),
      },
      '401 token.invalid',
    ),
    ...atFunction(
      {
        'two copies': (w) => [
          ...forwarded(w.tokens.victim),
          ['x-apigateway-api-userinfo', payload(w.tokens.attacker)],
        ],
        'two user tokens': (w) => [
          ...forwarded(w.tokens.attacker),
          ['x-forwarded-authorization', `Bearer ${w.tokens.victim}`],
        ],
      },
      '400 request.malformed',
    ),
    caller('the user’s token where the gateway’s belongs', (w) =>
      w.behindAlone('tenants-api', { path: PATH, headers: [['authorization', `Bearer ${w.tokens.victim}`]] }),
    ),
    caller('no token of the gateway', (w) =>
      w.behindAlone('tenants-api', { path: PATH, headers: forwarded(w.tokens.victim) }),
    ),
    caller('the scheduler’s account at the API', (w) =>
      w.behindAs(account(w, 'energent-scheduler'), 'tenants-api', {
        path: PATH,
        headers: forwarded(w.tokens.victim),
      }),
    ),
    caller('some other account of the project', (w) =>
      w.behindAs(account(w, 'tenants'), 'tenants-api', { path: PATH, headers: forwarded(w.tokens.victim) }),
    ),
    caller('the gateway’s account with another function’s audience', (w) =>
      w.behindAs(
        account(w, 'energent-gateway'),
        'tenants-api',
        { path: PATH, headers: forwarded(w.tokens.victim) },
        'auth',
      ),
    ),
    caller('the gateway’s account at a job', (w) =>
      w.behind('auth', { method: 'POST', path: '/internal/sweep/run', body: '{}' }),
    ),
    caller('`X-Serverless-Authorization` beside the gateway’s token', (w) =>
      w.behind('tenants-api', {
        path: PATH,
        headers: [...forwarded(w.tokens.victim), ['x-serverless-authorization', 'Bearer x']],
      }),
    ),
    caller('two tokens of the gateway', (w) =>
      w.behind('tenants-api', {
        path: PATH,
        headers: [['authorization', 'Bearer x'], ...forwarded(w.tokens.victim)],
      }),
    ),
    caller(
      'a job through the gateway',
      (w) => w.at('/internal/sweep/run', { method: 'POST', body: '{}' }),
      '404 gateway: The current request is not defined by this API.',
    ),
    caller(
      'a push through the gateway',
      (w) => w.at('/events/tenant-facts-to-auth-events', { method: 'POST', body: '{}' }),
      '404 gateway: The current request is not defined by this API.',
    ),
    caller(
      'a push at an HTTP function',
      (w) => w.behind('auth', { method: 'POST', path: '/events/tenant-facts-to-auth-events', body: '{}' }),
      '404 request.not_found',
    ),
    caller(
      'an event as the body of a token request',
      (w) =>
        w.behind('auth', {
          ...{ method: 'POST', path: '/oauth2/token' },
          headers: [
            ['content-type', 'application/cloudevents+json'],
            ['ce-type', 'ai.energent.tenant.activated.v1'],
          ],
          body: JSON.stringify({
            specversion: '1.0',
            type: 'ai.energent.tenant.activated.v1',
            subject: `tenants/${ATTACKER}`,
          }),
        }),
      '415 oauth invalid_request',
    ),
  ],
}
