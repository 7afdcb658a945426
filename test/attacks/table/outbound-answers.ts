import assert from 'node:assert/strict'
import { type AttackGroup, attack, attacks } from '../attack.ts'
import { jsonOf, type Seen } from '../support/answer.ts'
import { sha256 } from '../support/forge.ts'
import { json } from '../support/send.ts'
import { ATTACKER, type World } from '../support/world.ts'

const CONNECTIONS = `/v1/tenants/${ATTACKER}/connections`

/** At the process that may call the attacker's server, by the administrator of the attacker's tenant. */
function connect(w: World, name: string, more: object = {}): Promise<Seen> {
  const { headers = [], ...call } = json({ issuer: `${w.outside.url}/${name}`, clientId: 'x', ...more })
  const token = w.tokens.attacker
  return w.behindOther({
    ...{ ...call, path: CONNECTIONS },
    headers: [
      ...headers,
      ['x-forwarded-authorization', `Bearer ${token}`],
      ['x-apigateway-api-userinfo', token.split('.')[1] ?? ''],
    ],
  })
}

export const outboundAnswers: AttackGroup = {
  title: 'Answers of a server that we may call',
  aim: 'Lead us on from a public address to one inside, or have us read without end.',
  sent: 'As `issuer` of a connection, at a process of the function that may call a server of the attacker’s. That a name may point elsewhere a moment later (rebinding) is tested at the guard itself: `test/auth/adapters/guarded-fetch.test.ts`.',
  places: ['answer'],
  never: 'A server inside, to which they all point, is never called.',
  attacks: [
    ...attacks(
      {
        'moved for good (301)': '301',
        'found elsewhere (302)': '302',
        'see other (303)': '303',
        'moved for now (307)': '307',
        'moved for good, method kept (308)': '308',
        'a page that moves on by itself': 'refresh',
        'a document of another issuer': 'mirror',
        'a document of the same issuer with a slash': 'slash',
        'a document of seventy kibibytes': 'large',
        'an answer without end': 'endless',
        'a compressed answer': 'gzip',
        'a connection that breaks': 'hangup',
        'a page': 'html',
        'a list': 'list',
        'a provider without codes': 'implicit',
        'a sign-in page that is a script': 'script',
        'a token endpoint with a user in it': 'user',
        'a provider that signs with an HMAC or not at all': 'hmac',
        'an error': 'error',
        'nothing there': 'nobody',
      },
      connect,
      '400 issuer.invalid',
    ),
    attack(
      'a provider whose token endpoint and keys are inside, when somebody signs in',
      async (w) => {
        const made = await connect(w, 'inward')
        const { connectionId } = jsonOf(made.body)
        const begun = await w.behindOther({
          path: `/oauth2/authorize?${new URLSearchParams({
            ...{ client_id: w.attacker.web.clientId, redirect_uri: 'http://127.0.0.1:1/callback' },
            ...{ response_type: 'code', scope: 'openid', connection: String(connectionId), state: 's' },
            ...{ code_challenge: sha256('x'.repeat(43)), code_challenge_method: 'S256' },
          })}`,
        })
        const state = new URL(begun.headers.location ?? '').searchParams.get('state')
        const cookie = begun.headers['set-cookie']?.[0]?.split(';')[0] ?? ''
        const path = `/sso/${ATTACKER}/${connectionId}/callback?code=x&state=${state}`
        return [made, await w.behindOther({ path, headers: [['cookie', cookie]] })]
      },
      ['201', '400 page callback.invalid'],
      {
        leaves: 'the connection',
        check: (w) => {
          const audit = JSON.stringify(w.stack.parts().engines.firestore?.dump())
          assert.match(audit, /auth\.sign_in\.refused[^{}]*guard|guard[^{}]*auth\.sign_in\.refused/)
        },
      },
    ),
  ],
}
