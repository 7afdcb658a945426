import { AUTH_GUARDS, CLOCKS, LIFECYCLE, type Mutation, mutationsOf, SUBSCRIPTIONS } from './mutation.ts'

/** Guards of what a decision rests on without writing it, and verdicts that no clock may change. */
export const GUARDS: readonly Mutation[] = [
  ...mutationsOf(
    'functions/billing/adapters/subscriptions.ts',
    [SUBSCRIPTIONS],
    [['the guard of a subscription that is only read', 'return [db.verify(MAIN, current)]', 'return []']],
  ),
  ...mutationsOf(
    'functions/billing/operations/count-batch.ts',
    [CLOCKS],
    [
      [
        'the verdict of the first commit',
        'return batch.events.filter((event) => !recorded.has(event.key))',
        'return recorded.size < 0 ? [] : [...untimely]',
      ],
      [
        'the second chance of a single event',
        'if (untimely.size > 0 && isNamedByOneEvent(batch)) return [...untimely]',
        '',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/billing/domain/usage-batch.ts',
    [CLOCKS],
    [
      [
        'the name that stands for all events of a message',
        '    batch.batchId,\n    batch.producer,\n    batch.events.filter',
        '    batchIdOf(batch.events.filter((event) => !left.has(event))),\n    batch.producer,\n    batch.events.filter',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/adapters/client-store.ts',
    [AUTH_GUARDS],
    [
      [
        'the guard of a client’s tenant',
        'if (decided.value.state === undefined) writes.push(db.verify(STATE, state))',
        '',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/adapters/api-key-store.ts',
    [AUTH_GUARDS],
    [['the guard of an API key’s tenant', 'db.verify(STATE, state),', '']],
  ),
  ...mutationsOf(
    'functions/auth/adapters/invitation-store.ts',
    [AUTH_GUARDS],
    [
      ['the guard of an invitation’s tenant', 'db.verify(STATE, state),', ''],
      ['the guard of how many invitations there are', '            guard(),\n', ''],
    ],
  ),
  ...mutationsOf(
    'functions/auth/adapters/binding-store.ts',
    [AUTH_GUARDS],
    [
      ['the guard of a binding’s tenant', 'db.verify(STATE, state), ', ''],
      ['the guard of how many bindings there are', ', guard()]', ']'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/adapters/group-store.ts',
    [AUTH_GUARDS],
    [['the guard of a group’s name', '...(named ? [guard()] : []), ', '']],
  ),
  ...mutationsOf(
    'functions/auth/adapters/client-register.ts',
    [AUTH_GUARDS],
    [['the guard of whoever changes a client', 'writes.push(db.verify([CLIENTS, keeperId], keeper))', '']],
  ),
  ...mutationsOf(
    'functions/auth/adapters/sign-on-store.ts',
    [AUTH_GUARDS],
    [
      ['the guard of a domain’s tenant', '[db.verify(STATE, state), db.create(path', '[db.create(path'],
      ['the guard of a domain’s owner', 'writes.push(db.verifySystem(OWNERS, domainId, owner))', ''],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/adapters/lifecycle-store.ts',
    [LIFECYCLE],
    [
      ['the guard of an id that is free', "db.verifySystem('tombstones', db.tenantId, tombstone),", ''],
      [
        'the guard of a tenant that stays as it is',
        'change.tenant === undefined ? db.verify([], read.tenant) : db.update([], read.tenant, change.tenant),',
        '...(change.tenant === undefined ? [] : [db.update([], read.tenant, change.tenant)]),',
      ],
    ],
  ),
]
