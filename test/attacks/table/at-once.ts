import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Attack, type AttackGroup, attack } from '../attack.ts'
import { jsonOf, readAnswer, type Seen } from '../support/answer.ts'
import { ecKey, proof, signed } from '../support/forge.ts'
import { bearer, type Call, form, json } from '../support/send.ts'
import { VICTIM, type World } from '../support/world.ts'

const TOKEN = '/oauth2/token'
const SIX = [0, 1, 2, 3, 4, 5]

/** The same request six times at once: half of them at another process of the function. */
function inTwoProcesses(w: World, call: () => Call): Promise<Seen[]> {
  return Promise.all(
    SIX.map((at) => (at % 2 === 0 ? w.at(TOKEN, call()) : w.behindOther({ ...call(), path: TOKEN }))),
  )
}

/** So many of the answers are this one, in whatever order; told as one line. */
function counted(seen: readonly Seen[]): Seen {
  const counts = new Map<string, number>()
  for (const { said } of seen) counts.set(said, (counts.get(said) ?? 0) + 1)
  const said = [...counts].sort().map(([text, count]) => `${count} × ${text}`)
  return { status: 0, headers: {}, body: '', said: said.join(', ') }
}

const atOnce = (
  name: string,
  send: (w: World) => Promise<readonly Seen[]>,
  answer: string,
  more: Pick<Attack, 'leaves'> = {},
): Attack => attack(name, async (w) => counted(await send(w)), answer, more)

const refreshing = (w: World, token: string): Call => ({
  path: TOKEN,
  ...form({ grant_type: 'refresh_token', client_id: w.people.app, refresh_token: token }),
})
const GOOD = '200 token of openid tenant:read'

