import { gzipSync } from 'node:zlib'
import { type AttackGroup, attack, attacks } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { basic, bearer, type Call, FORM, sendRaw } from '../support/send.ts'
import { VICTIM, type World } from '../support/world.ts'

const TOKEN = '/oauth2/token'
const CLIENTS = `/v1/tenants/${VICTIM}/clients`
const GOOD = 'grant_type=client_credentials'

const askRaw = (w: World, body: string | Buffer, type = FORM, more: Call['headers'] = []): Promise<Seen> => {
  const { clientId, clientSecret } = w.victim.machine
  return w.at(TOKEN, {
    ...{ method: 'POST', body },
    headers: [
      ...(type === '' ? [] : [['content-type', type] as const]),
      ...basic(clientId, clientSecret),
      ...more,
    ],
  })
}
/** A request below HTTP libraries; `host` and the end of the headers are added. */
const raw = (w: World, head: readonly string[], body = ''): Promise<Seen> =>
  sendRaw(w.base, `${head.join('\r\n')}\r\nhost: x\r\nconnection: close\r\n\r\n${body}`)

export const malformedForms: AttackGroup = {
  title: 'Forms that are oversized or malformed',
  aim: 'Break the parser, fill the memory, or have two parsers read two requests.',
  sent: '`POST /oauth2/token` with the right credentials of a machine of the victim.',
  places: ['answer'],
  never: 'No token is given, and the next request is answered as ever.',
  attacks: [
    ...attacks(
      {
        nothing: '',
        'no grant': 'scope=tenant:read',
        'two grants': `${GOOD}&${GOOD}`,
        'a parameter twice, once empty': `${GOOD}&scope=&scope=tenant:read`,
        'a parameter twice, once escaped': `${GOOD}&gr%61nt_type=password`,
        'a bad escape': `${GOOD}&x=%zz`,
        'half an escape': `${GOOD}&x=%2`,
        'a NUL': `${GOOD}&x=%00`,
        'a NUL as a byte': `${GOOD}&x=\0`,
        'invalid UTF-8': `${GOOD}&x=%ff`,
        'an overlong letter': `${GOOD}&x=%c0%af`,
        'half of a surrogate pair': `${GOOD}&x=%ed%a0%80`,
        'a line end as a byte': `${GOOD}\r\n`,
        'letters that are not escaped': `${GOOD}&x=ü`,
        'thirty-three parameters': [GOOD, ...Array.from({ length: 32 }, (_, at) => `p${at}=1`)].join('&'),
        JSON: '{"grant_type":"client_credentials"}',
      },
      (w, body) => askRaw(w, body),
      '400 oauth invalid_request',
    ),
    attack(
      'parameters that nobody knows',
      (w) => askRaw(w, `${GOOD}&scope=tenant:read&__proto__=x&constructor=x&x=1`),
      '200 token of tenant:read',
    ),
    attack(
      'separators that are no `&`',
      (w) => askRaw(w, `${GOOD};scope=tenant:read`),
      '400 oauth unsupported_grant_type',
    ),
    attack(
      'a name in brackets',
      (w) => askRaw(w, 'grant_type[]=client_credentials'),
      '400 oauth invalid_request',
    ),
    ...attacks(
      {
        JSON: 'application/json',
        'a multipart form': 'multipart/form-data; boundary=x',
        text: 'text/plain',
        nothing: '',
        XML: 'application/xml',
        'two types': `${FORM}, application/json`,
      },
      (w, type) => askRaw(w, GOOD, type),
      '415 oauth invalid_request',
    ),
    ...attacks(
      {
        'UTF-16': `${FORM};charset=utf-16`,
        'Latin-1': `${FORM}; charset=iso-8859-1`,
        'two charsets': `${FORM};charset=utf-8;charset=utf-16`,
      },
      (w, type) => askRaw(w, GOOD, type),
      '400 oauth invalid_request',
    ),
    ...attacks(
      { gzip: 'gzip', br: 'br', 'identity and gzip': 'identity, gzip' },
      (w, encoding) => askRaw(w, gzipSync(GOOD), FORM, [['content-encoding', encoding]]),
      '415 request.unsupported_media_type',
    ),
    attack(
      'two types in two headers',
      (w) => askRaw(w, GOOD, FORM, [['content-type', 'application/json']]),
      '400 oauth invalid_request',
    ),
    attack(
      'seventeen kibibytes',
      (w) => askRaw(w, `${GOOD}&x=${'x'.repeat(17 * 1024)}`),
      '413 oauth invalid_request',
    ),
    attack(
      'a megabyte',
      (w) => askRaw(w, `${GOOD}&x=${'x'.repeat(1024 * 1024)}`),
      '413 oauth invalid_request',
    ),
    attack(
      'a megabyte in pieces',
      (w) => askRaw(w, `${GOOD}&x=${'x'.repeat(1024 * 1024)}`, FORM, [['transfer-encoding', 'chunked']]),
      '413 oauth invalid_request',
    ),
    attack(
      'a body of a gigabyte, by its own word',
      (w) => raw(w, [`POST ${TOKEN} HTTP/1.1`, `content-type: ${FORM}`, 'content-length: 1073741824']),
      '413 gateway: Payload Too Large',
    ),
    attack(
      'a length below zero',
      (w) => raw(w, [`POST ${TOKEN} HTTP/1.1`, 'content-length: -1'], 'x'),
      '400 gateway: Bad Request',
    ),
    attack(
      'a length and pieces at once',
      (w) =>
        raw(w, [`POST ${TOKEN} HTTP/1.1`, 'content-length: 4', 'transfer-encoding: chunked'], '0\r\n\r\n'),
      '400 gateway: Bad Request',
    ),
    attack(
      'two lengths',
      (w) => raw(w, [`POST ${TOKEN} HTTP/1.1`, 'content-length: 4', 'content-length: 5'], 'xxxxx'),
      '400 gateway: Bad Request',
    ),
    attack(
      'pieces of an encoding that nobody knows',
      (w) => raw(w, [`POST ${TOKEN} HTTP/1.1`, 'transfer-encoding: xchunked'], 'x'),
      '400 gateway: Bad Request',
    ),
    attack(
      'a header over two lines',
      (w) => raw(w, ['GET /health HTTP/1.1', 'x-a: b', ' c']),
      '400 gateway: Bad Request',
    ),
    attack(
      'a header without a name',
      (w) => raw(w, ['GET /health HTTP/1.1', ': x']),
      '400 gateway: Bad Request',
    ),
    attack(
      'a space before the colon',
      (w) => raw(w, ['GET /health HTTP/1.1', 'authorization : Bearer x']),
      '400 gateway: Bad Request',
    ),
    attack(
      'no HTTP',
      (w) => sendRaw(w.base, '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n'),
      '400 gateway: Bad Request',
    ),
    attack(
      'two hosts',
      (w) => raw(w, ['GET /health HTTP/1.1', 'host: evil.example']),
      '400 gateway: Bad Request',
    ),
    attack(
      'a header of nine kibibytes',
      (w) => w.at('/health', { headers: [['x-long', 'x'.repeat(9 * 1024)]] }),
      '431 request.headers_too_large',
    ),
    attack(
      'two hundred headers',
      (w) => w.at('/health', { headers: Array.from({ length: 200 }, (_, at) => [`x-${at}`, '1']) }),
      '431 request.headers_too_large',
    ),
    attack(
      'a URL of nine kibibytes',
      (w) => w.at(`/health?x=${'x'.repeat(9 * 1024)}`),
      '400 gateway: Path is too long, max allowed size is 8192.',
    ),
    attack(
      'a query parameter twice',
      (w) => w.at('/v1/revocations?waitSeconds=0&waitSeconds=25', { headers: bearer(w.tokens.victim) }),
      '400 request.malformed',
    ),
    ...attacks(
      {
        'a page of a thousand': 'pageSize=1000',
        'a page of none': 'pageSize=0',
        'a page below zero': 'pageSize=-1',
        'a page with a fraction': 'pageSize=1.5',
        'a page in another base': 'pageSize=0x10',
        'a page token that is none': 'pageToken=x',
        'a page token of four thousand characters': `pageToken=${'A'.repeat(4_000)}`,
      },
      (w, query) => w.at(`${CLIENTS}?${query}`, { headers: bearer(w.tokens.victim) }),
      '400 request.malformed',
    ),
  ],
}
