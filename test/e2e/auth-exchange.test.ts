import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Credentials } from '#local/stack/api-client.ts'
import { control, eventually, startTestStack, type TestStack } from './test-stack.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const TYPE = {
  access: 'urn:ietf:params:oauth:token-type:access_token',
  id: 'urn:ietf:params:oauth:token-type:id_token',
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
}
const ACCOUNT = 'robot@demo-energent.iam.gserviceaccount.com'

type Claims = Record<string, unknown>
type Answered = { readonly status: number; readonly body: Claims }
type Form = Record<string, string>

let stack: TestStack
/** The keys that the cluster and Google sign with: what an attacker lacks and a test needs for odd claims. */
let clusterKey: KeyObject
let googleKey: KeyObject
let base = ''
/** A client of globex that may exchange, one of acme, and one of globex that may do little. */
let exchanger: Credentials
let foreigner: Credentials
let modest: Credentials

beforeAll(async () => {
  stack = await startTestStack()
  base = stack.info().gatewayUrl
  const keyIn = (file: string): KeyObject =>
    createPrivateKey(readFileSync(join(resolve(stack.info().dataDir), file), 'utf8'))
  clusterKey = keyIn('cluster-issuer.json')
  googleKey = keyIn('google-issuer.json')
  exchanger = await newClient('globex', ['usage:read', 'usage:write', 'workflows:use', 'tenant:read'])
  foreigner = await newClient('acme', ['usage:read', 'usage:write', 'workflows:use', 'tenant:read'])
  modest = await newClient('globex', ['usage:read'])
}, 90_000)
afterAll(() => stack.close())

async function newClient(tenantId: string, scopes: readonly string[]): Promise<Credentials> {
  const token = await stack.api().token(stack.info().operator)
  const made = await stack.api().call('POST', `/v1/tenants/${tenantId}/clients`, {
    token,
    json: { scopes, grants: ['client_credentials', EXCHANGE] },
  })
  if (made.status !== 201) throw new Error(JSON.stringify(made.body))
  return { clientId: String(made.body['clientId']), clientSecret: String(made.body['clientSecret']) }
}

async function ask(form: Form, credentials?: Credentials, proof?: string): Promise<Answered> {
  const basic = Buffer.from(`${credentials?.clientId}:${credentials?.clientSecret}`).toString('base64')
  const answer = await fetch(`${base}/oauth2/token`, {
    method: 'POST',
    headers: {
      ...(credentials === undefined ? {} : { authorization: `Basic ${basic}` }),
      ...(proof === undefined ? {} : { dpop: proof }),
    },
    body: new URLSearchParams({ grant_type: EXCHANGE, ...form }),
  })
  return { status: answer.status, body: (await answer.json()) as Claims }
}

/** As a workload asks: nothing but its token. */
const askAsWorkload = (token: string, form: Form = {}): Promise<Answered> =>
  ask({ subject_token: token, subject_token_type: TYPE.jwt, ...form })

const askFor = (token: string, type: string, by: Credentials, form: Form = {}): Promise<Answered> =>
  ask({ subject_token: token, subject_token_type: type, ...form }, by)

function claimsOf(answered: Answered): Claims {
  const token = answered.body['access_token']
  if (typeof token !== 'string') throw new Error(JSON.stringify(answered.body))
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims
}

const tokenOf = (answered: Answered): string => String(answered.body['access_token'])

const nowSeconds = (): number => Math.floor(stack.parts().now() / 1000)
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What a cluster says of a pod; anything can be put in the place of anything. */
function podClaims(change: Claims = {}): Claims {
  const claims: Claims = {
    iss: stack.parts().cluster.issuer,
    sub: 'system:serviceaccount:tenant-globex:tenant-workload',
    aud: [base],
    iat: nowSeconds(),
    nbf: nowSeconds(),
    exp: nowSeconds() + 3600,
    jti: 'a',
    'kubernetes.io': {
      namespace: 'tenant-globex',
      serviceaccount: { name: 'tenant-workload', uid: 'u' },
      pod: { name: 'runner-0', uid: 'p' },
    },
    ...change,
  }
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}

const clusterHeader = (change: Claims = {}): Claims => ({
  alg: 'RS256',
  kid: stack.parts().cluster.jwks().keys[0]?.kid,
  ...change,
})

function signed(header: string, payload: string, key: KeyObject): string {
  const signature = sign('sha256', Buffer.from(`${header}.${payload}`), key).toString('base64url')
  return `${header}.${payload}.${signature}`
}

/** A token with the cluster's own signature, whatever it says. */
const podToken = (claims: Claims = {}, header: Claims = {}): string =>
  signed(part(clusterHeader(header)), part(podClaims(claims)), clusterKey)

