import { randomBytes } from 'node:crypto'
import { newAuthorizationCode } from '../../../functions/auth/domain/authorization-code.ts'
import { type Attack, type AttackGroup, attack, attacks } from '../attack.ts'
import { jsonOf } from '../support/answer.ts'
import { proof, sha256 } from '../support/forge.ts'
import { form } from '../support/send.ts'
import type { Code } from '../support/victims.ts'
import { VICTIM, type World } from '../support/world.ts'
import { codeInHand, type Fields, given, INVALID, readLater, redeem, refresh } from './grant-requests.ts'

/** Wrong requests for one code, which its owner redeems when all of them were made. */
const wrongCode = (
  rows: Readonly<Record<string, (w: World, code: Code) => Fields>>,
  answer = INVALID,
): Attack[] =>
  attacks(
    rows,
    async (w, change) => {
      const code = await codeInHand(w)
      return redeem(w, code, change(w, code))
    },
    answer,
    { leaves: 'the code, as good as before' },
  )

export const codes: AttackGroup = {
  title: 'Authorization codes',
  aim: 'Redeem a code that was seen in a URL or a log, or one’s own code in somebody else’s session.',
  sent: '`POST /oauth2/token` with a fresh code and its verifier, but for what the row says.',
  places: ['the thief, the application'],
  never: 'Nobody but the application gets tokens, and its code is still good after the attempt.',
  attacks: [
    ...wrongCode({
      'no verifier': () => ({ code_verifier: undefined }),
      'another verifier': () => ({ code_verifier: 'x'.repeat(43) }),
      'an empty verifier': () => ({ code_verifier: '' }),
      'the challenge as verifier': (_w, code) => ({ code_verifier: sha256(code.verifier) }),
      'a verifier that is too short': () => ({ code_verifier: 'x'.repeat(42) }),
      'a verifier of 129 characters': () => ({ code_verifier: 'x'.repeat(129) }),
      'the verifier in capitals': (_w, code) => ({ code_verifier: code.verifier.toUpperCase() }),
      'another redirect URI': () => ({ redirect_uri: 'https://evil.example/callback' }),
      'another port': () => ({ redirect_uri: 'http://127.0.0.1:2/callback' }),
      'the registered redirect URI, not the one that was used': () => ({
        redirect_uri: 'http://127.0.0.1/callback',
      }),
      'the redirect URI with a slash': (_w, code) => ({ redirect_uri: `${code.redirectUri}/` }),
      'the redirect URI in capitals': (_w, code) => ({ redirect_uri: code.redirectUri.toUpperCase() }),
      'one letter of the code changed': (_w, code) => ({
        code: `${code.code.slice(0, -1)}${code.code.endsWith('A') ? 'B' : 'A'}`,
      }),
      'a code that is well formed': () => ({ code: newAuthorizationCode(randomBytes(32)) }),
      'a code with a space behind it': (_w, code) => ({ code: `${code.code} ` }),
      'its state for a code': (_w, code) => ({ code: code.state }),
      'a refresh token for a code': (w) => ({ code: w.people.of.viewer.refreshToken }),
    }),
    ...wrongCode(
      {
        'no redirect URI': () => ({ redirect_uri: undefined }),
        'no code': () => ({ code: undefined }),
        'an empty code': () => ({ code: '' }),
      },
      '400 oauth invalid_request',
    ),
    ...wrongCode(
      { 'an unknown client': () => ({ client_id: `cid_${VICTIM}_0000000000000000` }) },
      '401 oauth invalid_client',
    ),
    attack(
      'none of it, after all of these, by the application itself',
      async (w) => redeem(w, await codeInHand(w)),
      '200 token of openid tenant:read',
      { leaves: 'the session of its owner' },
    ),
    attack(
      'by another client of the tenant, with the verifier',
      async (w) => {
        const code = await w.people.code('viewer')
        const { redirectUri: redirect_uri, verifier: code_verifier } = code
        const stolen = await w.ask(
          { grant_type: 'authorization_code', code: code.code, redirect_uri, code_verifier },
          w.victim.web,
        )
        return [stolen, await redeem(w, code)]
      },
      [INVALID, '200 token of openid tenant:read'],
      { leaves: 'the session of its owner' },
    ),
    attack(
      'bound to a key at the beginning (`dpop_jkt`), without the key',
      async (w) => redeem(w, await w.people.code('viewer', { dpop_jkt: 'A'.repeat(43) })),
      INVALID,
      { leaves: 'the code' },
    ),
    attack(
      'bound to a key at the beginning, with another key',
      async (w) => {
        const code = await w.people.code('viewer', { dpop_jkt: 'A'.repeat(43) })
        const { headers = [], ...rest } = form(
          given({
            grant_type: 'authorization_code',
            client_id: code.clientId,
            code: code.code,
            redirect_uri: code.redirectUri,
            code_verifier: code.verifier,
          }),
        )
        const dpop = proof({
          key: w.mine,
          method: 'POST',
          url: `${w.base}/oauth2/token`,
          nowSeconds: w.now(),
        })
        return w.at('/oauth2/token', { ...rest, headers: [...headers, ['dpop', dpop]] })
      },
      INVALID,
      { leaves: 'the code' },
    ),
    attack(
      'a second time, with everything that belongs to it',
      async (w) => {
        const code = await w.people.code('viewer')
        const first = await redeem(w, code)
        const second = await redeem(w, code)
        const { refresh_token, access_token } = jsonOf(first.body)
        const refreshed = await refresh(w, String(refresh_token))
        return [second, refreshed, await readLater(w, String(access_token))]
      },
      [INVALID, INVALID, '401 token.invalid'],
      { leaves: 'a session that has ended' },
    ),
    attack(
      'a second time, by a thief who has no verifier',
      async (w) => {
        const code = await w.people.code('viewer')
        const first = await redeem(w, code)
        const stolen = await redeem(w, code, { code_verifier: 'x'.repeat(43) })
        return [stolen, await refresh(w, String(jsonOf(first.body)['refresh_token']))]
      },
      // Whoever merely saw the code in a URL cannot sign the person out.
      [INVALID, '200 token of openid tenant:read'],
      { leaves: 'the session of its owner' },
    ),
    attack(
      'in the URL',
      async (w) => {
        const code = await w.people.code('viewer')
        return [
          await w.at(
            `/oauth2/token?code=${code.code}`,
            form({ grant_type: 'authorization_code', client_id: code.clientId }),
          ),
          await redeem(w, code),
        ]
      },
      ['400 oauth invalid_request', '200 token of openid tenant:read'],
      { leaves: 'the session of its owner' },
    ),
  ],
}
