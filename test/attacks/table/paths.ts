import { type AttackGroup, attack, attacks } from '../attack.ts'
import { bearer } from '../support/send.ts'
import { ATTACKER, VICTIM, type World } from '../support/world.ts'

const NOWHERE = '404 gateway: The current request is not defined by this API.'
const BAD = '400 gateway: Bad Request'
const MALFORMED = '400 request.malformed'
const MISSING = '404 resource.not_found'

/** Asked for by the attacker with its own token, then by the victim's own: no alias may reach the record. */
async function ask(w: World, spelling: string) {
  const path = `/v1/tenants/${spelling}`
  return [
    await w.at(path, { headers: bearer(w.tokens.attacker) }),
    await w.at(path, { headers: bearer(w.tokens.victim) }),
  ]
}

const utf8 = (text: string): string => encodeURIComponent(text)

export const tenantPaths: AttackGroup = {
  title: 'Other ways to write a tenant’s id in a path',
  aim: 'Have the check see one tenant and the store another: case, escapes, dots, slashes, look-alike letters.',
  sent: `\`GET /v1/tenants/…\` for \`${VICTIM}\`, through the gateway: first with the attacker's token, then with the victim's own.`,
  places: ['attacker', 'victim'],
  never: 'Nobody gets the record under another name than its own.',
  attacks: [
    ...attacks(
      {
        capitals: 'GLOBEX',
        'one capital': 'Globex',
        'a space behind it': 'globex%20',
        'a space before it': '%20globex',
        'a tab': 'globex%09',
        'a line end': 'globex%0a',
        'a percent-encoded slash': 'globex%2f',
        'a percent-encoded way up': `${ATTACKER}%2f..%2f${VICTIM}`,
        'a way up encoded twice': `${ATTACKER}%252f..%252f${VICTIM}`,
        'a letter encoded twice': '%2567lobex',
        'a semicolon and a parameter': 'globex;x=1',
        'a comma and another': `${VICTIM},${ATTACKER}`,
        'a colon': 'globex:x',
        'an at sign': 'globex@x',
        'an asterisk': '*',
        'the name of the parameter': ':tenantId',
        'the template itself': '%7BtenantId%7D',
        'fullwidth letters': utf8('ｇｌｏｂｅｘ'),
        'a Cyrillic о': utf8('glоbex'),
        'a letter with an accent': utf8('glöbex'),
        'a combining accent': utf8('globex\u0301'),
        'a zero-width space': utf8('glo\u200bbex'),
        'a zero-width joiner': utf8('globex\u200d'),
        'a soft hyphen': utf8('glo\u00adbex'),
        'a right-to-left override': utf8('\u202eglobex'),
        'a byte order mark': utf8('\ufeffglobex'),
        'a mathematical g': utf8('𝗀lobex'),
        'an emoji': utf8('globex🙂'),
        'the Kelvin sign': utf8('globe\u212a'),
        __proto__: '__proto__',
        constructor: 'constructor',
        'another tenant’s namespace': 'tenant-globex',
        'a hyphen before it': '-globex',
        'a hyphen behind it': 'globex-',
        'two hundred characters': 'g'.repeat(200),
        'a reserved id': 'platform',
        'an id of a document': 'globex.auth_state',
        'a quotation mark': 'globex%22',
        'a backtick': 'globex%60',
      },
      ask,
      [MISSING, MISSING],
    ),
    ...attacks(
      {
        'a backslash': 'mallory\\x',
        'a document below it': 'globex/auth_state/current',
      },
      ask,
      [NOWHERE, NOWHERE],
    ),
    attack('two thousand characters', (w) => ask(w, 'g'.repeat(2_000)), [
      '404 request.not_found',
      '404 request.not_found',
    ]),
    // The list of all tenants, which is for operators.
    attack('nothing', (w) => ask(w, ''), ['403 token.insufficient_scope', '403 token.insufficient_scope']),
    attack('a NUL', (w) => ask(w, 'globex%00'), [BAD, BAD]),
    ...attacks(
      {
        'a percent sign alone': 'globex%',
        'a bad escape': 'globex%zz',
        'an overlong slash': 'globex%c0%af',
        'invalid UTF-8': 'globex%ff',
        'half of a surrogate pair': 'globex%ed%a0%80',
      },
      ask,
      [MALFORMED, MALFORMED],
    ),
    ...attacks(
      {
        'a letter as an escape': 'glo%62ex',
        'a way up by dots': `${ATTACKER}/../${VICTIM}`,
        'a way up by escaped dots': `${ATTACKER}/%2e%2e/${VICTIM}`,
        'a way up by backslashes': `${ATTACKER}\\..\\${VICTIM}`,
        'a step that goes nowhere': `./${VICTIM}`,
        'two slashes': `/${VICTIM}`,
        'a slash behind it': `${VICTIM}/`,
        'another tenant in the query': `${VICTIM}?tenantId=${ATTACKER}`,
      },
      ask,
      // One way to read a path, before anything is checked: then the check is of what is served.
      [MISSING, '200'],
    ),
    attack(
      'a way up out of a public path',
      (w) => w.at(`/.well-known/../v1/tenants/${VICTIM}`),
      '401 gateway: Jwt is missing',
    ),
    attack(
      'a fragment',
      (w) => w.at(`/v1/tenants/${VICTIM}#x`, { headers: bearer(w.tokens.victim) }),
      '400 gateway: Path cannot contain fragment identifier (#)',
    ),
    attack(
      'an absolute target with another host',
      (w) => w.at(`http://evil.example/v1/tenants/${VICTIM}`, { headers: bearer(w.tokens.attacker) }),
      MISSING,
    ),
    attack('no path but a host', (w) => w.at('evil.example:80', { headers: bearer(w.tokens.attacker) }), BAD),
  ],
}