// First of all: the library goes by the real time, and later tests move the stack's.
describe('the certified client', () => {
  test('exchanges, and takes what comes out for an access token of ours', async () => {
    const insecure = { [oauth.allowInsecureRequests]: true }
    const issuer = new URL(base)
    const found = await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' })
    const server = await oauth.processDiscoveryResponse(issuer, found)
    expect(server.grant_types_supported).toContain(EXCHANGE)
    const client = { client_id: exchanger.clientId }
    const { token: pod } = await control(stack, 'POST', '/tokens/cluster', { tenantId: 'globex' })
    const response = await oauth.genericTokenEndpointRequest(
      server,
      client,
      oauth.ClientSecretBasic(exchanger.clientSecret),
      EXCHANGE,
      { subject_token: String(pod), subject_token_type: TYPE.jwt, scope: 'usage:write' },
      insecure,
    )
    const answer = await oauth.processGenericTokenEndpointResponse(server, client, response)
    expect(answer).toMatchObject({ issued_token_type: TYPE.access, scope: 'usage:write' })
    const request = new Request(`${base}/v1/usage`, {
      headers: { authorization: `Bearer ${answer.access_token}` },
    })
    const claims = await oauth.validateJwtAccessToken(server, request, base, insecure)
    expect(claims).toMatchObject({ sub: 'wl:tenant-globex/tenant-workload', client_id: exchanger.clientId })
  })
})

