import { randomBytes } from 'node:crypto'
import type { Credentials } from '#local/stack/api-client.ts'
import { newClientSecret } from '../../../functions/auth/domain/client-secret.ts'
import { type Attack, type AttackGroup, attack, attacks } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { basic, type Fields, form } from '../support/send.ts'
import { ATTACKER, VICTIM, type World } from '../support/world.ts'

const REFUSED = '401 oauth invalid_client'
const MALFORMED = '400 oauth invalid_request'
const GRANT = { grant_type: 'client_credentials' }

/** A wrong proof, then the right one: whoever guesses must not lock out the client. */
async function wrongThenRight(w: World, wrong: Promise<Seen>): Promise<Seen[]> {
  return [await wrong, await w.ask({ ...GRANT, scope: 'tenant:read' }, w.victim.machine)]
}
const RIGHT = '200 token of tenant:read'

const byBasic = (rows: Readonly<Record<string, (w: World) => Credentials>>, answer = REFUSED): Attack[] =>
  attacks(rows, (w, credentials) => wrongThenRight(w, w.ask(GRANT, credentials(w))), [answer, RIGHT])

const byHeader = (rows: Readonly<Record<string, (w: World) => string>>, answer = REFUSED): Attack[] =>
  attacks(rows, (w, value) => wrongThenRight(w, w.ask(GRANT, undefined, [['authorization', value(w)]])), [
    answer,
    RIGHT,
  ])

const byForm = (
  rows: Readonly<Record<string, (w: World) => Readonly<Record<string, string>>>>,
  answer: string,
  headers: (w: World) => Fields = () => [],
): Attack[] =>
  attacks(rows, (w, fields) => wrongThenRight(w, w.ask({ ...GRANT, ...fields(w) }, undefined, headers(w))), [
    answer,
    RIGHT,
  ])

const id = (w: World): string => w.victim.machine.clientId
const secret = (w: World): string => w.victim.machine.clientSecret
const some = (): string => newClientSecret(randomBytes(32))
const b64 = (text: string): string => Buffer.from(text).toString('base64')

