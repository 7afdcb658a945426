import { type Attack, type AttackGroup, attack, attacks } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { form } from '../support/send.ts'
import { ATTACKER, VICTIM, type World } from '../support/world.ts'

type Change = Readonly<Record<string, string | undefined>>

const authorize = (w: World, change: Change = {}): Promise<Seen> => {
  const { pathname, search } = new URL(w.people.authorizeUrl(change))
  return w.at(`${pathname}${search}`)
}
const PAGE = '400 page authorization.invalid'

const asked = (rows: Readonly<Record<string, Change>>, answer: string): Attack[] =>
  attacks(rows, (w, change) => authorize(w, change), answer)

export const redirects: AttackGroup = {
  title: 'Where a sign-in leads: open redirects and downgrades',
  aim: 'Have a code, or a person, sent to a site of the attacker’s by a link that begins with our name.',
  sent: '`GET /oauth2/authorize` for the victim’s public client, whose redirect URI is `http://127.0.0.1/callback` at any port.',
  places: ['answer'],
  never:
    'The browser is sent nowhere but to the provider or to a redirect URI that the client has registered.',
  attacks: [
    ...asked(
      {
        'another site': { redirect_uri: 'https://evil.example/callback' },
        'another host of the network': { redirect_uri: 'http://127.0.0.2/callback' },
        'the name of the host': { redirect_uri: 'http://localhost/callback' },
        'https for http': { redirect_uri: 'https://127.0.0.1/callback' },
        'another path': { redirect_uri: 'http://127.0.0.1:1/callback/x' },
        'another path by dots': { redirect_uri: 'http://127.0.0.1:1/callback/../x' },
        'the path in capitals': { redirect_uri: 'http://127.0.0.1:1/CALLBACK' },
        'a slash behind it': { redirect_uri: 'http://127.0.0.1:1/callback/' },
        'a query behind it': { redirect_uri: 'http://127.0.0.1:1/callback?x=1' },
        'a fragment behind it': { redirect_uri: 'http://127.0.0.1:1/callback#x' },
        'a user before the host': { redirect_uri: 'http://evil.example@127.0.0.1:1/callback' },
        'our host as the user': { redirect_uri: 'http://127.0.0.1:1@evil.example/callback' },
        'a backslash': { redirect_uri: 'http://127.0.0.1:1\\@evil.example/callback' },
        'a host that begins alike': { redirect_uri: 'http://127.0.0.1.evil.example/callback' },
        'the address as a number': { redirect_uri: 'http://2130706433/callback' },
        'the address in octal': { redirect_uri: 'http://0177.0.0.1/callback' },
        'the address in short': { redirect_uri: 'http://127.1/callback' },
        'the address of the other family': { redirect_uri: 'http://[::ffff:127.0.0.1]/callback' },
        'a port of 70000': { redirect_uri: 'http://127.0.0.1:70000/callback' },
        'a port that is none': { redirect_uri: 'http://127.0.0.1:x/callback' },
        'a port with a zero before it': { redirect_uri: 'http://127.0.0.1:01/callback' },
        'two slashes more': { redirect_uri: 'http:////127.0.0.1:1/callback' },
        'no scheme': { redirect_uri: '//127.0.0.1:1/callback' },
        'a script': { redirect_uri: 'javascript:alert(1)' },
        data: { redirect_uri: 'data:text/html,x' },
        'a line end in it': { redirect_uri: 'http://127.0.0.1:1/callback\r\nset-cookie: x=1' },
        'a space in it': { redirect_uri: 'http://127.0.0.1:1/call back' },
        'letters that are no ASCII': { redirect_uri: 'http://127.0.0.1:1/cаllback' },
        'three thousand characters': { redirect_uri: `http://127.0.0.1:1/callback${'x'.repeat(3_000)}` },
        'no redirect URI': { redirect_uri: undefined },
        'an empty redirect URI': { redirect_uri: '' },
        'an unknown client': { client_id: `cid_${VICTIM}_0000000000000000` },
        'a client of a tenant that does not exist': { client_id: 'cid_nobody-here_0000000000000000' },
        'no client': { client_id: undefined },
        'a client id that is a path': { client_id: '../x' },
        'a state of 513 characters': { state: 'x'.repeat(513) },
        'a state with a line end': { state: 'a\r\nb' },
        'a state that is no ASCII': { state: 'ü' },
      },
      PAGE,
    ),
    attack(
      'a client without redirect URIs',
      (w) => authorize(w, { client_id: w.victim.machine.clientId }),
      PAGE,
    ),
    attack(
      'the redirect URI of another client of the tenant',
      (w) => authorize(w, { redirect_uri: 'https://app.example/callback' }),
      PAGE,
    ),
    attack(
      'a redirect URI of the same client of another tenant',
      (w) => authorize(w, { client_id: w.people.app.replace(VICTIM, ATTACKER) }),
      PAGE,
    ),
    ...attacks(
      {
        'two redirect URIs': 'redirect_uri=https%3A%2F%2Fevil.example',
        'two states': 'state=x',
        'two clients': 'client_id=x',
        'a bad escape': 'x=%zz',
        'a NUL': 'x=%00',
      },
      (w, more) => {
        const { pathname, search } = new URL(w.people.authorizeUrl())
        return w.at(`${pathname}${search}&${more}`)
      },
      '400 page request.malformed',
    ),
    ...asked(
      {
        'no challenge': { code_challenge: undefined },
        'the plain method': { code_challenge_method: 'plain', code_challenge: 'x'.repeat(43) },
        'no method': { code_challenge_method: undefined },
        'a challenge that is too short': { code_challenge: 'x'.repeat(42) },
        'a challenge with spare bits': { code_challenge: `${'x'.repeat(42)}B` },
        'an unknown `prompt`': { prompt: 'x' },
        '`prompt` none and login': { prompt: 'none login' },
        'a nonce of 257 characters': { nonce: 'x'.repeat(257) },
        'an age below zero': { max_age: '-1' },
        'a connection of nobody’s': { connection: 'con_nobody' },
        'a connection that is a path': { connection: '../x' },
        'another response mode': { response_mode: 'form_post' },
        'no response type': { response_type: undefined },
        'a login hint with a line end': { login_hint: 'a\nb' },
        'a thumbprint that is none': { dpop_jkt: 'x' },
      },
      '302 to the client with invalid_request',
    ),
    ...asked(
      {
        'a token instead of a code': { response_type: 'token' },
        'a hybrid': { response_type: 'code token' },
        'an ID token': { response_type: 'id_token' },
      },
      '302 to the client with unsupported_response_type',
    ),
    ...asked({ 'a request object': { request: 'x.y.z' } }, '302 to the client with request_not_supported'),
    attack(
      'a request object that we should fetch',
      (w) => authorize(w, { request_uri: `${w.canary.url}/request` }),
      '302 to the client with request_uri_not_supported',
    ),
    ...asked(
      {
        'a scope that the client lacks': { scope: 'openid tenant:manage' },
        'an operator’s scope': { scope: 'openid platform:read' },
      },
      '302 to the client with invalid_scope',
    ),
    ...asked(
      { 'another resource': { resource: 'https://other.example' } },
      '302 to the client with invalid_target',
    ),
    attack(
      'by POST',
      (w) => w.at('/oauth2/authorize', form({ client_id: 'x' })),
      '405 gateway: The current request is matched to the defined url template "/oauth2/authorize" but its http method is not allowed',
    ),
  ],
}