describe('a workload of the cluster', () => {
  test('gets a token of its tenant for the token in its pod, without any secret', async () => {
    const answered = await askAsWorkload(podToken())

    expect(answered.status).toBe(200)
    expect(answered.body).toMatchObject({ token_type: 'Bearer', issued_token_type: TYPE.access })
    expect(answered.body).not.toHaveProperty('refresh_token')
    const claims = claimsOf(answered)
    expect(claims).toMatchObject({
      iss: base,
      aud: base,
      sub: 'wl:tenant-globex/tenant-workload',
      tenant: 'globex',
      tier: 'enterprise',
      roles: [],
      scope: 'workflows:use usage:write revocations:read introspect',
      wl: { cluster: 'energent-shared', ns: 'tenant-globex', sa: 'tenant-workload', pod: 'runner-0' },
    })
    expect(claims['client_id']).toMatch(/^cid_globex_[0-9A-Za-z]{16}$/)
    expect(Number(claims['exp']) - Number(claims['iat'])).toBeLessThanOrEqual(300)
    expect(claims['oexp']).toBeGreaterThanOrEqual(nowSeconds() + 3590)
  })

  test('as the control door mints it, may report usage and nothing it was not given', async () => {
    const { token } = await control(stack, 'POST', '/tokens/cluster', { tenantId: 'globex' })
    const own = tokenOf(await askAsWorkload(String(token)))
    const event = {
      specversion: '1.0',
      id: 'exchange-1',
      source: '//runner',
      type: 'ai.energent.usage.workflow_runs.v1',
      subject: 'tenants/globex',
      time: new Date(stack.parts().now()).toISOString(),
      data: { value: '1', dimensions: { outcome: 'succeeded' } },
    }
    const api = stack.api()
    expect((await api.call('POST', '/v1/usage', { token: own, json: event })).status).toBe(202)
    expect((await api.call('GET', '/v1/tenants/globex', { token: own })).status).toBe(403)
    expect((await api.call('GET', '/v1/tenants/acme', { token: own })).status).toBe(404)
    const foreign = { ...event, id: 'exchange-2', subject: 'tenants/acme' }
    expect((await api.call('POST', '/v1/usage', { token: own, json: foreign })).status).not.toBe(202)
  })

  test('is told about like any other token, and hears what was revoked', async () => {
    const { token } = await control(stack, 'POST', '/tokens/cluster', { tenantId: 'globex' })
    const own = tokenOf(await askAsWorkload(String(token)))
    const asking = await newClient('globex', ['introspect'])
    const basic = Buffer.from(`${asking.clientId}:${asking.clientSecret}`).toString('base64')
    const told = await fetch(`${base}/oauth2/introspect`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ token: own }),
    })
    expect(await told.json()).toMatchObject({
      active: true,
      sub: 'wl:tenant-globex/tenant-workload',
      wl: { ns: 'tenant-globex', sa: 'tenant-workload' },
    })
    const feed = await stack.api().call('GET', '/v1/revocations', { token: own })
    expect(feed.status, JSON.stringify(feed.body)).toBe(200)
  })

  test('may come again with the same token: a pod has one for most of an hour', async () => {
    const token = podToken()
    const answers = await Promise.all([1, 2, 3].map(() => askAsWorkload(token)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(answers.map((answered) => claimsOf(answered)['jti'])).size).toBe(3)
  })

  test('gets no more than it asks for, and never more than was bound', async () => {
    const token = podToken()
    const less = await askAsWorkload(token, { scope: 'usage:write' })
    expect(less.body['scope']).toBe('usage:write')
    for (const scope of ['clients:manage', 'usage:write tenant:manage', 'platform:read', 'x']) {
      expect(await askAsWorkload(token, { scope })).toMatchObject({
        status: 400,
        body: { error: 'invalid_scope' },
      })
    }
  })

  test('gets a token that ends before the one it came with', async () => {
    const answered = await askAsWorkload(podToken({ exp: nowSeconds() + 60 }))
    const claims = claimsOf(answered)
    expect(Number(claims['exp'])).toBeLessThanOrEqual(nowSeconds() + 60)
    expect(claims['oexp']).toBe(claims['exp'])
  })

  const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const attackerJwk = other.publicKey.export({ format: 'jwk' })

  test.each<[string, () => string]>([
    // Whose it is.
    ['a namespace that is no tenant’s', () => podToken(about('kube-system', 'default'))],
    ['a namespace that begins like a tenant’s', () => podToken(about('tenant-', 'tenant-workload'))],
    ['the namespace of an unknown tenant', () => podToken(about('tenant-there-is-none', 'tenant-workload'))],
    ['the namespace of the operators', () => podToken(about('tenant-platform', 'tenant-workload'))],
    ['a namespace with a dot', () => podToken(about('tenant-globex.x', 'tenant-workload'))],
    ['a namespace in capitals', () => podToken(about('tenant-GLOBEX', 'tenant-workload'))],
    ['an account that is not bound', () => podToken(about('tenant-globex', 'default'))],
    ['an account with a slash', () => podToken(about('tenant-globex', 'a/b'))],
    ['an account with a colon', () => podToken(about('tenant-globex', 'tenant-workload:x'))],
    [
      'a subject of another namespace',
      () => podToken({ sub: 'system:serviceaccount:tenant-acme:tenant-workload' }),
    ],
    ['a subject of another account', () => podToken({ sub: 'system:serviceaccount:tenant-globex:default' })],
    [
      'a subject with more behind it',
      () => podToken({ sub: 'system:serviceaccount:tenant-globex:tenant-workload:x' }),
    ],
    ['a node', () => podToken({ sub: 'system:node:gke-1' })],
    [
      'a subject that is a list',
      () => podToken({ sub: ['system:serviceaccount:tenant-globex:tenant-workload'] }),
    ],
    ['no claims of Kubernetes', () => podToken({ 'kubernetes.io': undefined })],
    ['claims of Kubernetes as a text', () => podToken({ 'kubernetes.io': 'tenant-globex' })],
    [
      'a pod that is no name',
      () =>
        podToken({
          'kubernetes.io': {
            namespace: 'tenant-globex',
            serviceaccount: { name: 'tenant-workload' },
            pod: { name: '../x' },
          },
        }),
    ],
    // For whom.
    ['another audience', () => podToken({ aud: ['https://kubernetes.default.svc'] })],
    ['our audience among others', () => podToken({ aud: [base, 'https://kubernetes.default.svc'] })],
    ['our audience twice', () => podToken({ aud: [base, base] })],
    ['our audience with a slash', () => podToken({ aud: [`${base}/`] })],
    ['our audience in a list in a list', () => podToken({ aud: [[base]] })],
    ['no audience', () => podToken({ aud: undefined })],
    ['an empty audience', () => podToken({ aud: [] })],
    // When.
    ['an expired one', () => podToken({ iat: nowSeconds() - 3600, nbf: undefined, exp: nowSeconds() - 31 })],
    ['one of tomorrow', () => podToken({ iat: nowSeconds() + 60, exp: nowSeconds() + 600 })],
    ['one not valid yet', () => podToken({ nbf: nowSeconds() + 120 })],
    ['one of a day', () => podToken({ exp: nowSeconds() + 86_400 })],
    ['one of an hour and a second', () => podToken({ exp: nowSeconds() + 3601 })],
    ['one without end', () => podToken({ exp: undefined })],
    ['one without beginning', () => podToken({ iat: undefined })],
    ['an end with a fraction', () => podToken({ exp: nowSeconds() + 60.5 })],
    ['an end as a text', () => podToken({ exp: String(nowSeconds() + 60) })],
    ['an end that is absurd', () => podToken({ exp: 1e300 })],
    ['an end before its beginning', () => podToken({ exp: nowSeconds() - 1, iat: nowSeconds() })],
    // From whom.
    ['another cluster', () => podToken({ iss: `${stack.parts().cluster.issuer}-2` })],
    ['the issuer with a slash', () => podToken({ iss: `${stack.parts().cluster.issuer}/` })],
    ['the issuer in capitals', () => podToken({ iss: stack.parts().cluster.issuer.toUpperCase() })],
    ['no issuer', () => podToken({ iss: undefined })],
    ['us as the issuer', () => podToken({ iss: base })],
    ['Google as the issuer', () => podToken({ iss: 'https://accounts.google.com' })],
    ['two issuers', () => podToken({ iss: [stack.parts().cluster.issuer] })],
    // By whom it is signed.
    [
      'a signature of somebody else',
      () => signed(part(clusterHeader()), part(podClaims()), other.privateKey),
    ],
    ['a key id that is not there', () => podToken({}, { kid: 'nobody' })],
    ['a key id of another type', () => podToken({}, { kid: 5 })],
    [
      'Google’s key and its id',
      () =>
        signed(
          part({ alg: 'RS256', kid: stack.parts().google.jwks().keys[0]?.kid }),
          part(podClaims()),
          googleKey,
        ),
    ],
    ['Google’s key with the cluster’s id', () => signed(part(clusterHeader()), part(podClaims()), googleKey)],
    ['none', () => `${part({ alg: 'none' })}.${part(podClaims())}.`],
    ['none with a signature', () => signed(part({ alg: 'none' }), part(podClaims()), clusterKey)],
    ['NONE', () => signed(part({ alg: 'NONE', kid: clusterHeader()['kid'] }), part(podClaims()), clusterKey)],
    ['another hash', () => podToken({}, { alg: 'RS512' })],
    ['another padding', () => podToken({}, { alg: 'PS256' })],
    ['an algorithm of curves', () => podToken({}, { alg: 'ES256' })],
    ['an HMAC with the public key', () => hmacWithPublicKey()],
    [
      'a key that it brings along',
      () => signed(part({ alg: 'RS256', jwk: attackerJwk }), part(podClaims()), other.privateKey),
    ],
    ['a key that it points to', () => podToken({}, { jku: 'https://evil.example.com/jwks' })],
    ['a certificate that it points to', () => podToken({}, { x5u: 'https://evil.example.com/x' })],
    ['a certificate that it brings along', () => podToken({}, { x5c: ['AAAA'] })],
    ['something critical', () => podToken({}, { crit: ['exp'] })],
    ['an unencoded payload', () => podToken({}, { b64: false, crit: ['b64'] })],
    ['a compressed payload', () => podToken({}, { zip: 'DEF' })],
    ['a token inside', () => podToken({}, { cty: 'JWT' })],
    ['the type of an access token', () => podToken({}, { typ: 'at+jwt' })],
    ['the type of a logout token', () => podToken({}, { typ: 'logout+jwt' })],
    // How it is written.
    [
      'a member of the header twice',
      () =>
        signed(
          Buffer.from(`{"alg":"none","alg":"RS256","kid":"${String(clusterHeader()['kid'])}"}`).toString(
            'base64url',
          ),
          part(podClaims()),
          clusterKey,
        ),
    ],
    [
      'a claim twice',
      () =>
        signed(
          part(clusterHeader()),
          Buffer.from(JSON.stringify(podClaims()).replace('"iss"', '"sub":"x","iss"')).toString('base64url'),
          clusterKey,
        ),
    ],
    [
      'a claim twice, once escaped',
      () =>
        signed(
          part(clusterHeader()),
          Buffer.from(JSON.stringify(podClaims()).replace('{', '{"\\u0069ss":"x",')).toString('base64url'),
          clusterKey,
        ),
    ],
    [
      'a prototype',
      () =>
        signed(
          part(clusterHeader()),
          Buffer.from(JSON.stringify(podClaims()).replace('{', '{"__proto__":{},')).toString('base64url'),
          clusterKey,
        ),
    ],
    ['padding', () => `${podToken()}=`],
    ['stray bits in the signature', () => malleated(podToken())],
    ['white space', () => ` ${podToken()}`],
    ['a line break', () => podToken().replace('.', '.\n')],
    ['no signature', () => podToken().replace(/[^.]*$/, '')],
    ['four parts', () => `${podToken()}.AAAA`],
    ['JSON serialization', () => JSON.stringify({ payload: 'e30', protected: 'e30', signature: 'AA' })],
    [
      'invalid UTF-8',
      () =>
        signed(
          part(clusterHeader()),
          Buffer.concat([
            Buffer.from(JSON.stringify(podClaims({ x: '' })).slice(0, -2)),
            Buffer.from([0xff]),
            Buffer.from('"}'),
          ]).toString('base64url'),
          clusterKey,
        ),
    ],
    ['depth', () => podToken({ x: [[[[[[[[1]]]]]]]] })],
    ['nonsense', () => 'x'],
  ])('with %s gets nothing, and one answer for all', async (_name, make) => {
    expect(await askAsWorkload(make())).toEqual({
      status: 400,
      body: { error: 'invalid_request', error_description: 'The subject token is not accepted.' },
    })
  })

  test.each<[string, Form, string]>([
    ['no subject token', { subject_token_type: TYPE.jwt }, 'invalid_request'],
    ['no type', { subject_token: 'x' }, 'invalid_request'],
    ['an unknown type', { subject_token: 'x', subject_token_type: 'urn:x' }, 'invalid_request'],
    [
      'a SAML assertion',
      { subject_token: 'x', subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
      'invalid_request',
    ],
    [
      'a type of actor without a token',
      { subject_token: 'x', subject_token_type: TYPE.jwt, actor_token_type: TYPE.jwt },
      'invalid_request',
    ],
    [
      'a refresh token wanted',
      {
        subject_token: 'x',
        subject_token_type: TYPE.jwt,
        requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token',
      },
      'invalid_request',
    ],
    [
      'another audience',
      { subject_token: 'x', subject_token_type: TYPE.jwt, audience: 'https://other.example.com' },
      'invalid_target',
    ],
    [
      'another resource',
      { subject_token: 'x', subject_token_type: TYPE.jwt, resource: 'https://other.example.com' },
      'invalid_target',
    ],
    [
      'a malformed scope',
      { subject_token: 'x', subject_token_type: TYPE.jwt, scope: 'a  b' },
      'invalid_scope',
    ],
  ])('asking with %s is told so', async (_name, form, error) => {
    expect(await ask(form)).toMatchObject({ status: 400, body: { error } })
  })

  test('only a workload comes without being a client', async () => {
    const token = await stack.api().token(exchanger)
    expect((await ask({ subject_token: token, subject_token_type: TYPE.access })).status).toBe(401)
    const withActor = { actor_token: token, actor_token_type: TYPE.access }
    expect((await askAsWorkload(podToken(), withActor)).status).toBe(401)
    expect((await askAsWorkload(podToken(), { client_id: 'cid_globex_0000000000000000' })).status).toBe(401)
  })

  test('a client may exchange for workloads of its own tenant, within its own scopes', async () => {
    const own = await askFor(podToken(), TYPE.jwt, exchanger)
    expect(claimsOf(own)).toMatchObject({
      client_id: exchanger.clientId,
      sub: 'wl:tenant-globex/tenant-workload',
      scope: 'workflows:use usage:write',
    })
    expect(await askFor(podToken(), TYPE.jwt, foreigner)).toMatchObject({
      body: { error: 'invalid_request' },
    })
    // What both may do is nothing.
    expect(await askFor(podToken(), TYPE.jwt, modest)).toMatchObject({ body: { error: 'invalid_scope' } })
  })

  test('signed with a key that the cluster has since taken up is known after a while', async () => {
    const { cluster } = stack.parts()
    const oldToken = podToken()
    expect((await askAsWorkload(oldToken)).status).toBe(200)
    await cluster.rotateKey()
    const token = await cluster.mintServiceAccountToken({
      namespace: 'tenant-globex',
      serviceAccount: 'tenant-workload',
      audience: base,
    })
    // A set that was read a moment ago is not read again for every unknown key id.
    await control(stack, 'POST', '/clock', { advanceSeconds: 31 })
    expect((await askAsWorkload(token)).status).toBe(200)
    // The key that the cluster took back is gone with the set that had it.
    expect((await askAsWorkload(oldToken)).status).toBe(400)
  })
})

