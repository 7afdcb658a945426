// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is searched for is source text
import {
  COMMITS,
  DEADLINES,
  FAULTS,
  LEASES,
  type Mutation,
  mutationsOf,
  ORDER,
  STORE,
  VERIFY,
} from './mutation.ts'

const RECOGNISED =
  "if (snapshots.some((snapshot) => snapshot.get('commitId') === commitId)) return { kind: 'committed' }"

/** Commits, claims and the outbox. */
export const COMMIT_CHECKS: readonly Mutation[] = [
  ...mutationsOf(
    'shared/firestore/tenant-store.ts',
    [STORE, FAULTS],
    [
      [
        'the check of a context',
        "if (!TenantContext.is(ctx)) throw new TypeError('not a tenant context')",
        '',
      ],
      [
        'the end of a grant',
        'if (ctx.expiresAtMs !== undefined && ctx.expiresAtMs <= nowMs) {',
        'if (false) {',
      ],
      ['the check of every write’s tenant', 'requireOwn(ctx, decision.value.writes)', ''],
      [
        'the claim',
        'if (claim === undefined) return []\n  const fields',
        'if (claim !== undefined || claim === undefined) return []\n  const fields',
      ],
      ['the once of the claim', 'claim.id, fields, { once: true })', 'claim.id, fields)'],
      [
        'the outbox in the commit',
        '...rows.map((row) => db.createSystem(`${deps.group}_outbox`, row.id, outboxFields(row))),',
        '',
      ],
      [
        'the audit in the commit',
        '...auditWrites(deps.group, db, ctx, decision.value.audit ?? [], { nowMs, commitId }),',
        '',
      ],
      [
        'the dispatch after the commit',
        'await deps.outbox.dispatch(rows satisfies readonly OutboxRow[])',
        '',
      ],
      [
        'the look at the claim after a refusal',
        'return (await seenBefore(deps, ctx, claim)) ?? decision',
        'return decision',
      ],
      [
        'the tenant of an earlier claim',
        "found === undefined || found.value['tenantId'] !== ctx.tenantId",
        'found === undefined',
        [COMMITS],
      ],
      [
        'the digest of an earlier claim',
        "typeof existing['digest'] !== 'string' || existing['digest'] === claim?.digest",
        'true',
      ],
      [
        'the tenant of an earlier answer',
        "existing['tenantId'] === undefined || existing['tenantId'] === ctx.tenantId",
        'true',
      ],
      [
        'the end of contention',
        'for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {',
        'for (let attempt = 1; attempt <= 1; attempt += 1) {',
        [COMMITS],
      ],
      [
        'one commit id for all attempts',
        'const outcome = await commitWrites(deps.database, writes, commitId)',
        'const outcome = await commitWrites(deps.database, writes, deps.ids.uuid(nowMs + attempt))',
        [COMMITS],
      ],
    ],
  ),
  ...mutationsOf(
    'shared/firestore/commit.ts',
    [STORE, FAULTS],
    [
      [
        'the ban on unguarded increments',
        "if (hasMerge(writes) && writes.every(({ kind }) => kind === 'merge' || kind === 'verify')) {",
        'if (false) {',
      ],
      [
        'the ban on increments that are only looked at',
        "writes.every(({ kind }) => kind === 'merge' || kind === 'verify')",
        "writes.every(({ kind }) => kind === 'merge')",
        [VERIFY],
      ],
      [
        'the ban on looking at what is written',
        'requireUnwritten(writes)\n  const opened',
        'const opened',
        [VERIFY],
      ],
      [
        'the guard of what was read',
        '{ [NO_FIELD]: sdk.FieldValue.delete() }, precondition)',
        '{ [NO_FIELD]: sdk.FieldValue.delete() })',
        [VERIFY],
      ],
      [
        'the guard of what was not there',
        'batch.delete(reference, { exists: false })',
        'void batch',
        [VERIFY],
      ],
      ['the recognition of our own commit', RECOGNISED, ''],
      [
        'the commit id of what is created',
        'batch.create(reference, { ...fields, commitId })',
        'batch.create(reference, { ...fields })',
      ],
      [
        'the commit id of what is changed',
        'batch.update(reference, { ...fields, commitId }, precondition)',
        'batch.update(reference, { ...fields }, precondition)',
      ],
      [
        'the precondition of a change',
        'batch.update(reference, { ...fields, commitId }, precondition)',
        'batch.update(reference, { ...fields, commitId })',
      ],
      [
        'the precondition of a deletion',
        'batch.delete(reference, precondition)',
        'batch.delete(reference)',
        [COMMITS],
      ],
      [
        'the failing of a create',
        "if (kind === 'create') batch.create(reference, { ...fields, commitId })",
        "if (kind === 'create') batch.set(reference, { ...fields, commitId })",
      ],
      [
        'the refusal of an unread change',
        'else if (precondition === undefined) throw new TypeError(`${kind} needs the document as it was read`)',
        "else if (false) throw new TypeError('')",
        [COMMITS],
      ],
      [
        'the throwing of an unknown outcome',
        'if (![NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED].includes(Number(code))) throw error',
        '',
      ],
      ['the once', 'detailOf(write).once && snapshots[at]?.exists === true', 'false'],
      [
        'the deadline of a commit',
        "await withDeadline('firestore.commit', CALL_DEADLINE_MS, batch.commit())",
        'await batch.commit()',
        [DEADLINES],
      ],
    ],
  ),
  ...mutationsOf(
    'shared/firestore/outbox.ts',
    [STORE, FAULTS, ORDER],
    [
      [
        'the tenant of an outgoing event',
        'if (event.tenantid !== tenantId || event.subject !== subjectOf(tenantId)) {',
        'if (false) {',
      ],
      ['the mark of what was sent', "      status: 'sent',\n", "      status: 'pending',\n"],
      ['the stop after a failure', 'return { published: index, failed: rows.length - index }', 'continue'],
    ],
  ),
  ...mutationsOf(
    'functions/tenant-events/domain/lease.ts',
    [LEASES],
    [
      ['the store’s time', 'if (op.leaseUntilMs > readTimeMs)', 'if (op.leaseUntilMs > nowMs)'],
      [
        'the store’s time in a new lease',
        'leaseUntilMs: readTimeMs + LEASE_MS',
        'leaseUntilMs: nowMs + LEASE_MS',
      ],
      ['the fence of whoever takes over', 'fence: op.fence + 1', 'fence: op.fence'],
      ['the fence of whoever writes', ' && op.fence === worker.fence', ''],
      ['the lease', "if (op.leaseUntilMs > readTimeMs) return 'busy'", ''],
    ],
  ),
]
