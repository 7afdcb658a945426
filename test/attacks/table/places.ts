import { type AttackGroup, attacks } from '../attack.ts'
import { b64 } from '../support/forge.ts'
import type { Call, Fields } from '../support/send.ts'
import { VICTIM } from '../support/world.ts'

const PATH = `/v1/tenants/${VICTIM}`
const MISSING = '401 gateway: Jwt is missing'

/** Requests for the victim's record with a good token where none belongs. */
const rows = (cases: Readonly<Record<string, (token: string) => Partial<Call>>>, answer: string) =>
  attacks(cases, (w, make) => w.at(PATH, { path: PATH, ...make(w.tokens.victim) }), answer)

const header = (name: string, value: (token: string) => string) => (token: string) => ({
  headers: [[name, value(token)]] as Fields,
})
const authorization = (value: (token: string) => string) => header('authorization', value)

export const wrongPlaces: AttackGroup = {
  title: 'A good token in a place where none belongs',
  aim: 'Have a token taken from where logs, caches and other sites can read or set it, or have two readers take two tokens.',
  sent: `\`GET ${PATH}\` through the gateway, with the victim's own token.`,
  places: ['answer'],
  never: 'The record is not shown.',
  attacks: [
    ...rows(
      {
        'as `access_token` in the query': (token) => ({ path: `${PATH}?access_token=${token}` }),
        'as `token` in the query': (token) => ({ path: `${PATH}?token=${token}` }),
        'in a cookie': header('cookie', (token) => `access_token=${token}`),
        'in `X-Forwarded-Authorization`': header('x-forwarded-authorization', (token) => `Bearer ${token}`),
        'in `X-Goog-Iap-Jwt-Assertion`': header('x-goog-iap-jwt-assertion', (token) => token),
        'in `X-Apigateway-Api-Userinfo`, its payload': header(
          'x-apigateway-api-userinfo',
          (token) => token.split('.')[1] ?? '',
        ),
        'in `X-Endpoint-API-UserInfo`': header(
          'x-endpoint-api-userinfo',
          (token) => token.split('.')[1] ?? '',
        ),
        'in `Proxy-Authorization`': header('proxy-authorization', (token) => `Bearer ${token}`),
        'in `X-Serverless-Authorization`': header('x-serverless-authorization', (token) => `Bearer ${token}`),
        'in `X-Access-Token`': header('x-access-token', (token) => token),
        'without a scheme': authorization((token) => token),
        'with the scheme `Token`': authorization((token) => `Token ${token}`),
        'with the scheme in small letters': authorization((token) => `bearer ${token}`),
        'with the scheme in capitals': authorization((token) => `BEARER ${token}`),
        'with the scheme and no space': authorization((token) => `Bearer${token}`),
        'with a tab for the space': authorization((token) => `Bearer\t${token}`),
        'as the password of HTTP Basic': authorization(
          (token) => `Basic ${Buffer.from(`x:${token}`).toString('base64')}`,
        ),
        'named as a field of the connection, which proxies drop': (token) => ({
          headers: [
            ['authorization', `Bearer ${token}`],
            ['connection', 'authorization'],
          ],
        }),
      },
      MISSING,
    ),
    ...rows(
      {
        'with two spaces': authorization((token) => `Bearer  ${token}`),
        'behind another scheme': authorization((token) => `Basic x Bearer ${token}`),
        'in quotes': authorization((token) => `Bearer "${token}`),
      },
      '401 token.invalid',
    ),
    ...rows(
      { 'as a token that is bound to a key, without a proof': authorization((token) => `DPoP ${token}`) },
      '401 token.proof_invalid',
    ),
    ...rows(
      {
        'twice in one header': authorization((token) => `Bearer ${token}, Bearer ${token}`),
        'in two headers': (token) => ({
          headers: [
            ['authorization', `Bearer ${token}`],
            ['authorization', `Bearer ${token}`],
          ],
        }),
        'in two headers, the first with another': (token) => ({
          headers: [
            ['authorization', `Bearer ${b64('{}')}.${b64('{}')}.AA`],
            ['authorization', `Bearer ${token}`],
          ],
        }),
      },
      '401 gateway: Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
    ),
    ...rows(
      { 'behind two schemes': authorization((token) => `DPoP Bearer ${token}`) },
      '401 gateway: Jwt header is an invalid Base64url encoded',
    ),
    ...rows(
      { 'with more behind it': authorization((token) => `Bearer ${token} x`) },
      '401 gateway: Jwt signature is an invalid Base64url encoded',
    ),
  ],
}
