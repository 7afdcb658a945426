import assert from 'node:assert/strict'
import { type Attack, type AttackGroup, attack, attacks } from '../attack.ts'
import { jsonOf, type Seen } from '../support/answer.ts'
import { bearer, type Call, json } from '../support/send.ts'
import { ATTACKER, VICTIM, type World } from '../support/world.ts'

const MISSING = '404 resource.not_found'

/** Calls below the attacker's own path for an object of the victim. */
const underOwn = (w: World, below: string, call: Partial<Call> = {}): Promise<Seen> =>
  w.at(`/v1/tenants/${ATTACKER}${below}`, {
    ...call,
    headers: [...bearer(w.tokens.attacker), ...(call.headers ?? [])],
  })

/** An object of the victim by its own id, asked for below the attacker's path. */
const byId = (rows: Readonly<Record<string, (w: World) => Promise<Seen>>>): Attack[] =>
  attacks(rows, (w, ask) => ask(w), MISSING)

async function bindingOf(w: World): Promise<string> {
  const listed = await w.at(`/v1/tenants/${VICTIM}/bindings`, { headers: bearer(w.tokens.victim) })
  const [first] = jsonOf(listed.body)['items'] as { bindingId: string }[]
  return first?.bindingId ?? ''
}

export const foreignIds: AttackGroup = {
  title: 'The victim’s objects below one’s own path',
  aim: 'Get past the check of the tenant in the path by an id that belongs to somebody else.',
  sent: `Through the gateway, below \`/v1/tenants/${ATTACKER}\` with a token of that tenant.`,
  places: ['answer'],
  never: 'An id of another tenant is an id that does not exist.',
  attacks: [
    ...byId({
      'a client': (w) => underOwn(w, `/clients/${w.victim.modest.clientId}`),
      'a client, changed': (w) =>
        underOwn(w, `/clients/${w.victim.modest.clientId}`, json({ name: 'x' }, 'PATCH')),
      'a client, removed': (w) => underOwn(w, `/clients/${w.victim.modest.clientId}`, { method: 'DELETE' }),
      'a new secret of a client': (w) =>
        underOwn(w, `/clients/${w.victim.modest.clientId}/secrets`, json({})),
      'an API key, removed': (w) =>
        underOwn(w, `/api-keys/${w.apiKeys.victim.split('_')[2]}`, { method: 'DELETE' }),
      'a binding, removed': async (w) => underOwn(w, `/bindings/${await bindingOf(w)}`, { method: 'DELETE' }),
      'a session, ended': (w) =>
        underOwn(w, `/sessions/${w.people.of.viewer.sessionId}`, { method: 'DELETE' }),
      'a person': (w) => underOwn(w, `/users/${w.people.of.viewer.userId}`),
      'a person’s sessions': (w) => underOwn(w, `/users/${w.people.of.viewer.userId}/sessions`),
      'a person’s sessions, ended': (w) =>
        underOwn(w, `/users/${w.people.of.viewer.userId}/sessions`, { method: 'DELETE' }),
      'a person, removed': (w) => underOwn(w, `/users/${w.people.of.viewer.userId}`, { method: 'DELETE' }),
      'an identity provider': (w) => underOwn(w, `/connections/${w.people.connectionId}`),
      'an identity provider, removed': (w) =>
        underOwn(w, `/connections/${w.people.connectionId}`, { method: 'DELETE' }),
    }),
    attack(
      'usage of the victim’s, reported by the attacker',
      (w) =>
        w.at('/v1/usage', {
          ...json({
            ...{ specversion: '1.0', id: 'x', source: '//runner', subject: `tenants/${VICTIM}` },
            ...{ type: 'ai.energent.usage.workflow_runs.v1', time: new Date(w.now() * 1000).toISOString() },
            data: { value: '1', dimensions: { outcome: 'succeeded' } },
          }),
          headers: [...bearer(w.tokens.attacker), ['content-type', 'application/json']],
        }),
      '400 event.malformed',
    ),
    attack(
      'a page of the victim’s list, by its page token',
      async (w) => {
        const first = await w.at(`/v1/tenants/${VICTIM}/clients?pageSize=1`, {
          headers: bearer(w.tokens.victim),
        })
        const token = encodeURIComponent(String(jsonOf(first.body)['nextPageToken']))
        return underOwn(w, `/clients?pageSize=1&pageToken=${token}`)
      },
      '400 request.malformed',
    ),
    attack(
      'the victim’s cursor of revocations',
      async (w) => {
        const path = '/v1/revocations?waitSeconds=0'
        const first = await w.at(path, { headers: bearer(w.tokens.victim) })
        const since = encodeURIComponent(String(jsonOf(first.body)['cursor']))
        return w.at(`${path}&since=${since}`, { headers: bearer(w.tokens.attacker) })
      },
      '400 request.malformed',
    ),
    attack(
      'an answer of the victim’s, by its `Idempotency-Key`',
      async (w) => {
        const call = json({ scopes: ['tenant:read'], name: 'once' })
        const headers = [...(call.headers ?? []), ['idempotency-key', 'the-very-same'] as const]
        const path = (tenantId: string): string => `/v1/tenants/${tenantId}/clients`
        const theirs = await w.at(path(VICTIM), {
          ...call,
          headers: [...headers, ...bearer(w.tokens.victim)],
        })
        const mine = await w.at(path(ATTACKER), {
          ...call,
          headers: [...headers, ...bearer(w.tokens.attacker)],
        })
        return [theirs, mine]
      },
      ['201', '201'],
      {
        leaves: 'a client each',
        check: (_w, [theirs, mine]) => {
          const id = (seen?: Seen): unknown => jsonOf(seen?.body ?? '')['clientId']
          assert.match(String(id(mine)), new RegExp(`^cid_${ATTACKER}_`))
          assert.match(String(id(theirs)), new RegExp(`^cid_${VICTIM}_`))
        },
      },
    ),
  ],
}
