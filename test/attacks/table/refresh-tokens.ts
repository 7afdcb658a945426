import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type Attack, type AttackGroup, attack, attacks } from '../attack.ts'
import { jsonOf, type Seen } from '../support/answer.ts'
import { ecKey, proof } from '../support/forge.ts'
import { bearer, form } from '../support/send.ts'
import { VICTIM, type World } from '../support/world.ts'
import { INVALID, readLater, refresh } from './grant-requests.ts'

const DONE = /^200 token of openid tenant:read$/

const bytesOf = (token: string): Buffer => Buffer.from(token.slice(4), 'base64url')
/** A refresh token of these bytes with the checksum that belongs to them. */
function withChecksum(body: Buffer): string {
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return `drt_${Buffer.concat([body, sum]).toString('base64url')}`
}
const changed = (token: string, change: (body: Buffer) => Buffer): string =>
  withChecksum(change(bytesOf(token).subarray(0, -4)))

const wrongRefresh = (
  rows: Readonly<Record<string, (w: World, token: string) => string>>,
  answer = INVALID,
): Attack[] =>
  attacks(
    rows,
    async (w, make) => {
      const { refreshToken } = w.people.of.developer
      return refresh(w, make(w, refreshToken))
    },
    answer,
  )

function at(index: number, change: (byte: number) => number): (body: Buffer) => Buffer {
  return (body) => {
    const copy = Buffer.from(body)
    copy[index] = change(copy[index] ?? 0)
    return copy
  }
}

