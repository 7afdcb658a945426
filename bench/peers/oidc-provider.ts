import { createServer } from 'node:http'
import { http } from '@google-cloud/functions-framework'
import { getTestServer } from '@google-cloud/functions-framework/testing'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import { announce } from './announce.ts'

/**
 * oidc-provider issuing the same kind of token: client credentials, an ES256 JWT for one audience, its
 * in-memory adapter behind it. With `framework` it runs inside functions-framework, as our function does.
 */
const AUDIENCE = 'https://api.energent.test'
const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const provider = new Provider('http://127.0.0.1', {
  clients: [
    {
      client_id: 'bench',
      client_secret: 'bench-secret-of-sufficient-length',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
  cookies: { keys: ['bench'] },
  scopes: ['usage:read', 'usage:write'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => AUDIENCE,
      getResourceServerInfo: () => ({
        scope: 'usage:read usage:write',
        audience: AUDIENCE,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
})
const callback = provider.callback()
if (process.argv[2] === 'framework') {
  // It finds the body read already, warns about that once, and takes it.
  http('oidcProvider', (request, response) => void callback(request, response))
  announce(getTestServer('oidcProvider'))
} else {
  announce(createServer(callback))
}
