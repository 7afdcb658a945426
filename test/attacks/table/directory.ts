import assert from 'node:assert/strict'
import { type AttackGroup, attack, attacks } from '../attack.ts'
import { jsonOf, type Seen } from '../support/answer.ts'
import { bearer, type Call } from '../support/send.ts'
import { VICTIM, type World } from '../support/world.ts'

const USERS = `/scim/v2/${VICTIM}/Users`
const GROUPS = `/scim/v2/${VICTIM}/Groups`
const USER = 'urn:ietf:params:scim:schemas:core:2.0:User'
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'

const call = (w: World, path: string, more: Partial<Call> = {}): Promise<Seen> =>
  w.at(path, { ...more, headers: [...bearer(w.apiKeys.victim), ...(more.headers ?? [])] })
const send = (w: World, method: string, path: string, body: object | string): Promise<Seen> =>
  call(w, path, {
    ...{ method, body: typeof body === 'string' ? body : JSON.stringify(body) },
    headers: [['content-type', 'application/scim+json']],
  })

export const directory: AttackGroup = {
  title: 'A directory that means harm (SCIM)',
  aim: 'Turn the right to provision people into power over those who are there, or break the filter language.',
  sent: 'Through the gateway, with an API key of the victim that holds `scim`.',
  places: ['answer'],
  never: 'Nobody is made, changed or shown whom the directory has not provisioned itself.',
  attacks: [
    ...attacks<readonly [method: string, body?: object]>(
      {
        'a person whom it has not provisioned': ['GET'],
        'such a person, disabled': [
          'PATCH',
          { schemas: [PATCH], Operations: [{ op: 'replace', path: 'active', value: false }] },
        ],
        'such a person, replaced': ['PUT', { schemas: [USER], userName: 'mallory@globex.example' }],
        'such a person, removed': ['DELETE'],
      },
      (w, [method, body]) => {
        const path = `${USERS}/${w.people.of.owner.userId}`
        return body === undefined ? call(w, path, { method }) : send(w, method, path, body)
      },
      '404 scim -',
    ),
    ...attacks(
      {
        'a filter that is none': 'x',
        'a filter of SQL': "userName eq 'x' or 1=1",
        'a filter with an open bracket': '(userName eq "x"',
        'a filter of a thousand brackets': `${'('.repeat(1_000)}userName eq "x"${')'.repeat(1_000)}`,
        'a filter on a prototype': '__proto__ pr',
      },
      (w, filter) => call(w, `${USERS}?filter=${encodeURIComponent(filter)}`),
      '400 scim invalidFilter',
    ),
    ...attacks<object | string>(
      {
        'a person without a name': { schemas: [USER] },
        'a name of four hundred characters': { schemas: [USER], userName: 'x'.repeat(400) },
      },
      (w, body) => send(w, 'POST', USERS, body),
      '400 scim invalidValue',
    ),
    ...attacks<object | string>(
      {
        'no JSON': 'x',
        'a member twice': `{"schemas":["${USER}"],"userName":"a","userName":"b"}`,
        'a prototype': `{"schemas":["${USER}"],"userName":"a","__proto__":{"active":true}}`,
        'depth of twenty': `{"schemas":["${USER}"],"userName":"a","x":${'['.repeat(20)}${']'.repeat(20)}}`,
      },
      (w, body) => send(w, 'POST', USERS, body),
      '400 scim invalidSyntax',
    ),
    attack(
      'a filter on what nobody is shown, which fits nobody',
      (w) => call(w, `${USERS}?filter=${encodeURIComponent('not (password eq "x") and password pr')}`),
      '200',
      { check: (_w, [seen]) => assert.equal(jsonOf(seen?.body ?? '')['totalResults'], 0) },
    ),
    attack(
      'a group whose member is nobody’s id',
      (w) =>
        send(w, 'POST', GROUPS, {
          schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'],
          displayName: 'admin',
          members: [{ value: '../x' }],
        }),
      '400 scim invalidValue',
    ),
    attack('without a key', (w) => w.at(USERS), '401 scim -'),
    attack(
      'with a key of a scope that is another',
      async (w) => {
        const made = await w.at(`/v1/tenants/${VICTIM}/api-keys`, {
          method: 'POST',
          body: JSON.stringify({ scopes: ['usage:read'] }),
          headers: [['content-type', 'application/json'], ...bearer(w.tokens.victim)],
        })
        const { key } = JSON.parse(made.body) as { key: string }
        return w.at(USERS, { headers: bearer(key) })
      },
      '403 scim -',
      { leaves: 'the key' },
    ),
    attack('with a key in the URL', (w) => w.at(`${USERS}?access_token=${w.apiKeys.victim}`), '401 scim -'),
    attack(
      'many operations at once, which is off',
      (w) => send(w, 'POST', `/scim/v2/${VICTIM}/Bulk`, {}),
      '404 gateway: The current request is not defined by this API.',
    ),
  ],
}