export const refreshTokens: AttackGroup = {
  title: 'Refresh tokens',
  aim: 'Make, guess or steal one; have a stolen one outlive its owner’s next use.',
  sent: '`POST /oauth2/token` with `grant_type=refresh_token` for the public client the person signed in at.',
  places: ['answer'],
  never: 'What is no token of the session changes nothing; what was a token of it before ends it.',
  attacks: [
    ...wrongRefresh({
      'one letter changed': (_w, token) => `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
      padding: (_w, token) => `${token}=`,
      'a space behind it': (_w, token) => `${token} `,
      'its text in capitals': (_w, token) => token.toUpperCase(),
      'without its prefix': (_w, token) => token.slice(4),
      'nothing but the prefix': () => 'drt_',
      'another format': (_w, token) =>
        changed(
          token,
          at(0, () => 9),
        ),
      'another pepper': (_w, token) =>
        changed(
          token,
          at(1, (byte) => byte ^ 1),
        ),
      'another session': (_w, token) =>
        changed(
          token,
          at(5, (byte) => byte ^ 1),
        ),
      'the next counter': (_w, token) =>
        changed(
          token,
          at(18, (byte) => byte + 1),
        ),
      'counter zero': (_w, token) =>
        changed(
          token,
          at(18, () => 0),
        ),
      'a signature of zeros': (_w, token) =>
        changed(token, (body) => Buffer.concat([body.subarray(0, -16), Buffer.alloc(16)])),
      'a signature with a key of the attacker’s': (w, token) =>
        changed(token, (body) => {
          const head = body.subarray(0, -16)
          return Buffer.concat([
            head,
            createHmac('sha256', w.people.app).update(head).digest().subarray(0, 16),
          ])
        }),
      'a byte more': (_w, token) => changed(token, (body) => Buffer.concat([body, Buffer.of(0)])),
      'a byte less': (_w, token) => changed(token, (body) => body.subarray(0, -1)),
      'a counter of nine bytes': (_w, token) =>
        changed(token, (body) =>
          Buffer.concat([body.subarray(0, 18), Buffer.alloc(9, 0xff), body.subarray(18)]),
        ),
      'the counter in a longer spelling': (_w, token) =>
        changed(token, (body) =>
          Buffer.concat([body.subarray(0, 18), Buffer.of((body[18] ?? 0) | 0x80, 0), body.subarray(19)]),
        ),
      'a token of nobody’s': () =>
        withChecksum(Buffer.concat([Buffer.of(1, 1), randomBytes(16), Buffer.of(1), randomBytes(16)])),
      'an access token': (w) => w.people.of.developer.accessToken,
      'an API key': (w) => w.apiKeys.victim,
      'six thousand characters': () => `drt_${'A'.repeat(6_000)}`,
    }),
    ...wrongRefresh({ 'an empty text': () => '' }, '400 oauth invalid_request'),
    attack(
      'by another client of the tenant',
      (w) =>
        w.ask(
          { grant_type: 'refresh_token', refresh_token: w.people.of.developer.refreshToken },
          w.victim.web,
        ),
      INVALID,
    ),
    attack(
      'by a client that may not refresh',
      (w) =>
        w.ask(
          { grant_type: 'refresh_token', refresh_token: w.people.of.developer.refreshToken },
          w.victim.machine,
        ),
      '400 oauth unauthorized_client',
    ),
    attack(
      'by an unknown client',
      (w) => refresh(w, w.people.of.developer.refreshToken, { client_id: `cid_${VICTIM}_0000000000000000` }),
      '401 oauth invalid_client',
    ),
    attack(
      'by no client',
      (w) => refresh(w, w.people.of.developer.refreshToken, { client_id: undefined }),
      '401 oauth invalid_client',
    ),
    attack(
      'in the URL',
      (w) =>
        w.at(
          `/oauth2/token?refresh_token=${w.people.of.developer.refreshToken}`,
          form({ grant_type: 'refresh_token', client_id: w.people.app }),
        ),
      '400 oauth invalid_request',
    ),
    attack(
      'two uses ago: the thief comes after the owner',
      async (w) => {
        const { refreshToken: first } = await w.people.session('viewer')
        const second = String(jsonOf((await refresh(w, first)).body)['refresh_token'])
        const third = String(jsonOf((await refresh(w, second)).body)['refresh_token'])
        return [await refresh(w, first), await refresh(w, third)]
      },
      [INVALID, INVALID],
      { leaves: 'a session that has ended' },
    ),
    attack(
      'two uses ago: the owner comes after the thief',
      async (w) => {
        const { refreshToken: stolen, accessToken } = await w.people.session('viewer')
        const second = String(jsonOf((await refresh(w, stolen)).body)['refresh_token'])
        const third = jsonOf((await refresh(w, second)).body)
        const owner = await refresh(w, stolen)
        const thief = await refresh(w, String(third['refresh_token']))
        return [
          owner,
          thief,
          await readLater(w, String(third['access_token'])),
          await readLater(w, accessToken),
        ]
      },
      [INVALID, INVALID, '401 token.invalid', '401 token.invalid'],
      { leaves: 'a session that has ended' },
    ),
    attack(
      'the one before, within its grace, for more than the request that it repeats',
      async (w) => {
        const { refreshToken: first } = await w.people.session('owner')
        const narrow = await refresh(w, first, { scope: 'tenant:read' })
        const wide = await refresh(w, first, { scope: 'tenant:read users:manage' })
        return [narrow, wide]
      },
      ['200 token of tenant:read', '400 oauth invalid_scope'],
      { leaves: 'the session' },
    ),
    attack(
      'the one before, within its grace: the same successor and no third',
      async (w) => {
        const { refreshToken: first } = await w.people.session('viewer')
        const answers = [await refresh(w, first), await refresh(w, first), await refresh(w, first)]
        const successors = new Set(answers.map(({ body }) => jsonOf(body)['refresh_token']))
        assert.equal(successors.size, 1)
        return answers
      },
      Array.from({ length: 3 }, () => '200 token of openid tenant:read'),
      { leaves: 'the session' },
    ),
    attack(
      'of a session that its owner has ended',
      async (w) => {
        const { refreshToken, userId, sessionId, accessToken } = await w.people.session('viewer')
        const path = `/v1/tenants/${VICTIM}/users/${userId}/sessions/${sessionId}`
        const ended = await w.at(path, { method: 'DELETE', headers: bearer(accessToken) })
        return [ended, await refresh(w, refreshToken), await readLater(w, accessToken)]
      },
      ['204', INVALID, '401 token.invalid'],
      { leaves: 'a session that has ended' },
    ),
    attack(
      'bound to a key, without it',
      async (w) => {
        const { key, token } = await boundSession(w)
        const without = await refresh(w, token)
        const other = await refreshWith(w, token, ecKey().privateKey)
        return [without, other, await refreshWith(w, token, key)]
      },
      [INVALID, INVALID, '200 token of openid tenant:read'],
      { leaves: 'the session' },
    ),
  ],
}

async function boundSession(
  w: World,
): Promise<{ key: ReturnType<typeof ecKey>['privateKey']; token: string }> {
  const key = ecKey().privateKey
  const code = await w.people.code('viewer')
  const fields = {
    grant_type: 'authorization_code',
    client_id: code.clientId,
    code: code.code,
    redirect_uri: code.redirectUri,
    code_verifier: code.verifier,
  }
  const made = await w.ask(fields, undefined, [['dpop', proofFor(w, key)]])
  assert.match(made.said, DONE)
  return { key, token: String(jsonOf(made.body)['refresh_token']) }
}

const proofFor = (w: World, key: ReturnType<typeof ecKey>['privateKey']): string =>
  proof({ key, method: 'POST', url: `${w.base}/oauth2/token`, nowSeconds: w.now() })

function refreshWith(w: World, token: string, key: ReturnType<typeof ecKey>['privateKey']): Promise<Seen> {
  const fields = { grant_type: 'refresh_token', client_id: w.people.app, refresh_token: token }
  return w.ask(fields, undefined, [['dpop', proofFor(w, key)]])
}