export const clientSecrets: AttackGroup = {
  title: 'A client’s id without its secret',
  aim: 'Be a client by guessing, by mixing ways of authentication, or by what two parsers read differently.',
  sent: '`POST /oauth2/token` for a machine of the victim; then the machine itself with the right secret.',
  places: ['answer', 'the machine itself'],
  never: 'No token is given, and nobody is locked out.',
  attacks: [
    ...byBasic({
      'a secret that is well formed': (w) => ({ clientId: id(w), clientSecret: some() }),
      'a secret with one letter changed': (w) => ({ clientId: id(w), clientSecret: withLast(secret(w)) }),
      'the secret of another client of the tenant': (w) => ({
        clientId: id(w),
        clientSecret: w.victim.modest.clientSecret,
      }),
      'the secret of a client of another tenant': (w) => ({
        clientId: id(w),
        clientSecret: w.attacker.machine.clientSecret,
      }),
      'an empty secret': (w) => ({ clientId: id(w), clientSecret: '' }),
      'the secret in capitals': (w) => ({ clientId: id(w), clientSecret: secret(w).toUpperCase() }),
      'the secret with a space behind it': (w) => ({ clientId: id(w), clientSecret: `${secret(w)} ` }),
      'the secret with a NUL behind it': (w) => ({ clientId: id(w), clientSecret: `${secret(w)}%00` }),
      'the secret without its checksum': (w) => ({ clientId: id(w), clientSecret: secret(w).slice(0, -6) }),
      'an API key for a secret': (w) => ({ clientId: id(w), clientSecret: w.apiKeys.victim }),
      'an access token for a secret': (w) => ({ clientId: id(w), clientSecret: w.tokens.victim }),
      'the id in capitals': (w) => ({ clientId: id(w).toUpperCase(), clientSecret: secret(w) }),
      'the id of nobody': (w) => ({ clientId: `cid_${VICTIM}_0000000000000000`, clientSecret: secret(w) }),
      'the id in another tenant': (w) => ({
        clientId: id(w).replace(VICTIM, ATTACKER),
        clientSecret: secret(w),
      }),
      'the id of a tenant that does not exist': (w) => ({
        clientId: id(w).replace(VICTIM, 'nobody-here'),
        clientSecret: secret(w),
      }),
      'the id with a path': (w) => ({
        clientId: `cid_${VICTIM}/x_0000000000000000`,
        clientSecret: secret(w),
      }),
      'the id with a space before it': (w) => ({ clientId: `+${id(w)}`, clientSecret: secret(w) }),
      'an id of look-alike letters': (w) => ({
        clientId: id(w).replace('o', '%D0%BE'),
        clientSecret: secret(w),
      }),
      'an id of ten thousand characters': (w) => ({ clientId: 'c'.repeat(5_000), clientSecret: secret(w) }),
      'a person’s id': (w) => ({ clientId: w.people.of.owner.userId, clientSecret: secret(w) }),
      'a client that has a key and no secret': (w) => ({
        clientId: w.victim.asserting.clientId,
        clientSecret: some(),
      }),
      'a public client': (w) => ({ clientId: w.people.app, clientSecret: some() }),
    }),
    ...byHeader({
      'no colon': (w) => `Basic ${b64(id(w))}`,
      'no base64': () => 'Basic ***',
      'base64 of the URL alphabet': () => `Basic ${Buffer.from([0xfb, 0xff, 0xfe]).toString('base64url')}`,
      'a bad escape': (w) => `Basic ${b64(`${id(w)}:%zz`)}`,
      'the scheme Bearer': (w) => `Bearer ${w.tokens.victim}`,
      'the scheme Digest': (w) => `Digest ${b64(`${id(w)}:${secret(w)}`)}`,
      'no scheme': (w) => b64(`${id(w)}:${secret(w)}`),
      'two credentials in one header': (w) =>
        `Basic ${b64(`${id(w)}:x`)}, Basic ${b64(`${id(w)}:${secret(w)}`)}`,
      'two spaces': (w) => `Basic  ${b64(`${id(w)}:${secret(w)}`)}`,
    }),
    ...byForm(
      {
        'no client at all': () => ({}),
        'an id alone, as a public client': (w) => ({ client_id: id(w) }),
        'an id and an empty secret': (w) => ({ client_id: id(w), client_secret: '' }),
        'a wrong secret in the form': (w) => ({ client_id: id(w), client_secret: some() }),
        'a public client by its id, for a token of its own': (_w) => ({
          client_id: `cid_${VICTIM}_0000000000000000`,
        }),
      },
      REFUSED,
    ),
    ...byForm(
      {
        'a secret in the header and another in the form': (w) => ({
          client_id: id(w),
          client_secret: some(),
        }),
        'the right secret in both': (w) => ({ client_id: id(w), client_secret: secret(w) }),
        'another id in the form': (w) => ({ client_id: w.victim.modest.clientId }),
        'an assertion beside it': () => ({ client_assertion: 'x', client_assertion_type: 'x' }),
      },
      MALFORMED,
      (w) => basic(id(w), secret(w)),
    ),
    attack(
      'the secret in the URL',
      (w) =>
        wrongThenRight(w, w.at(`/oauth2/token?client_id=${id(w)}&client_secret=${secret(w)}`, form(GRANT))),
      [MALFORMED, RIGHT],
    ),
    attack(
      'two ids in the form, as two parsers would read them',
      (w) =>
        wrongThenRight(
          w,
          w.ask(
            `grant_type=client_credentials&client_id=${id(w)}&client_id=${w.attacker.machine.clientId}&client_secret=${w.attacker.machine.clientSecret}`,
          ),
        ),
      [MALFORMED, RIGHT],
    ),
    attack(
      'a public client that is there, for a token of its own',
      (w) => wrongThenRight(w, w.ask({ ...GRANT, client_id: w.people.app })),
      ['400 oauth unauthorized_client', RIGHT],
    ),
    ...attacks(
      {
        'the password grant': 'password',
        'the implicit grant': 'implicit',
        'a device code': 'urn:ietf:params:oauth:grant-type:device_code',
        SAML: 'urn:ietf:params:oauth:grant-type:saml2-bearer',
        'a grant in capitals': 'CLIENT_CREDENTIALS',
      },
      (w, grant_type) =>
        wrongThenRight(w, w.ask({ grant_type, username: 'x', password: 'x' }, w.victim.machine)),
      ['400 oauth unsupported_grant_type', RIGHT],
    ),
    attack(
      'a grant that the client was not given',
      (w) => wrongThenRight(w, w.ask({ grant_type: 'refresh_token', refresh_token: 'x' }, w.victim.machine)),
      ['400 oauth unauthorized_client', RIGHT],
    ),
    attack(
      'eleven wrong secrets in a row, each from another address by its own word',
      async (w) => {
        const target = w.victim.bound
        const last: Seen[] = []
        for (let at = 0; at < 12; at += 1) {
          last.push(
            await w.ask(GRANT, { ...target, clientSecret: some() }, [
              ['x-forwarded-for', `198.51.100.${at}`],
            ]),
          )
        }
        return [...last.slice(9, 12), await w.ask(GRANT, target)]
      },
      // The right secret is taken all the same; what it lacks is the proof of a key.
      [
        REFUSED,
        '429 oauth temporarily_unavailable',
        '429 oauth temporarily_unavailable',
        '400 oauth invalid_dpop_proof',
      ],
    ),
  ],
}

function withLast(text: string): string {
  return `${text.slice(0, -8)}${text.at(-8) === 'A' ? 'B' : 'A'}${text.slice(-7)}`
}
