import { type Attack, type AttackGroup, attack, attacks } from '../attack.ts'
import { EXCHANGE, TOKEN_TYPE } from '../support/world.ts'

/** What a client of the victim asks for beyond what it has. */
const asked = (scopes: Readonly<Record<string, string>>, answer: string): Attack[] =>
  attacks(scopes, (w, scope) => w.ask({ grant_type: 'client_credentials', scope }, w.victim.modest), answer)

export const scopes: AttackGroup = {
  title: 'More scopes than were given',
  aim: 'Ask for what one does not hold, at the token endpoint and by every way of making tokens out of tokens.',
  sent: 'By a client that holds `tenant:read` alone, unless the row says otherwise.',
  places: ['answer'],
  never: 'No token says more than its client, its person and its subject token allow.',
  attacks: [
    ...asked(
      {
        'another scope': 'tenant:manage',
        'another scope beside its own': 'tenant:read tenant:manage',
        'an operator’s scope': 'platform:tenants',
        'all of them': '*',
        'a prefix of scopes': 'tenant:',
        'its scope in capitals': 'TENANT:READ',
        'a scope that nobody knows': 'everything',
        'two spaces': 'tenant:read  tenant:manage',
        'a tab': 'tenant:read\ttenant:manage',
        'a line end': 'tenant:read\ntenant:manage',
        'a comma': 'tenant:read,tenant:manage',
        'a quotation mark': 'tenant:read"',
        'letters that are no ASCII': 'tenant:réad',
        'a space before it': ' tenant:read',
        'sixty-five scopes': Array.from({ length: 65 }, (_, at) => `s${at}`).join(' '),
        'the scope `openid`, of a machine': 'openid',
      },
      '400 oauth invalid_scope',
    ),
    attack(
      'its scope twice',
      (w) => w.ask({ grant_type: 'client_credentials', scope: 'tenant:read tenant:read' }, w.victim.modest),
      '200 token of tenant:read',
    ),
    attack(
      'two `scope` parameters',
      (w) =>
        w.ask('grant_type=client_credentials&scope=tenant%3Aread&scope=tenant%3Amanage', w.victim.modest),
      '400 oauth invalid_request',
    ),
    attack(
      'a wider scope at a refresh',
      (w) =>
        w.ask({
          grant_type: 'refresh_token',
          refresh_token: w.people.of.owner.refreshToken,
          client_id: w.people.app,
          scope: 'tenant:read users:manage',
        }),
      '400 oauth invalid_scope',
    ),
    attack(
      'a wider scope by an exchange',
      (w) =>
        w.ask(
          {
            grant_type: EXCHANGE,
            subject_token: w.tokens.modest,
            subject_token_type: `${TOKEN_TYPE}access_token`,
            scope: 'tenant:manage',
          },
          w.victim.machine,
        ),
      '400 oauth invalid_scope',
    ),
    attack(
      'no scope named, by an exchange through a client that holds more',
      (w) =>
        w.ask(
          {
            grant_type: EXCHANGE,
            subject_token: w.tokens.modest,
            subject_token_type: `${TOKEN_TYPE}access_token`,
          },
          w.victim.machine,
        ),
      '200 token of tenant:read',
    ),
    attack(
      'the scopes of another’s token, by an exchange through a client that holds less',
      (w) =>
        w.ask(
          {
            grant_type: EXCHANGE,
            subject_token: w.tokens.victim,
            subject_token_type: `${TOKEN_TYPE}access_token`,
          },
          w.victim.modest,
        ),
      '200 token of tenant:read',
    ),
    ...attacks<Readonly<Record<string, string>>>(
      {
        'another audience': { audience: 'https://other.example' },
        'another resource': { resource: 'https://other.example' },
        'a resource with a fragment': { resource: 'https://other.example/#x' },
        'our issuer with a slash': { resource: 'http://127.0.0.1/' },
      },
      (w, more) => w.ask({ grant_type: 'client_credentials', ...more }, w.victim.modest),
      '400 oauth invalid_target',
    ),
    attack(
      'our audience and another',
      (w) =>
        w.ask(
          `grant_type=client_credentials&audience=${encodeURIComponent(w.base)}&audience=https%3A%2F%2Fother.example`,
          w.victim.modest,
        ),
      '400 oauth invalid_target',
    ),
    ...attacks(
      {
        'a scope of a person’s role that the client lacks': 'openid clients:manage',
        'a scope of the client that the person’s role lacks': 'openid sessions:manage',
      },
      async (w, scope) => {
        const browser = w.people.browser('viewer')
        const ended = await browser.follow(w.people.authorizeUrl({ scope }), 'http://127.0.0.1:1/')
        return {
          status: 302,
          headers: {},
          body: '',
          said: new URL(ended.url).searchParams.get('error') ?? 'a code',
        }
      },
      'x',
      { leaves: 'the sign-in' },
    ).map((row, at) => ({ ...row, answers: [at === 0 ? 'invalid_scope' : 'access_denied'] })),
  ],
}
