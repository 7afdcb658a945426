import { type Mutation, mutationsOf } from './mutation.ts'

const COMMANDS = 'test/tenant-events/commands.test.ts'
const HISTORY = 'test/tenant-events/history.test.ts'
const LETTERS = 'test/tenant-events/operations/dead-letters.test.ts'

/** Who ends a tenant, who is told what of it, and what becomes of a message exactly once. */
export const LIFECYCLE_CHECKS: readonly Mutation[] = [
  ...mutationsOf(
    'functions/tenant-events/http/authority.ts',
    [COMMANDS],
    [
      ['the owner who ends a contract', "request.token.claims.roles.includes('owner')", 'true'],
      ['the person behind a machine', 'if (person === undefined) return', 'if (false) return'],
      ['the person in an approval', 'signIn && subject : owner', 'signIn && subject : subject'],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/http/commands.ts',
    [COMMANDS],
    [
      [
        'the revision that the caller has seen',
        'hasSeen: (revision) => checkIfMatch',
        'seen: (revision) => checkIfMatch',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/domain/timeline.ts',
    [HISTORY],
    [
      ['the name of no operator', "if (actor.startsWith('operator:')) return 'operator'", ''],
      ['the silence about holds', "audience === 'operator' || !UNTOLD.includes(action)", 'true', [COMMANDS]],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/domain/views.ts',
    [HISTORY],
    [['the secrets taken out of a text', 'redactSecrets(text.slice(0, LONGEST_TEXT))', 'text']],
  ),
  ...mutationsOf(
    'functions/tenant-events/adapters/tenant-history.ts',
    [HISTORY],
    [['the entries of a commit that were shown', 'one.index < after.index', 'one.index <= after.index']],
  ),
  ...mutationsOf(
    'shared/pubsub/redrive.ts',
    [LETTERS],
    [
      [
        'the claim of who sends a letter again',
        'const claim = own?.claim ?? requestClaim(',
        'const claim = requestClaim(',
      ],
    ],
  ),
  ...mutationsOf(
    'shared/pubsub/each-letter.ts',
    [LETTERS],
    [
      [
        'the return of what was only looked at',
        "if ((await act(letter)) === 'back') held.push(letter)",
        'await act(letter)',
      ],
    ],
  ),
]