function about(ns: string, sa: string): Claims {
  return {
    sub: `system:serviceaccount:${ns}:${sa}`,
    'kubernetes.io': { namespace: ns, serviceaccount: { name: sa, uid: 'u' } },
  }
}

function hmacWithPublicKey(): string {
  const [jwk] = stack.parts().cluster.jwks().keys
  const pem = JSON.stringify(jwk)
  const head = `${part({ alg: 'HS256', kid: jwk?.kid })}.${part(podClaims())}`
  return `${head}.${createHmac('sha256', pem).update(head).digest('base64url')}`
}

/** Another spelling of the same signature: the bits that base64url leaves over. */
function malleated(token: string): string {
  const last = token.at(-1) ?? ''
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return `${token.slice(0, -1)}${alphabet[alphabet.indexOf(last) ^ 1]}`
}

describe('an access token of ours', () => {
  test('is exchanged for one that may do less', async () => {
    const token = await stack.api().token(exchanger)
    const less = await askFor(token, TYPE.access, exchanger, { scope: 'usage:read' })
    expect(claimsOf(less)).toMatchObject({ sub: exchanger.clientId, scope: 'usage:read' })
    expect(claimsOf(less)).not.toHaveProperty('act')
    // And never back.
    expect(await askFor(tokenOf(less), TYPE.access, exchanger, { scope: 'usage:write' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_scope' },
    })
    const same = await askFor(tokenOf(less), TYPE.access, exchanger)
    expect(same.body['scope']).toBe('usage:read')
  })

  test('of another client names who exchanged it', async () => {
    const token = await stack.api().token(exchanger)
    const exchanged = await askFor(token, TYPE.access, modest)
    expect(claimsOf(exchanged)).toMatchObject({
      sub: exchanger.clientId,
      client_id: modest.clientId,
      act: { sub: modest.clientId },
      scope: 'usage:read',
    })
  })

  test('goes through three hands and no more, and every one of them is named', async () => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => newClient('globex', ['usage:read'])))
    let token = await stack.api().token(exchanger)
    let last: Answered | undefined
    for (const client of clients.slice(0, 3)) {
      last = await askFor(token, TYPE.access, client)
      token = tokenOf(last)
    }
    if (last === undefined) throw new Error('nobody asked')
    const [first, second, third, fourth] = clients
    expect(claimsOf(last)['act']).toEqual({
      sub: third?.clientId,
      act: { sub: second?.clientId, act: { sub: first?.clientId } },
    })
    // A token with three actors works like any other.
    expect((await stack.api().call('GET', '/v1/tenants/globex/usage', { token })).status).toBe(200)
    if (fourth === undefined) throw new Error('no fourth')
    expect(await askFor(token, TYPE.access, fourth)).toMatchObject({ body: { error: 'invalid_request' } })
  })

  test('never outlives the first of the chain, however often it is exchanged', async () => {
    let token = await stack.api().token(exchanger)
    const first = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims
    for (const _step of [1, 2, 3]) {
      await control(stack, 'POST', '/clock', { advanceSeconds: 150 })
      const answered = await askFor(token, TYPE.access, exchanger)
      expect(claimsOf(answered)['oexp']).toBe(first['exp'])
      expect(Number(claimsOf(answered)['exp'])).toBeLessThanOrEqual(Number(first['exp']))
      token = tokenOf(answered)
    }
    await control(stack, 'POST', '/clock', { advanceSeconds: 160 })
    expect(await askFor(token, TYPE.access, exchanger)).toMatchObject({ body: { error: 'invalid_request' } })
  })

  test('acts for another when it says so, and names whose hands it is in', async () => {
    const subject = await stack.api().token(exchanger)
    const actor = await stack.api().token(modest)
    const asActor = { actor_token: actor, actor_token_type: TYPE.access }
    const answered = await askFor(subject, TYPE.access, modest, asActor)
    expect(claimsOf(answered)).toMatchObject({ sub: exchanger.clientId, act: { sub: modest.clientId } })
    // Nobody is named an actor by somebody else.
    expect(await askFor(subject, TYPE.access, exchanger, asActor)).toMatchObject({
      status: 400,
      body: { error: 'invalid_request', error_description: 'The actor token is not accepted.' },
    })
    // A workload acts too, with the token of its cluster.
    const { token: pod } = await control(stack, 'POST', '/tokens/cluster', { tenantId: 'globex' })
    const byWorkload = { actor_token: String(pod), actor_token_type: TYPE.jwt }
    expect(claimsOf(await askFor(subject, TYPE.access, modest, byWorkload))['act']).toMatchObject({
      sub: 'wl:tenant-globex/tenant-workload',
    })
    const { token: foreign } = await control(stack, 'POST', '/tokens/cluster', { tenantId: 'acme' })
    expect(
      await askFor(subject, TYPE.access, modest, {
        actor_token: String(foreign),
        actor_token_type: TYPE.jwt,
      }),
    ).toMatchObject({ body: { error: 'invalid_request' } })
    expect(
      await askFor(subject, TYPE.access, modest, { actor_token: 'x', actor_token_type: TYPE.id }),
    ).toMatchObject({ body: { error: 'invalid_request' } })
  })

  test.each<[string, () => Promise<Answered>]>([
    ['of another tenant', async () => askFor(await stack.api().token(foreigner), TYPE.access, exchanger)],
    [
      'of an operator',
      async () => askFor(await stack.api().token(stack.info().operator), TYPE.access, exchanger),
    ],
    ['offered as a JWT', async () => askFor(await stack.api().token(exchanger), TYPE.jwt, exchanger)],
    ['offered as an ID token', async () => askFor(await stack.api().token(exchanger), TYPE.id, exchanger)],
    ['that is a workload’s', async () => askFor(podToken(), TYPE.access, exchanger)],
    [
      'with another signature',
      async () => askFor(malleated(await stack.api().token(exchanger)), TYPE.access, exchanger),
    ],
  ])('%s is not exchanged', async (_name, act) => {
    expect(await act()).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  })

  test('that is bound to a key is exchanged by whoever has the key, and stays bound', async () => {
    const [own, stolen] = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }))
    if (own === undefined || stolen === undefined) throw new Error('no keys')
    const proofBy = (pair: { publicKey: KeyObject; privateKey: KeyObject }): string => {
      const jwk = pair.publicKey.export({ format: 'jwk' })
      const head = `${part({ typ: 'dpop+jwt', alg: 'ES256', jwk })}.${part({ jti: randomUUID(), htm: 'POST', htu: `${base}/oauth2/token`, iat: nowSeconds() })}`
      const key = { key: pair.privateKey, dsaEncoding: 'ieee-p1363' as const }
      return `${head}.${sign('sha256', Buffer.from(head), key).toString('base64url')}`
    }
    const bound = await ask({ grant_type: 'client_credentials' }, exchanger, proofBy(own))
    expect(bound.body['token_type']).toBe('DPoP')
    const form = { subject_token: tokenOf(bound), subject_token_type: TYPE.access }
    expect((await ask(form, exchanger)).status).toBe(400)
    expect((await ask(form, exchanger, proofBy(stolen))).status).toBe(400)
    const exchanged = await ask(form, exchanger, proofBy(own))
    expect(exchanged.body['token_type']).toBe('DPoP')
    expect(claimsOf(exchanged)['cnf']).toEqual(claimsOf(bound)['cnf'])
    // A bearer token can be bound on the way; and a workload's can from the beginning.
    const bearer = await stack.api().token(exchanger)
    const nowBound = await ask(
      { subject_token: bearer, subject_token_type: TYPE.access },
      exchanger,
      proofBy(own),
    )
    expect(claimsOf(nowBound)['cnf']).toEqual(claimsOf(bound)['cnf'])
    const { token: pod } = await control(stack, 'POST', '/tokens/cluster', { tenantId: 'globex' })
    const workload = { subject_token: String(pod), subject_token_type: TYPE.jwt }
    expect(claimsOf(await ask(workload, undefined, proofBy(own)))['cnf']).toEqual(claimsOf(bound)['cnf'])
  })

  test('a client that was not given the grant does not exchange', async () => {
    const globex = stack.info().tenants.find(({ tenantId }) => tenantId === 'globex')
    if (globex === undefined) throw new Error('no globex')
    expect(await askFor(podToken(), TYPE.jwt, globex)).toMatchObject({
      status: 400,
      body: { error: 'unauthorized_client' },
    })
  })
})

