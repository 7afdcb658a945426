import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import { type GuardedFetch, type GuardedReply, GuardRefused } from '../../../functions/auth/ports/outbound.ts'

/** An identity provider in memory that signs whatever it is told, behind the door for outbound calls. */
export type FakeIdp = {
  readonly issuer: string
  readonly fetch: GuardedFetch
  /** Every path that was asked for. */
  readonly asked: string[]
  /** What it answers at the token endpoint, as the forms came. */
  readonly forms: URLSearchParams[]
  /** Claims that replace those it would make; undefined takes one out. */
  claims: Record<string, unknown>
  header: Record<string, unknown>
  /** Members that replace those of the discovery document. */
  metadata: Record<string, unknown>
  userinfo: Record<string, unknown>
  /** Answered in place of the ID token it would make. */
  idToken: string | undefined
  /** How it goes wrong, by path. */
  readonly faults: Map<string, 'down' | 'slow' | 'page' | number | string>
  /** Makes a new key and forgets the old one. */
  rotate(): void
  /** The next token is signed by a key that it does not publish. */
  forge(): void
  /** A token as it would be signed for this client; for logout tokens. */
  sign(claims: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
}

let made = 0

export function fakeIdp(now: () => number, clientId = 'us'): FakeIdp {
  made += 1
  const issuer = `https://idp${made}.example`
  let key = newKey()
  let signer = key
  const sign = (claims: Record<string, unknown>, header: Record<string, unknown> = {}): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: key.kid, ...header }).sign(signer.privateKey)
  const seconds = (): number => Math.floor(now() / 1000)
  const idp: FakeIdp = {
    issuer,
    asked: [],
    forms: [],
    claims: {},
    header: {},
    metadata: {},
    userinfo: {},
    idToken: undefined,
    faults: new Map(),
    rotate: () => {
      key = newKey()
      signer = key
    },
    forge: () => {
      signer = newKey()
    },
    sign,
    fetch: async (url, request) => {
      const { origin, pathname } = new URL(url)
      if (origin !== issuer) throw new GuardRefused('network', 'no such host')
      idp.asked.push(pathname)
      const fault = idp.faults.get(pathname)
      if (fault === 'down') throw new GuardRefused('network', 'ECONNREFUSED')
      if (fault === 'page')
        return { ...json(200, document(issuer)), headers: { 'content-type': 'text/html' } }
      if (fault === 'slow') throw new GuardRefused('time', 'the answer took too long')
      if (typeof fault === 'number') return json(fault, { error: 'server_error' })
      if (typeof fault === 'string') return json(400, { error: fault })
      if (pathname === '/.well-known/openid-configuration')
        return json(200, { ...document(issuer), ...idp.metadata })
      if (pathname === '/jwks') return json(200, { keys: [{ ...key.publicJwk, kid: key.kid, use: 'sig' }] })
      if (pathname === '/userinfo') return json(200, idp.userinfo)
      if (pathname !== '/token') return json(404, {})
      const form = new URLSearchParams(String(request.body === undefined ? '' : Buffer.from(request.body)))
      idp.forms.push(form)
      const claims = {
        iss: issuer,
        aud: clientId,
        sub: 'ada',
        iat: seconds(),
        exp: seconds() + 300,
        auth_time: seconds() - 5,
        email: 'ada@acme.example',
        email_verified: true,
        name: 'Ada',
        groups: ['developer'],
        sid: 'idp-session-1',
        nonce: nonces.get(form.get('code') ?? ''),
        ...idp.claims,
      }
      const token = idp.idToken ?? (await sign(claims, idp.header))
      return json(200, { access_token: 'theirs', token_type: 'Bearer', expires_in: 300, id_token: token })
    },
  }
  return idp
}

const nonces = new Map<string, string>()

/** What the provider's log-in page does: a code for what the browser brought. */
export function codeFor(location: string): { readonly code: string; readonly state: string } {
  const parameters = new URL(location).searchParams
  const code = `code-${nonces.size + 1}`
  nonces.set(code, parameters.get('nonce') ?? '')
  return { code, state: parameters.get('state') ?? '' }
}

function newKey(): { kid: string; privateKey: KeyObject; publicJwk: object } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  made += 1
  return { kid: `k${made}`, privateKey, publicJwk: publicKey.export({ format: 'jwk' }) }
}

function document(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    userinfo_endpoint: `${issuer}/userinfo`,
    response_types_supported: ['code'],
    id_token_signing_alg_values_supported: ['ES256', 'RS256'],
  }
}

function json(status: number, body: object): GuardedReply {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) }
}
