import { gzipSync } from 'node:zlib'
import { type AttackGroup, attack, attacks } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { bearer, type Call, FORM } from '../support/send.ts'
import { VICTIM, type World } from '../support/world.ts'

const CLIENTS = `/v1/tenants/${VICTIM}/clients`

const postRaw = (
  w: World,
  body: string | Buffer,
  type = 'application/json',
  more: Call['headers'] = [],
): Promise<Seen> =>
  w.at(CLIENTS, {
    method: 'POST',
    body,
    headers: [['content-type', type], ...bearer(w.tokens.victim), ...more],
  })

const nested = (depth: number): string =>
  `{"scopes":["tenant:read"],"x":${'['.repeat(depth)}${']'.repeat(depth)}}`

export const malformedJson: AttackGroup = {
  title: 'JSON that is oversized or malformed',
  aim: 'Break the parser, reach a prototype, or have two parsers read two requests.',
  sent: `\`POST ${CLIENTS}\` with a token that may make clients.`,
  places: ['answer'],
  never: 'No client is made.',
  attacks: [
    ...attacks<string | Buffer>(
      {
        nothing: '',
        'no JSON': 'x',
        'half of it': '{"scopes":["tenant:read"]',
        'more behind it': '{"scopes":["tenant:read"]}{}',
        'a comment': '{/**/"scopes":["tenant:read"]}',
        'a comma too many': '{"scopes":["tenant:read",]}',
        'single quotes': "{'scopes':['tenant:read']}",
        NaN: '{"scopes":["tenant:read"],"dpopRequired":NaN}',
        'a byte order mark': '\ufeff{"scopes":["tenant:read"]}',
        'UTF-16': Buffer.from('{"scopes":["tenant:read"]}', 'utf16le'),
        'invalid UTF-8': Buffer.concat([
          Buffer.from('{"scopes":["tenant:read"],"name":"'),
          Buffer.from([0xff]),
          Buffer.from('"}'),
        ]),
        'a lone surrogate': '{"scopes":["tenant:read"],"name":"\\ud800"}',
        'a NUL in a name': '{"scopes":["tenant:read"],"name":"a\\u0000b"}',
        'a line end in a name': '{"scopes":["tenant:read"],"name":"a\\nb"}',
        'a right-to-left override in a name': '{"scopes":["tenant:read"],"name":"a\\u202eb"}',
        'a member twice': '{"scopes":["tenant:read"],"scopes":["tenant:manage"]}',
        'a member twice, once escaped': '{"scopes":["tenant:read"],"sc\\u006fpes":["tenant:manage"]}',
        __proto__: '{"scopes":["tenant:read"],"__proto__":{"status":"active"}}',
        constructor: '{"scopes":["tenant:read"],"constructor":{"prototype":{}}}',
        'a list': '[{"scopes":["tenant:read"]}]',
        null: 'null',
        'a text': '"x"',
        'depth of ten': nested(10),
        'depth of five thousand': nested(5_000),
        'a number beyond all numbers': '{"scopes":["tenant:read"],"x":1e400}',
        'a member that nobody knows': '{"scopes":["tenant:read"],"clientId":"cid_globex_0000000000000000"}',
        'the secret by the caller': '{"scopes":["tenant:read"],"clientSecret":"x"}',
        'another tenant in the body': '{"scopes":["tenant:read"],"tenantId":"mallory"}',
        'scopes as a text': '{"scopes":"tenant:read"}',
        'scopes as an object': '{"scopes":{"0":"tenant:read","length":1}}',
        'a scope that is a list': '{"scopes":[["tenant:read"]]}',
        'no scopes': '{"scopes":[]}',
        'a name of a hundred and one characters': `{"scopes":["tenant:read"],"name":"${'x'.repeat(101)}"}`,
        'sixty-five scopes': JSON.stringify({ scopes: Array.from({ length: 65 }, () => 'tenant:read') }),
        'a redirect URI that is a script':
          '{"scopes":["tenant:read"],"grants":["authorization_code"],"redirectUris":["javascript:alert(1)"]}',
        'a redirect URI with a wildcard':
          '{"scopes":["tenant:read"],"grants":["authorization_code"],"redirectUris":["https://*.evil.example/"]}',
        'a redirect URI without TLS':
          '{"scopes":["tenant:read"],"grants":["authorization_code"],"redirectUris":["http://app.example/"]}',
        'a redirect URI with a fragment':
          '{"scopes":["tenant:read"],"grants":["authorization_code"],"redirectUris":["https://app.example/#x"]}',
        'a public client with a machine’s grant':
          '{"scopes":["tenant:read"],"authMethod":"none","grants":["client_credentials"]}',
        'a way of authentication that nobody knows':
          '{"scopes":["tenant:read"],"authMethod":"client_secret_jwt"}',
        'a key set with a private key':
          '{"scopes":["tenant:read"],"authMethod":"private_key_jwt","jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}]}}',
        'a key set with a symmetric key':
          '{"scopes":["tenant:read"],"authMethod":"private_key_jwt","jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}}',
      },
      (w, body) => postRaw(w, body),
      '400 request.malformed',
    ),
    ...attacks(
      { text: 'text/plain', 'a form': FORM, 'a patch': 'application/json-patch+json' },
      (w, type) => postRaw(w, '{"scopes":["tenant:read"]}', type),
      '415 request.unsupported_media_type',
    ),
    attack(
      'UTF-16 in name',
      (w) => postRaw(w, '{"scopes":["tenant:read"]}', 'application/json;charset=utf-16'),
      '400 request.malformed',
    ),
    attack(
      'gzip',
      (w) =>
        postRaw(w, gzipSync('{"scopes":["tenant:read"]}'), 'application/json', [
          ['content-encoding', 'gzip'],
        ]),
      '415 request.unsupported_media_type',
    ),
    attack(
      'a hundred kibibytes',
      (w) => postRaw(w, `{"name":"${'x'.repeat(100 * 1024)}"}`),
      '413 request.too_large',
    ),
    attack('a million brackets', (w) => postRaw(w, '['.repeat(60_000)), '400 request.malformed'),
    ...attacks(
      {
        'an `Idempotency-Key` of three hundred characters': 'x'.repeat(300),
        'an empty `Idempotency-Key`': '',
      },
      (w, value) =>
        postRaw(w, '{"scopes":["tenant:read"]}', 'application/json', [['idempotency-key', value]]),
      '400 request.malformed',
    ),
    attack(
      'two `Idempotency-Key`s',
      (w) =>
        postRaw(w, '{"scopes":["tenant:read"]}', 'application/json', [
          ['idempotency-key', 'a'],
          ['idempotency-key', 'b'],
        ]),
      '400 request.malformed',
    ),
    attack(
      'an `Idempotency-Key` with another body',
      async (w) => {
        const key = [['idempotency-key', 'one-key-two-bodies']] as const
        const first = await postRaw(w, '{"scopes":["tenant:read"],"name":"first"}', 'application/json', key)
        return [
          first,
          await postRaw(w, '{"scopes":["tenant:manage"],"name":"second"}', 'application/json', key),
        ]
      },
      ['201', '422 request.idempotency_mismatch'],
      { leaves: 'the first client' },
    ),
  ],
}