describe('bindings', () => {
  const bindings = '/v1/tenants/globex/bindings'
  const manager = async (): Promise<string> => {
    const globex = stack.info().tenants.find(({ tenantId }) => tenantId === 'globex')
    if (globex === undefined) throw new Error('no globex')
    return stack.api().token(globex)
  }

  test('a Google service account exchanges the tokens Google gives it, once it is bound', async () => {
    const api = stack.api()
    const token = await manager()
    const { token: idToken } = await control(stack, 'POST', '/tokens/google', {
      email: ACCOUNT,
      audience: base,
    })
    const exchange = (): Promise<Answered> => askFor(String(idToken), TYPE.id, exchanger)
    expect(await exchange()).toMatchObject({ body: { error: 'invalid_request' } })

    const json = { email: ACCOUNT, scopes: ['usage:write', 'tenant:read'] }
    const made = await api.call('POST', bindings, { token, json })
    expect(made.status).toBe(201)
    const answered = await exchange()
    expect(claimsOf(answered)).toMatchObject({
      sub: made.body['clientId'],
      client_id: exchanger.clientId,
      scope: 'tenant:read usage:write',
      tenant: 'globex',
    })
    // Another tenant has not bound it.
    expect(await askFor(String(idToken), TYPE.id, foreigner)).toMatchObject({
      body: { error: 'invalid_request' },
    })
  })

  test.each<[string, Claims]>([
    ['whose address is not verified', { email_verified: false }],
    ['whose address is verified by a text', { email_verified: 'true' }],
    ['for somebody else', { aud: 'https://other.example.com' }],
    ['for us and somebody else', { aud: ['https://other.example.com'] }],
    ['of another address', { email: 'mallory@demo-energent.iam.gserviceaccount.com' }],
    ['in capitals', { email: ACCOUNT.toUpperCase() }],
    ['of another issuer', { iss: 'accounts.google.com' }],
    ['that is expired', { iat: 1, exp: 3000 }],
  ])('a token of Google’s %s is not exchanged', async (_name, change) => {
    const claims = {
      iss: 'https://accounts.google.com',
      aud: base,
      sub: '1',
      email: ACCOUNT,
      email_verified: true,
      iat: nowSeconds(),
      exp: nowSeconds() + 3600,
    }
    const header = { alg: 'RS256', kid: stack.parts().google.jwks().keys[0]?.kid, typ: 'JWT' }
    const good = signed(part(header), part(claims), googleKey)
    expect((await askFor(good, TYPE.id, exchanger)).status).toBe(200)
    const bad = signed(part(header), part({ ...claims, ...change }), googleKey)
    expect(await askFor(bad, TYPE.id, exchanger)).toMatchObject({ body: { error: 'invalid_request' } })
    const byCluster = signed(part(header), part(claims), clusterKey)
    expect(await askFor(byCluster, TYPE.id, exchanger)).toMatchObject({ body: { error: 'invalid_request' } })
  })

  test('a binding that is taken back ends its tokens within two seconds', async () => {
    const api = stack.api()
    const token = await manager()
    const json = { cluster: 'energent-shared', serviceAccount: 'batch', scopes: ['tenant:read'] }
    const made = await api.call('POST', bindings, { token, json })
    expect(made.body).toMatchObject({ namespace: 'tenant-globex', subject: 'wl:tenant-globex/batch' })
    const { token: pod } = await control(stack, 'POST', '/tokens/cluster', {
      tenantId: 'globex',
      serviceAccount: 'batch',
    })
    const alone = tokenOf(await askAsWorkload(String(pod)))
    const byClient = tokenOf(await askFor(String(pod), TYPE.jwt, exchanger))
    const read = async (own: string): Promise<number> =>
      (await api.call('GET', '/v1/tenants/globex', { token: own })).status
    expect([await read(alone), await read(byClient)]).toEqual([200, 200])

    expect(
      (await api.call('DELETE', `${bindings}/${String(made.body['bindingId'])}`, { token })).status,
    ).toBe(204)

    expect((await askAsWorkload(String(pod))).status).toBe(400)
    // A token that is exchanged again just then is exchanged in vain.
    expect((await askFor(alone, TYPE.access, exchanger)).status).toBe(400)
    await eventually(
      'both tokens are refused',
      async () => ((await read(alone)) === 401 && (await read(byClient)) === 401 ? true : undefined),
      3_000,
    )
    const again = await api.call('DELETE', `${bindings}/${String(made.body['bindingId'])}`, { token })
    expect(again.status).toBe(404)
  })

  test('nobody binds with more than they hold, nor an account twice, nor one of elsewhere', async () => {
    const api = stack.api()
    const token = await manager()
    const post = async (json: unknown, headers: Record<string, string> = {}) =>
      api.call('POST', bindings, { token, json, headers })
    const workload = { cluster: 'energent-shared', serviceAccount: 'twice', scopes: ['usage:write'] }
    expect((await post({ ...workload, scopes: ['audit:read'] })).body['code']).toBe('scope.invalid')
    expect((await post({ ...workload, scopes: ['platform:read'] })).status).toBe(400)
    expect((await post({ ...workload, cluster: 'elsewhere' })).status).toBe(400)
    expect((await post({ ...workload, namespace: 'tenant-acme' })).status).toBe(400)
    expect((await post({ ...workload, serviceAccount: '../x' })).status).toBe(400)
    expect((await post({ email: 'person@gmail.com', scopes: ['usage:write'] })).status).toBe(400)
    expect((await post({ email: 'a@gserviceaccount.com.evil.com', scopes: ['usage:write'] })).status).toBe(
      400,
    )
    expect((await post({ ...workload, scopes: [] })).status).toBe(400)
    const key = { 'idempotency-key': 'bind-twice' }
    const made = await post(workload, key)
    expect(made.status).toBe(201)
    expect(await post(workload, key)).toMatchObject({ status: 200, body: made.body })
    expect((await post(workload)).body['code']).toBe('binding.exists')
    const listed = await api.call('GET', `${bindings}?pageSize=1`, { token })
    expect(listed.body['items']).toHaveLength(1)
    const rest = await api.call('GET', `${bindings}?pageToken=${String(listed.body['nextPageToken'])}`, {
      token,
    })
    const ids = [listed, rest].flatMap(({ body }) => body['items'] as { bindingId: string }[])
    expect(ids.map(({ bindingId }) => bindingId)).toContain(made.body['bindingId'])
    expect(new Set(ids.map(({ bindingId }) => bindingId)).size).toBe(ids.length)
  })
})
