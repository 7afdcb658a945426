import { type AttackGroup, attack, attacks } from '../attack.ts'
import { bearer, json } from '../support/send.ts'
import { below, by, FORBIDDEN, type Who } from './callers.ts'

const NOT_GIVABLE = '403 role.not_givable'

export const roles: AttackGroup = {
  title: 'More power than one’s own, given to oneself or a friend',
  aim: 'Turn the right to manage something into the right to everything: clients, keys, roles, invitations, connections.',
  sent: 'Through the gateway, by the one the row names.',
  places: ['answer'],
  never: 'Nobody gives what they do not hold, and nothing is made or changed.',
  attacks: [
    ...attacks<readonly [Who, string, string, object?]>(
      {
        'a modest client lists clients': ['modest', 'GET', '/clients'],
        'a modest client makes a client': ['modest', 'POST', '/clients', { scopes: ['tenant:read'] }],
        'a viewer lists people': ['viewer', 'GET', '/users'],
        'a viewer makes themselves an owner': ['viewer', 'PUT', '/users/x/roles', { roles: ['owner'] }],
        'a viewer invites': ['viewer', 'POST', '/invitations', { email: 'a@globex.example', role: 'viewer' }],
        'a viewer ends everybody’s sessions': ['viewer', 'DELETE', '/sessions'],
        'a developer connects an identity provider': [
          'developer',
          'POST',
          '/connections',
          { issuer: 'https://evil.example', clientId: 'x' },
        ],
        'a developer reads the audit': ['developer', 'GET', '/audit-events'],
        'a viewer looks at another person’s sessions': [
          'viewer',
          'GET',
          '/users/usr_01KAR6YVZG8X9Y0Z1A2B3C4D5E/sessions',
        ],
      },
      (w, [who, method, path, body]) => by(w, who, method, below(path), body),
      FORBIDDEN,
    ),
    ...attacks<readonly [Who, string, object]>(
      {
        'a tenant’s machine gives an operator’s scope to a client': [
          'victim',
          '/clients',
          { scopes: ['platform:tenants'] },
        ],
        'the same beside one of its own': [
          'victim',
          '/clients',
          { scopes: ['tenant:read', 'platform:read'] },
        ],
        'an API key with an operator’s scope': ['victim', '/api-keys', { scopes: ['platform:read'] }],
        'a role with an operator’s scope': [
          'victim',
          '/roles',
          { name: 'support', scopes: ['platform:operate'] },
        ],
        'an operator gives a tenant’s client an operator’s scope': [
          'admin',
          '/clients',
          { scopes: ['platform:read'] },
        ],
        'a scope that nobody knows': ['victim', '/clients', { scopes: ['everything'] }],
      },
      (w, [who, path, body]) => by(w, who, 'POST', below(path), body),
      '400 scope.invalid',
    ),
    ...attacks<readonly [Who, string, string, object]>(
      {
        'a machine invites an owner': [
          'victim',
          'POST',
          '/invitations',
          { email: 'x@globex.example', role: 'owner' },
        ],
        'a machine makes a client with the role of an owner': [
          'victim',
          'POST',
          '/clients',
          { scopes: ['tenant:read'], roles: ['owner'] },
        ],
      },
      (w, [who, method, path, body]) => by(w, who, method, below(path), body),
      NOT_GIVABLE,
    ),
    attack(
      'a binding with an operator’s scope',
      (w) =>
        by(w, 'victim', 'POST', below('/bindings'), {
          cluster: 'energent-shared',
          serviceAccount: 'x',
          scopes: ['platform:read'],
        }),
      '400 request.malformed',
    ),
    attack(
      'a machine makes a person an owner',
      (w) => by(w, 'victim', 'PUT', below(`/users/${w.people.of.viewer.userId}/roles`), { roles: ['owner'] }),
      NOT_GIVABLE,
    ),
    attack(
      'a machine takes `owner` from the owner',
      (w) => by(w, 'victim', 'PUT', below(`/users/${w.people.of.owner.userId}/roles`), { roles: ['viewer'] }),
      NOT_GIVABLE,
    ),
    attack(
      'a machine removes the owner',
      (w) => by(w, 'victim', 'DELETE', below(`/users/${w.people.of.owner.userId}`)),
      NOT_GIVABLE,
    ),
    attack(
      'a machine disables the owner',
      (w) => by(w, 'victim', 'PATCH', below(`/users/${w.people.of.owner.userId}`), { status: 'disabled' }),
      NOT_GIVABLE,
    ),
    ...attacks(
      { 'a role of the platform for a person': 'platform_admin', 'a role that nobody knows': 'root' },
      (w, role) =>
        by(w, 'victim', 'PUT', below(`/users/${w.people.of.viewer.userId}/roles`), { roles: [role] }),
      '400 role.unknown',
    ),
    ...attacks<object>(
      {
        'a connection whose groups make owners': { groupRoles: [{ group: 'g', role: 'owner' }] },
        'a connection whose groups make operators': { groupRoles: [{ group: 'g', role: 'platform_admin' }] },
        'a connection that makes everybody an owner': { defaultRoles: ['owner'] },
      },
      (w, change) => by(w, 'victim', 'PATCH', below(`/connections/${w.people.connectionId}`), change),
      '400 request.malformed',
    ),
    ...attacks(
      { 'a role named as an operator’s': 'platform_admin', 'a role named as the owner’s': 'owner' },
      (w, name) => by(w, 'victim', 'POST', below('/roles'), { name, scopes: ['tenant:read'] }),
      '409 role.name_taken',
    ),
    attack(
      'a client that may keep clients makes one that may do more than itself',
      async (w) => {
        const made = await by(w, 'victim', 'POST', below('/clients'), {
          scopes: ['clients:manage'],
          name: 'keeper',
        })
        const token = await w.stack.api().token(JSON.parse(made.body))
        const headers = [...bearer(token), ['content-type', 'application/json'] as const]
        const more = await w.at(below('/clients'), {
          ...json({ scopes: ['clients:manage', 'tenant:manage'] }),
          headers,
        })
        const secret = await w.at(below(`/clients/${w.victim.machine.clientId}/secrets`), {
          ...json({ overlapSeconds: 60 }),
          headers,
        })
        const { clientId } = JSON.parse(made.body) as { clientId: string }
        const own = await w.at(below(`/clients/${clientId}`), {
          ...json({ scopes: ['clients:manage', 'tenant:manage'] }, 'PATCH'),
          headers,
        })
        const keys = await w.at(below(`/clients/${w.victim.asserting.clientId}`), {
          ...json(
            {
              jwks: {
                keys: [
                  {
                    kty: 'EC',
                    crv: 'P-256',
                    x: 'Wec0KKq3hpj8m-TLKTmIUPAQeXc7Nkie7D8lAZKUdow',
                    y: 'a6V7Sxqx_SdPlrl0e9kHEl1o6aNu4cazUeLNGOLPC5E',
                    kid: 'k1',
                  },
                ],
              },
            },
            'PATCH',
          ),
          headers,
        })
        const uris = await w.at(below(`/clients/${w.victim.web.clientId}`), {
          ...json({ redirectUris: ['https://evil.example/callback'] }, 'PATCH'),
          headers,
        })
        return [more, secret, own, keys, uris]
      },
      [
        '400 scope.invalid',
        '400 scope.invalid',
        '400 scope.invalid',
        '400 scope.invalid',
        '400 scope.invalid',
      ],
      { leaves: 'the client that was made' },
    ),
  ],
}
