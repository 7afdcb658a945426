import { createServer, type ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { bindLoopback } from '#local/bind-loopback.ts'

/** A server of the attacker's on the public internet, as far as one process of ours is told: it may be called. */
export type Outside = { readonly url: string; readonly host: string; close(): Promise<void> }

const DISCOVERY = '/.well-known/openid-configuration'

/** What it answers under each name; an issuer is `{url}/{name}`. */
type Replies = Readonly<Record<string, (response: ServerResponse, issuer: string) => void>>

export async function startOutside(inside: string): Promise<Outside> {
  const document = (issuer: string, change: object = {}): string =>
    JSON.stringify({
      ...{ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` },
      ...{ jwks_uri: `${issuer}/jwks`, response_types_supported: ['code'], ...change },
    })
  const json = (response: ServerResponse, text: string): void =>
    void response.setHeader('content-type', 'application/json').end(text)
  const redirect =
    (status: number): Replies[string] =>
    (response) =>
      void response.writeHead(status, { location: `${inside}${DISCOVERY}` }).end()
  const replies: Replies = {
    ...{
      '301': redirect(301),
      '302': redirect(302),
      '303': redirect(303),
      '307': redirect(307),
      '308': redirect(308),
    },
    refresh: (response) =>
      void response.setHeader('refresh', `0; url=${inside}`).end('<meta http-equiv=refresh>'),
    mirror: (response, issuer) => json(response, document(issuer.replace('mirror', 'other'))),
    slash: (response, issuer) => json(response, document(`${issuer}/`)),
    large: (response, issuer) => json(response, document(issuer, { x: 'x'.repeat(70_000) })),
    endless: (response) => {
      const more = setInterval(() => response.write('x'.repeat(16_384)), 1)
      response.once('close', () => clearInterval(more))
    },
    gzip: (response, issuer) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      response.end(gzipSync(document(issuer)))
    },
    hangup: (response) => void response.destroy(),
    html: (response, issuer) => void response.setHeader('content-type', 'text/html').end(document(issuer)),
    list: (response, issuer) => json(response, `[${document(issuer)}]`),
    implicit: (response, issuer) =>
      json(response, document(issuer, { response_types_supported: ['id_token'] })),
    script: (response, issuer) =>
      json(response, document(issuer, { authorization_endpoint: 'javascript:alert(1)' })),
    user: (response, issuer) =>
      json(response, document(issuer, { token_endpoint: 'http://user@idp.example/token' })),
    hmac: (response, issuer) =>
      json(response, document(issuer, { id_token_signing_alg_values_supported: ['HS256', 'none'] })),
    error: (response) => void response.writeHead(500).end(),
    inward: (response, issuer) =>
      json(response, document(issuer, { token_endpoint: `${inside}/token`, jwks_uri: `${inside}/jwks` })),
  }
  const server = createServer((request, response) => {
    const name = (request.url ?? '').split('/')[1] ?? ''
    const issuer = `http://${request.headers.host}/${name}`
    const reply = replies[name]
    if (reply === undefined || !request.url?.endsWith(DISCOVERY)) return void response.writeHead(404).end()
    reply(response, issuer)
  })
  const { url, close } = await bindLoopback(server, 0)
  return { url, host: new URL(url).host, close }
}
