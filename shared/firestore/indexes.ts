import { GROUPS } from '../catalogue/functions.ts'
import { CHAINED_GROUPS } from './paths.ts'

/** A field of a composite index, in the words of `firestore.indexes.json`. */
export type IndexField = {
  readonly fieldPath: string
  readonly order: 'ASCENDING' | 'DESCENDING'
}

export type CompositeIndex = {
  readonly collectionGroup: string
  readonly queryScope: 'COLLECTION' | 'COLLECTION_GROUP'
  readonly fields: readonly IndexField[]
  /** The query that cannot be answered without it. */
  readonly neededBy: string
}

export type TtlPolicy = {
  readonly collectionGroup: string
  readonly field: string
  /** How long a document is kept, and why no longer. */
  readonly kept: string
}

export type UnindexedField = { readonly collectionGroup: string; readonly field: string }

/**
 * Every composite index there is. The local engine refuses a query that none of them serves, as
 * production does, and Terraform makes them.
 *
 * Equality alone, one range or one order needs none: single-field indexes are automatic, and those of
 * several equalities are merged.
 */
export const COMPOSITE_INDEXES: readonly CompositeIndex[] = GROUPS.map((group) => ({
  collectionGroup: `${group}_outbox`,
  queryScope: 'COLLECTION',
  fields: [
    { fieldPath: 'status', order: 'ASCENDING' },
    { fieldPath: 'createdAtMs', order: 'ASCENDING' },
  ],
  neededBy: 'the sweep: pending rows, the oldest first',
}))

/** Fields that hold the moment after which a document may go. Firestore deletes within a day of it. */
export const TTL_POLICIES: readonly TtlPolicy[] = [
  {
    collectionGroup: 'auth_replay',
    field: 'expireAt',
    kept: 'assertions used: until none of them could be accepted any more',
  },
  {
    collectionGroup: 'auth_sessions',
    field: 'expireAt',
    kept: 'sessions: a day after the last refresh token has expired, or a week after it was ended',
  },
  {
    collectionGroup: 'auth_codes',
    field: 'expireAt',
    kept: 'authorization codes: 24 hours after their minute, so that a second use is recognised',
  },
  {
    collectionGroup: 'auth_flows',
    field: 'expireAt',
    kept: 'sign-ins under way: ten minutes',
  },
  {
    collectionGroup: 'auth_invitations',
    field: 'expireAt',
    kept: 'invitations: 30 days after they are over, for whoever asks what became of one',
  },
  {
    collectionGroup: 'entries',
    field: 'exp',
    kept: 'the revocation feed: until the last token it is about has expired',
  },
  ...GROUPS.flatMap((group) => [
    {
      collectionGroup: `${group}_inbox`,
      field: 'expireAt',
      kept: '30 days for events, longer than Pub/Sub can deliver one again; 24 hours for requests',
    },
    { collectionGroup: `${group}_outbox`, field: 'expireAt', kept: '7 days after it was published' },
    {
      collectionGroup: `${group}_quarantine`,
      field: 'expireAt',
      kept: '30 days after it was settled; for ever while it waits',
    },
  ]),
]

/**
 * Fields that nobody asks for and that would cost an index entry, or many, at each write: bodies and
 * payloads. The fields of the TTL policies are not indexed either.
 */
export const UNINDEXED_FIELDS: readonly UnindexedField[] = [
  ...GROUPS.flatMap((group) => [
    { collectionGroup: `${group}_outbox`, field: 'body' },
    { collectionGroup: `${group}_outbox`, field: 'attributes' },
    { collectionGroup: `${group}_inbox`, field: 'answer' },
    { collectionGroup: `${group}_quarantine`, field: 'payload' },
  ]),
  ...CHAINED_GROUPS.flatMap((group) =>
    unindexed(`${group}_chain`, ['segments', 'root', 'prev', 'hash', 'signature']),
  ),
  { collectionGroup: 'auth_segments', field: 'entries' },
  // Read by `atMs` alone, the newest first.
  ...unindexed('lifecycle_segments', ['entries', 'root']),
  // Read by `at` alone, each with the others.
  ...['tenantId', 'kind', 'id', 'before', 'reason', 'commitId'].map((field) => ({
    collectionGroup: 'entries',
    field,
  })),
  // Written at each refresh, and what rises with the time would make all of them queue for one index.
  ...unindexed('auth_sessions', [
    ...['salt', 'counter', 'rotatedAt', 'rotatedScopes', 'scopes', 'jkt', 'acr', 'amr', 'authTime'],
    ...['issuedAt', 'createdAt', 'idleUntil', 'absoluteUntil', 'endedAt', 'endReason', 'commitId'],
  ]),
  // Found by their hash, and by the session at the identity provider that is logged out.
  ...unindexed('auth_codes', [
    ...['codeHash', 'clientId', 'userId', 'redirectUri', 'codeChallenge', 'scopes', 'openid', 'nonce'],
    ...['acr', 'amr', 'authTime', 'dpopJkt', 'sessionId', 'expiresAtMs', 'commitId'],
  ]),
  // Sealed, so that no order and no comparison of them means anything; members are never searched for.
  ...unindexed('auth_users', [
    'emailSealed',
    'nameSealed',
    'scim.sealed',
    'scim.groups',
    'idpLinks',
    'rolesFrom',
  ]),
  ...unindexed('auth_invitations', ['emailSealed']),
  ...unindexed('auth_groups', ['members']),
  { collectionGroup: 'billing_usageBatches', field: 'payload' },
  { collectionGroup: 'billing_live', field: 'h' },
  { collectionGroup: 'billing_quota', field: 'leases' },
  { collectionGroup: 'billing_grants', field: 'burns' },
  { collectionGroup: 'billing_subscriptions', field: 'history' },
  ...unindexed('versions', ['currencies', 'filters']),
  ...unindexed('billing_usageBatches', ['receivedAtMs', 'firstMs', 'lastMs', 'n', 'root', 'schema']),
  // Found by their day, and all else is read with them.
  ...unindexed('billing_rollups', [
    ...['tallies', 'repeats', 'root', 'digest', 'rev', 'batchCount', 'events', 'dupes', 'conflicts'],
    ...['hour', 'commitId', 'newestMs', 'keys'],
  ]),
  ...unindexed('billing_rollupDays', ['tallies', 'repeats', 'hours', 'digest', 'rev', 'day', 'commitId']),
  ...unindexed('billing_usageConflicts', ['sides', 'source', 'id', 'key', 'meter']),
  ...unindexed('billing_corrections', ['targets', 'left', 'from', 'commitId']),
  ...unindexed('billing_invoices', ['head', 'charged', 'corrections', 'reason']),
  ...unindexed('lines', ['line']),
  ...unindexed('billing_exports', ['parts', 'totals']),
]

function unindexed(collectionGroup: string, fields: readonly string[]): UnindexedField[] {
  return fields.map((field) => ({ collectionGroup, field }))
}

/** The same as `firestore.indexes.json`, which Firebase's and Google's tools read. */
export function indexesJson(): object {
  const override = (field: UnindexedField, ttl: boolean) => ({
    collectionGroup: field.collectionGroup,
    fieldPath: field.field,
    ...(ttl ? { ttl } : {}),
    indexes: [],
  })
  return {
    indexes: COMPOSITE_INDEXES.map(({ neededBy: _why, ...index }) => index),
    fieldOverrides: [
      ...TTL_POLICIES.map((policy) => override(policy, true)),
      ...UNINDEXED_FIELDS.map((field) => override(field, false)),
    ],
  }
}
