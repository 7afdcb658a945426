import assert from 'node:assert/strict'
import { type AttackGroup, attack, attacks } from '../attack.ts'
import { jsonOf, type Seen } from '../support/answer.ts'
import { signed } from '../support/forge.ts'
import { ATTACKER, type World } from '../support/world.ts'
import { below, by } from './callers.ts'

/** The attacker is an administrator of its own tenant, and may connect an identity provider there. */
const connect = (w: World, issuer: string): Promise<Seen> =>
  by(w, 'attacker', 'POST', `/v1/tenants/${ATTACKER}/connections`, { issuer, clientId: 'x' })

const REFUSED = '400 issuer.invalid'

export const outbound: AttackGroup = {
  title: 'Addresses that we would call (SSRF)',
  aim: 'Have us call what only we can reach: the metadata server, our own functions, the network we run in.',
  sent: 'As `issuer` of a new connection, by the administrator of a tenant; a server inside waits to be called.',
  places: ['answer'],
  never: 'No byte reaches an address inside, and the answer does not tell what is there.',
  attacks: [
    ...attacks(
      {
        loopback: 'https://127.0.0.1',
        'loopback without TLS': 'http://127.0.0.1',
        'the name of loopback': 'https://localhost',
        'a name below localhost': 'https://x.localhost',
        'loopback in the other family': 'https://[::1]',
        'loopback as a mapped address': 'https://[::ffff:127.0.0.1]',
        'loopback as a mapped address in hexadecimal': 'https://[::ffff:7f00:1]',
        'loopback as a compatible address': 'https://[::127.0.0.1]',
        'loopback behind NAT64': 'https://[64:ff9b::7f00:1]',
        'loopback behind 6to4': 'https://[2002:7f00:1::]',
        'loopback behind Teredo': 'https://[2001:0:7f00:1::]',
        'loopback as one number': 'https://2130706433',
        'loopback in hexadecimal': 'https://0x7f000001',
        'loopback in octal': 'https://0177.0.0.1',
        'loopback in short': 'https://127.1',
        'loopback with a dot behind it': 'https://127.0.0.1.',
        'any address': 'https://0.0.0.0',
        'any address of the other family': 'https://[::]',
        'the metadata server': 'https://169.254.169.254',
        'the metadata server by name': 'https://metadata.google.internal',
        'the metadata server by name, with a dot': 'https://metadata.google.internal.',
        'the metadata server without TLS': 'http://metadata.google.internal/computeMetadata/v1',
        'a private network': 'https://10.0.0.1',
        'another private network': 'https://172.16.0.1',
        'a third private network': 'https://192.168.0.1',
        'the network of carriers': 'https://100.64.0.1',
        'link-local in the other family': 'https://[fe80::1]',
        'unique local': 'https://[fd00::1]',
        multicast: 'https://224.0.0.1',
        'the address of everybody': 'https://255.255.255.255',
        'digits of another script': 'https://①②⑦.⓪.⓪.①',
        'a name without a dot': 'https://intranet',
        'a name of a local network': 'https://printer.local',
        'another port': 'https://idp.example:8443',
        'without TLS': 'http://idp.example',
        'a file': 'file:///etc/passwd',
        gopher: 'gopher://127.0.0.1:6379/_x',
        'a user in it': 'https://user:password@idp.example',
        'our host as its user': 'https://127.0.0.1@idp.example',
        'a query': 'https://idp.example?x=1',
        'a fragment': 'https://idp.example#x',
        'a backslash': 'https://idp.example\\@127.0.0.1',
        'a line end': 'https://idp.example\r\nhost: x',
        'a space': 'https://idp .example',
        'no URL': 'x',
      },
      connect,
      REFUSED,
    ),
    attack('a server of ours without TLS', (w) => connect(w, w.canary.url), REFUSED),
    attack('a server of ours by TLS', (w) => connect(w, w.canary.url.replace('http:', 'https:')), REFUSED),
    attack('the gateway itself', (w) => connect(w, w.base), REFUSED),
    attack(
      'a function, past the gateway',
      (w) => connect(w, w.stack.info().functions['auth']?.url ?? ''),
      REFUSED,
    ),
    attack('the document store', (w) => connect(w, `http://${w.stack.info().firestoreHost}`), REFUSED),
    attack(
      'a host that may be called, by another of its names',
      (w) => connect(w, w.stack.info().idp.issuer.replace('127.0.0.1', '2130706433')),
      REFUSED,
    ),
    attack(
      'a host that may be called, with a way to another',
      (w) =>
        connect(w, w.stack.info().idp.issuer.replace('http://', `http://${new URL(w.canary.url).host}@`)),
      REFUSED,
    ),
    attack(
      'a host that may be called, that says to be another issuer',
      (w) => connect(w, `${w.stack.info().idp.issuer}/`),
      REFUSED,
    ),
    attack(
      'an issuer of three thousand characters',
      (w) => connect(w, `https://idp.example/${'x'.repeat(3_000)}`),
      '400 request.malformed',
    ),
    ...attacks<(w: World) => string>(
      {
        'keys of a client from inside, without TLS': (w) => w.canary.url,
        'keys of a client with a user in the address': () => 'https://user@keys.example/jwks',
        'keys of a client from a file': () => 'file:///etc/passwd',
      },
      (w, uri) =>
        by(w, 'victim', 'POST', below('/clients'), {
          scopes: ['tenant:read'],
          authMethod: 'private_key_jwt',
          jwksUri: uri(w),
        }),
      '400 request.malformed',
    ),
    ...attacks<(w: World) => string>(
      {
        'keys of a client from inside, fetched at its first assertion': (w) =>
          w.canary.url.replace('http:', 'https:'),
        'keys of a client from the metadata server': () => 'https://169.254.169.254/jwks',
        'keys of a client from loopback as a mapped address': () => 'https://[::ffff:7f00:1]/jwks',
      },
      async (w, uri) => {
        const made = await by(w, 'attacker', 'POST', `/v1/tenants/${ATTACKER}/clients`, {
          scopes: ['tenant:read'],
          authMethod: 'private_key_jwt',
          jwksUri: uri(w),
        })
        assert.equal(made.said, '201')
        const id = String(jsonOf(made.body)['clientId'])
        const claims = { iss: id, sub: id, aud: w.base, exp: w.now() + 60, jti: 'x' }
        return w.ask({
          grant_type: 'client_credentials',
          client_assertion: signed({ alg: 'ES256', kid: 'x' }, claims, w.mine),
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        })
      },
      // Its own keys cannot be read: that is nobody's fault but the client's, and may pass.
      '503 oauth temporarily_unavailable',
      { leaves: 'the client' },
    ),
    ...attacks(
      {
        'a domain that is an address': '127.0.0.1',
        'a domain of a public suffix': 'com',
        'a domain inside': 'metadata.google.internal',
        'a domain with a path': 'evil.example/x',
        'a domain with an escape': 'evil%2eexample',
        'a domain with a line end': 'evil.example\n',
      },
      (w, domain) => by(w, 'attacker', 'POST', `/v1/tenants/${ATTACKER}/domains`, { domain }),
      '400 domain.invalid',
    ),
  ],
}
