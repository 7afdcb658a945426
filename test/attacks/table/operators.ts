import { type AttackGroup, attack, attacks } from '../attack.ts'
import { bearer, json } from '../support/send.ts'
import { ATTACKER } from '../support/world.ts'
import { below, by, FORBIDDEN, type Who } from './callers.ts'

export const operators: AttackGroup = {
  title: 'Operators’ powers, and a sign-in that is not fresh',
  aim: 'Act as an operator without being one, do more than the own part of an operator’s job, or make lasting access out of a session that was left open.',
  sent: 'Through the gateway, by the one the row names.',
  places: ['answer'],
  never: 'Nothing is made, changed or shown.',
  attacks: [
    ...attacks<readonly [Who, string, string, object?]>(
      {
        'an operator for support changes a tenant': ['support', 'PATCH', below(''), { displayName: 'x' }],
        'an operator for support keeps a tenant’s clients': [
          'support',
          'POST',
          below('/clients'),
          { scopes: ['tenant:read'] },
        ],
        'an operator for support reads a tenant’s people': ['support', 'GET', below('/users')],
        'an operator for support ends a tenant’s sessions': ['support', 'DELETE', below('/sessions')],
        'an operator with every scope reads a tenant’s people': ['admin', 'GET', below('/users')],
        'a tenant looks at the platform’s clients': ['victim', 'GET', '/v1/tenants/platform/clients'],
        'a tenant makes a client of the platform': [
          'victim',
          'POST',
          '/v1/tenants/platform/clients',
          { scopes: ['platform:read'] },
        ],
      },
      (w, [who, method, path, body]) => by(w, who, method, path, body),
      '404 resource.not_found',
    ),
    ...attacks<readonly [Who, string, string, object?]>(
      {
        'a tenant lists all tenants': ['victim', 'GET', '/v1/tenants'],
        'a tenant makes a tenant': ['victim', 'POST', '/v1/tenants', { tenantId: 'mine' }],
        'a tenant approves its own purge': ['victim', 'POST', below('/purge/approvals'), { reason: 'x' }],
        'a tenant ends its suspension': ['victim', 'POST', below('/resume'), {}],
        'a tenant ends its legal hold': ['victim', 'DELETE', below('/legal-hold')],
        'a tenant looks for others’ dead letters': ['victim', 'GET', '/v1/dead-letters?topic=billing-events'],
        'a tenant sends a dead letter again': [
          'victim',
          'POST',
          '/v1/dead-letters/billing-events_1/redrive',
          {},
        ],
        'a tenant reads the counters of the platform': ['victim', 'GET', '/metrics'],
        'an operator for support makes a tenant': ['support', 'POST', '/v1/tenants', { tenantId: 'mine' }],
        'an operator for support makes an operator': [
          'support',
          'POST',
          '/v1/tenants/platform/clients',
          { scopes: ['platform:tenants'] },
        ],
      },
      (w, [who, method, path, body]) => by(w, who, method, path, body),
      FORBIDDEN,
    ),
    attack(
      'an operator’s scope in a token of a tenant, under our own signature',
      async (w) => {
        const token = w.minted({ scope: 'platform:read platform:tenants', tenant: ATTACKER })
        return [await w.read(token), await w.at('/v1/tenants', { headers: bearer(token) })]
      },
      ['404 resource.not_found', FORBIDDEN],
    ),
    attack(
      'an operator’s role in a token of a tenant, under our own signature',
      (w) => w.read(w.minted({ scope: 'tenant:read', tenant: ATTACKER, roles: ['platform_admin', 'owner'] })),
      '404 resource.not_found',
    ),
    attack(
      'a person who signed in two hours ago makes a client',
      (w) =>
        w.at(below('/clients'), {
          ...json({ scopes: ['tenant:read'] }),
          headers: [
            ['content-type', 'application/json'],
            ...bearer(
              w.minted({
                sub: w.people.of.owner.userId,
                sid: w.people.of.owner.sessionId,
                auth_time: w.now() - 7_200,
              }),
            ),
          ],
        }),
      '401 token.sign_in_too_old',
    ),
    attack(
      'somebody who acts for a person makes a client',
      (w) =>
        w.at(below('/clients'), {
          ...json({ scopes: ['tenant:read'] }),
          headers: [
            ['content-type', 'application/json'],
            ...bearer(
              w.minted({
                sub: w.people.of.owner.userId,
                sid: w.people.of.owner.sessionId,
                auth_time: w.now(),
                act: { sub: w.victim.modest.clientId },
              }),
            ),
          ],
        }),
      '401 token.sign_in_too_old',
    ),
    attack(
      'a person’s token without a sign-in makes a client',
      (w) =>
        w.at(below('/clients'), {
          ...json({ scopes: ['tenant:read'] }),
          headers: [
            ['content-type', 'application/json'],
            ...bearer(w.minted({ sub: w.people.of.owner.userId })),
          ],
        }),
      '401 token.sign_in_too_old',
    ),
    attack(
      'a sign-in of the future makes a client',
      (w) =>
        w.at(below('/clients'), {
          ...json({ scopes: ['tenant:read'] }),
          headers: [
            ['content-type', 'application/json'],
            ...bearer(
              w.minted({
                sub: w.people.of.owner.userId,
                sid: w.people.of.owner.sessionId,
                auth_time: w.now() + 86_400,
              }),
            ),
          ],
        }),
      '401 token.sign_in_too_old',
    ),
  ],
}
