import { type Attack, type AttackGroup, attacks } from '../attack.ts'
import type { Seen } from '../support/answer.ts'
import { bearer, type Call, json } from '../support/send.ts'
import { ATTACKER, VICTIM, type World } from '../support/world.ts'

const MISSING = '404 resource.not_found'

/** Calls below the victim's path with a token of the attacker's machine, which holds every scope of a tenant. */
const asAttacker = (w: World, below: string, call: Partial<Call> = {}): Promise<Seen> =>
  w.at(`/v1/tenants/${VICTIM}${below}`, {
    ...call,
    headers: [...bearer(w.tokens.attacker), ...(call.headers ?? [])],
  })

const reads = (paths: Readonly<Record<string, string>>): Attack[] =>
  attacks(paths, (w, below) => asAttacker(w, below), MISSING)

export const foreignPaths: AttackGroup = {
  title: 'The victim’s paths with a token of another tenant',
  aim: 'Read or change another tenant’s things, or learn that they are there.',
  sent: `Through the gateway, with a token of \`${ATTACKER}\` that holds every scope a tenant can have.`,
  places: ['answer'],
  never: 'Nothing of the victim is shown or changed; the answer is that of a tenant that does not exist.',
  attacks: [
    ...reads({
      'the record': '',
      clients: '/clients',
      'API keys': '/api-keys',
      bindings: '/bindings',
      sessions: '/sessions',
      people: '/users',
      roles: '/roles',
      invitations: '/invitations',
      'identity providers': '/connections',
      domains: '/domains',
      'the audit': '/audit-events',
      'what happened to it': '/timeline',
      'its operations': '/operations',
      'its deletion certificate': '/deletion-certificate',
      usage: '/usage',
      'the next invoice': '/invoices/upcoming',
    }),
    ...attacks<readonly [below: string, body: object]>(
      {
        'a client for the victim': ['/clients', { scopes: ['tenant:read'] }],
        'an API key for the victim': ['/api-keys', { scopes: ['scim'] }],
        'a binding for the victim': [
          '/bindings',
          { cluster: 'energent-shared', serviceAccount: 'x', scopes: ['usage:write'] },
        ],
        'an owner for the victim': ['/invitations', { email: 'mallory@evil.example', role: 'owner' }],
        'a role for the victim': ['/roles', { name: 'x-ray', scopes: ['users:manage'] }],
        'an identity provider for the victim': [
          '/connections',
          { issuer: 'https://evil.example', clientId: 'x' },
        ],
        'another tier for the victim': ['/tier-change', { toTier: 'enterprise', effective: 'now' }],
        'a suspended victim': ['/suspend', { mode: 'hard', reason: 'abuse' }],
        'an end for the victim': ['/offboard', { graceDays: 0, export: false }],
        'the victim’s data': ['/export', { scope: 'all' }],
        'a purge of the victim': ['/purge/approvals', { reason: 'mine now' }],
        'a domain for the victim': ['/domains', { domain: 'evil.example' }],
      },
      (w, [below, body]) => asAttacker(w, below, json(body)),
      MISSING,
    ),
    ...attacks<readonly [method: string, below: (w: World) => string, body?: object]>(
      {
        'the victim’s client, changed': [
          'PATCH',
          (w) => `/clients/${w.victim.modest.clientId}`,
          { scopes: ['tenant:manage'] },
        ],
        'the victim’s client, removed': ['DELETE', (w) => `/clients/${w.victim.modest.clientId}`],
        'a new secret of the victim’s client': [
          'POST',
          (w) => `/clients/${w.victim.modest.clientId}/secrets`,
          { overlapSeconds: 0 },
        ],
        'all sessions, ended': ['DELETE', () => '/sessions'],
        'a person, disabled': ['PATCH', (w) => `/users/${w.people.of.owner.userId}`, { status: 'disabled' }],
        'a person’s roles': ['PUT', (w) => `/users/${w.people.of.viewer.userId}/roles`, { roles: ['owner'] }],
        'the identity provider, disabled': [
          'PATCH',
          (w) => `/connections/${w.people.connectionId}`,
          { status: 'disabled' },
        ],
      },
      (w, [method, below, body]) =>
        asAttacker(w, below(w), body === undefined ? { method } : json(body, method)),
      MISSING,
    ),
  ],
}