export const atOnceRows: AttackGroup = {
  title: 'The same thing six times at once',
  aim: 'Win a race: have one code, assertion, proof, state or token count more than once.',
  sent: 'All together, where it is the token endpoint half through the gateway and half at another process of the function with caches of its own.',
  places: ['all answers'],
  never: 'What counts once has counted once, in whatever process.',
  attacks: [
    atOnce(
      'a code',
      async (w) => {
        const code = await w.people.code('viewer')
        const fields = {
          ...{ grant_type: 'authorization_code', client_id: code.clientId, code: code.code },
          ...{ redirect_uri: code.redirectUri, code_verifier: code.verifier },
        }
        const seen = await inTwoProcesses(w, () => ({ path: TOKEN, ...form(fields) }))
        const refused = seen.filter(({ said }) => said === '400 oauth invalid_grant')
        const [first, ...more] = seen.filter(({ said }) => said === GOOD)
        // Whether the first one still hears of its tokens depends on how soon the second one comes.
        assert.deepEqual([refused.length + (first === undefined ? 0 : 1), more], [6, []])
        const got = jsonOf(first?.body ?? '')['refresh_token']
        return [await w.at(TOKEN, refreshing(w, String(got ?? 'drt_nothing')))]
      },
      '1 × 400 oauth invalid_grant',
      { leaves: 'a session that has ended' },
    ),
    atOnce(
      'a client assertion',
      async (w) => {
        const { clientId } = w.victim.asserting
        const claims = { iss: clientId, sub: clientId, aud: w.base, exp: w.now() + 60, jti: randomUUID() }
        const client_assertion = signed({ alg: 'ES256', kid: 'k1' }, claims, w.clientKey)
        const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
        const fields = {
          grant_type: 'client_credentials',
          scope: 'tenant:read',
          client_assertion,
          client_assertion_type,
        }
        return inTwoProcesses(w, () => ({ path: TOKEN, ...form(fields) }))
      },
      '1 × 200 token of tenant:read, 5 × 401 oauth invalid_client',
    ),
    atOnce(
      'a proof, in one process',
      async (w) => {
        const dpop = proof({
          key: ecKey().privateKey,
          method: 'POST',
          url: `${w.base}${TOKEN}`,
          nowSeconds: w.now(),
        })
        return Promise.all(
          SIX.map(() => w.ask({ grant_type: 'client_credentials' }, w.victim.bound, [['dpop', dpop]])),
        )
      },
      '1 × 200 token of tenant:read, 5 × 400 oauth invalid_dpop_proof',
    ),
    atOnce(
      'the provider’s answer to a sign-in',
      async (w) => {
        const browser = w.people.browser('viewer')
        const { url } = await browser.follow(w.people.authorizeUrl(), `${w.base}/sso/`)
        const visits = SIX.map(async () => {
          const answer = await browser.visit(url)
          return readAnswer(answer.status, Object.fromEntries(answer.headers), await answer.text())
        })
        return Promise.all(visits)
      },
      '1 × 302 to the client, 5 × 400 page callback.invalid',
      { leaves: 'one code' },
    ),
    atOnce(
      'a refresh token, by its owner',
      async (w) => {
        const { refreshToken } = await w.people.session('viewer')
        const seen = await inTwoProcesses(w, () => refreshing(w, refreshToken))
        // A lost answer is asked for again: one successor for all, and nobody is signed out.
        assert.equal(new Set(seen.map(({ body }) => jsonOf(body)['refresh_token'])).size, 1)
        return seen
      },
      `6 × ${GOOD}`,
      { leaves: 'the session' },
    ),
    atOnce(
      'a refresh token and its successor, half each',
      async (w) => {
        const { refreshToken: first } = await w.people.session('viewer')
        const second = String(jsonOf((await w.at(TOKEN, refreshing(w, first))).body)['refresh_token'])
        const turns = SIX.map((at) => refreshing(w, at < 3 ? first : second))
        const seen = await Promise.all(
          turns.map((call, at) => (at % 2 === 0 ? w.at(TOKEN, call) : w.behindOther(call))),
        )
        const ended = seen.some(({ status }) => status === 400)
        const after = await w.at(TOKEN, refreshing(w, second))
        // Either all of the older came before its successor was used, or it is a reuse and the session is over.
        assert.equal(after.said, ended ? '400 oauth invalid_grant' : GOOD)
        return [{ ...after, said: 'all or nothing' }]
      },
      '1 × all or nothing',
      { leaves: 'the session, or its end' },
    ),
    atOnce(
      'a refresh token of two uses ago, beside the newest',
      async (w) => {
        const { refreshToken: first } = await w.people.session('viewer')
        const next = async (token: string): Promise<string> =>
          String(jsonOf((await w.at(TOKEN, refreshing(w, token))).body)['refresh_token'])
        const third = await next(await next(first))
        await Promise.all([w.behindOther(refreshing(w, first)), w.at(TOKEN, refreshing(w, third))])
        return [
          await w.at(TOKEN, refreshing(w, third)),
          await w.behindOther(refreshing(w, third)),
          await w.at(TOKEN, refreshing(w, first)),
        ]
      },
      '3 × 400 oauth invalid_grant',
      { leaves: 'a session that has ended' },
    ),
    atOnce(
      'a refresh beside the end of its session',
      async (w) => {
        const { refreshToken, userId, sessionId, accessToken } = await w.people.session('viewer')
        const path = `/v1/tenants/${VICTIM}/users/${userId}/sessions/${sessionId}`
        const [refreshed] = await Promise.all([
          w.behindOther(refreshing(w, refreshToken)),
          w.at(path, { method: 'DELETE', headers: bearer(accessToken) }),
        ])
        const successor = jsonOf(refreshed.body)['refresh_token'] ?? refreshToken
        return [
          await w.at(TOKEN, refreshing(w, String(successor))),
          await w.behindOther(refreshing(w, refreshToken)),
        ]
      },
      '2 × 400 oauth invalid_grant',
      { leaves: 'a session that has ended' },
    ),
    atOnce(
      'a client by one `Idempotency-Key`',
      (w) => {
        const { headers = [], ...call } = json({ scopes: ['tenant:read'], name: 'six times' })
        const all = [...headers, ...bearer(w.tokens.victim), ['idempotency-key', 'six-times'] as const]
        return Promise.all(SIX.map(() => w.at(`/v1/tenants/${VICTIM}/clients`, { ...call, headers: all })))
      },
      '5 × 200, 1 × 201',
      { leaves: 'one client' },
    ),
    atOnce(
      'a domain, by six claims',
      async (w) => {
        const { headers = [], ...call } = json({ domain: 'six-times.example' })
        const path = `/v1/tenants/${VICTIM}/domains`
        await Promise.all(
          SIX.map(() => w.at(path, { ...call, headers: [...headers, ...bearer(w.tokens.victim)] })),
        )
        const listed = jsonOf((await w.at(path, { headers: bearer(w.tokens.victim) })).body)['items'] as {
          domain: string
        }[]
        const count = listed.filter(({ domain }) => domain === 'six-times.example').length
        return [{ status: 0, headers: {}, body: '', said: `${count} domain` }]
      },
      '1 × 1 domain',
      { leaves: 'one domain' },
    ),
    atOnce(
      'an invitation, accepted',
      async (w) => {
        const { headers = [], ...call } = json({ email: 'developer@globex.example', role: 'viewer' })
        const made = await w.at(`/v1/tenants/${VICTIM}/invitations`, {
          ...call,
          headers: [...headers, ...bearer(w.tokens.victim)],
        })
        const accept = json({ token: jsonOf(made.body)['token'] })
        const as = (token: string) =>
          w.at('/v1/invitations/accept', { ...accept, headers: [...headers, ...bearer(token)] })
        const [mine, other] = [w.people.of.developer.accessToken, w.people.of.owner.accessToken]
        return Promise.all(SIX.map((at) => as(at % 2 === 0 ? mine : other)))
      },
      '3 × 200, 3 × 404 resource.not_found',
      { leaves: 'the invitation' },
    ),
  ],
}
