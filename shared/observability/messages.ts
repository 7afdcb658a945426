import type { Severity } from '../log.ts'

/** What one message says, how serious it is, and which fields stand beside it. */
export type MessageSpec = {
  readonly severities: readonly Severity[]
  readonly meaning: string
  /** Fields that every such line has. */
  readonly fields: readonly FieldName[]
  /** Fields that it may have. */
  readonly optional: readonly FieldName[]
}

/** A field of a log line: one name, one meaning, whatever the message. */
export type FieldSpec = {
  readonly kind: 'text' | 'number' | 'flag' | 'texts' | 'httpRequest' | 'code'
  readonly meaning: string
}

/**
 * Every field a line may have beside those of Cloud Logging. None holds what a caller wrote as free
 * text, a credential, a name of a person or a body.
 */
export const LOG_FIELDS = {
  attempt: field('number', 'How often the step was tried in this operation.'),
  code: field('text', 'The public error code (`docs/errors.md`), or the failure code of a step.'),
  count: field('number', 'How many there were.'),
  deliveryAttempt: field('number', 'How often Pub/Sub has delivered the message.'),
  dependency: field('text', 'The dependency that did not answer.'),
  detail: field('text', 'What exactly was wrong, in words of ours.'),
  durationMs: field('number', 'How long it took, in milliseconds of real time.'),
  error: field('text', 'The message of what was thrown, scrubbed.'),
  errorCode: field('code', 'The code of what was thrown: a gRPC status or a system error.'),
  errorName: field('text', 'The class of what was thrown.'),
  eventId: field('text', 'The id of the CloudEvent.'),
  failure: field('text', 'Whether the failure may pass: transient, wait, permanent or refused.'),
  fence: field('number', 'The fence of the lease under which the step ran.'),
  grant: field('text', 'The OAuth grant that a token was issued for.'),
  httpRequest: field('httpRequest', 'The request as Cloud Logging shows it; the URL is the template.'),
  kid: field('text', 'The id of a signing key.'),
  managers: field('texts', 'Field managers that had changed an object of ours in the cluster.'),
  messageId: field('text', "Pub/Sub's id of the message; a copy published again has another."),
  namespace: field('text', 'The Kubernetes namespace.'),
  operation: field('text', 'The operationId of `api-spec.yaml`; `none` where no route matched.'),
  operationId: field('text', 'The lifecycle operation (`op_…`) of the tenant.'),
  outboxId: field('text', 'The row of the outbox.'),
  outcome: field('text', 'How it ended.'),
  requestId: field('text', 'The id that the caller got in `X-Request-Id`.'),
  ring: field('text', 'The key ring.'),
  stack_trace: field('text', 'Where it was thrown; Error Reporting groups by it.'),
  step: field('text', 'The step of the operation.'),
  subscription: field('text', 'The push subscription.'),
  tenantId: field('text', 'The tenant.'),
  topic: field('text', 'The topic.'),
  type: field('text', 'The type of the event, if it is one of ours.'),
  undoing: field('flag', 'Whether the step was being undone.'),
  versions: field('texts', 'Secret versions, by number.'),
} as const satisfies Record<string, FieldSpec>

export type FieldName = keyof typeof LOG_FIELDS

const ERROR: readonly FieldName[] = ['error', 'errorName', 'errorCode', 'stack_trace']
/** What the edges bind to whatever is logged while they work on a request or message. */
const BOUND: readonly FieldName[] = [
  'requestId',
  'operation',
  'subscription',
  'messageId',
  'tenantId',
  'eventId',
  'type',
]

/**
 * Every message there is. A message is constant, so that lines can be counted; `Logger` takes no
 * other, and `docs/observability.md` explains each.
 */
export const LOG_MESSAGES = {
  request: {
    severities: ['INFO', 'WARNING', 'ERROR'],
    meaning:
      'A request was answered: one line each, also for those that were refused or failed. WARNING is too much load or too high a rate, ERROR a fault of ours or of a dependency.',
    fields: ['operation', 'requestId', 'durationMs', 'httpRequest'],
    optional: ['tenantId', 'code', 'detail', 'grant', ...ERROR],
  },
  message: {
    severities: ['INFO', 'ERROR'],
    meaning: 'A message was taken, set aside or failed: one line for each delivery.',
    fields: ['subscription', 'outcome', 'durationMs'],
    optional: ['messageId', 'deliveryAttempt', 'type', 'tenantId', ...ERROR],
  },
  'requests shed': notice(
    'WARNING',
    'So many more requests were turned away in a second than have a line of their own.',
    ['count'],
  ),
  'push refused': notice('WARNING', 'A push was no delivery to this function.', ['code', 'detail']),
  'event quarantined': notice(
    'WARNING',
    'An event that can never be applied was set aside for an operator.',
    ['code', 'detail', 'subscription', 'messageId'],
  ),
  'outbox row not published': notice(
    'WARNING',
    'An event stays in the outbox until the next sweep.',
    ['topic', 'outboxId', 'error'],
    ERROR,
  ),
  'data key not wrapped again': notice(
    'WARNING',
    'A tenant’s KMS key was rotated, and its data key is still wrapped by the old version: do not destroy that one.',
    ['tenantId', 'error'],
    ERROR,
  ),
  'dependency failed': notice(
    'WARNING',
    'A health check failed; the answer names the dependency, this line the reason.',
    ['dependency', 'durationMs', 'error'],
    ERROR,
  ),
  step: {
    severities: ['INFO', 'WARNING'],
    meaning: 'A step of a lifecycle operation was tried.',
    fields: ['operationId', 'step', 'attempt', 'fence', 'undoing', 'outcome'],
    optional: ['failure', 'code', ...BOUND],
  },
  'step threw': notice(
    'ERROR',
    'A step ended in an exception; it is tried again.',
    ['step', 'error'],
    ['operationId', ...ERROR],
  ),
  'timer not heard': notice(
    'WARNING',
    'A timer that is due could not be acted upon; the next run of the timers does.',
    ['operationId', 'error'],
  ),
  'operation not resumed': notice(
    'WARNING',
    'The sweep could not ask for an operation to be continued; the next one does.',
    ['operationId', 'error'],
    ERROR,
  ),
  'cluster drift taken back': notice(
    'WARNING',
    'Somebody had changed objects of ours in the cluster.',
    ['managers'],
    ['operationId', 'step'],
  ),
  'tenant not billed to its end': notice(
    'ERROR',
    'The last invoice of a tenant that is purged is refused: its purge waits for billing.',
    ['code', 'detail'],
    ['tenantId'],
  ),
  'documents left of a purged tenant': notice(
    'WARNING',
    'A purge found documents that somebody still keeps of its tenant; `detail` counts them by collection.',
    ['detail'],
    ['operationId', 'step'],
  ),
  'namespace is not ours': notice(
    'ERROR',
    'A namespace of the name wanted exists without our labels; it is left alone.',
    ['namespace'],
    ['operationId', 'step'],
  ),
  'tenant document does not parse': notice(
    'ERROR',
    'A stored tenant cannot be read and is left out of the list.',
    ['tenantId', 'detail'],
  ),
  'key ring started': notice('INFO', 'A key ring was made.', ['ring', 'versions']),
  'key ring was started elsewhere; secret versions unused': notice(
    'WARNING',
    'Two instances made a ring at once; the versions named belong to none.',
    ['ring', 'versions'],
  ),
  'key ring was changed elsewhere; secret versions unused': notice(
    'WARNING',
    'Two instances changed a ring at once; the versions named belong to none.',
    ['ring', 'versions'],
  ),
  'key version retired': notice(
    'INFO',
    'The private half of a key that signs no more was disabled or destroyed.',
    ['ring', 'kid', 'outcome'],
  ),
  'secret version without a key disabled': notice(
    'WARNING',
    'A version that no ring names, as a crashed rotation leaves it, was disabled.',
    ['ring', 'versions'],
  ),
  'secret version not disabled': notice(
    'WARNING',
    'A version that no ring names could not be disabled; the next rotation tries again.',
    ['ring', 'versions', 'error'],
    ERROR,
  ),
  'failed log-ins not told': notice(
    'WARNING',
    'The sums of a minute of failed log-ins could not be written as facts; each attempt has its own line.',
    ['error'],
    ERROR,
  ),
  'lock-out not told': notice(
    'WARNING',
    'A lock-out holds on this instance, and its fact and audit entry could not be written.',
    ['tenantId', 'error'],
    ERROR,
  ),
  'key ring not read; the last one is used': notice(
    'WARNING',
    'The store did not give the ring; tokens are checked with the one read last.',
    ['error'],
    ERROR,
  ),
  'revocation feed not read; the last view is used': notice(
    'WARNING',
    'The store did not give the feed. Tokens are checked with the view read last, for a minute; then every request is answered 503.',
    ['error'],
    ERROR,
  ),
  'security event not signed': notice(
    'ERROR',
    'No key of the ring `events` could be had in time; the fact of a revocation left without its token.',
    ['error'],
    ERROR,
  ),
  'part of the sweep failed': notice(
    'WARNING',
    'Something that is due every minute could not be done; the next sweep does it.',
    ['error'],
    ERROR,
  ),
  'audit sealed': notice(
    'INFO',
    "A tenant's audit has a new link; `outcome` is the end of its chain, for `audit:verify --expect`.",
    ['tenantId', 'count', 'outcome'],
  ),
  'audit not sealed': notice(
    'WARNING',
    "A tenant's audit could not be chained; the next sweep tries again.",
    ['tenantId', 'error'],
    ERROR,
  ),
  'revocation entry not understood': notice(
    'ERROR',
    'An entry of the revocation feed names no tenant and nothing that is known; nothing was revoked by it.',
    ['count'],
  ),
  'standby key not loaded': notice(
    'WARNING',
    'The next signing key could not be loaded ahead of time.',
    ['kid', 'error'],
    ERROR,
  ),
  'foreign keys not read': notice(
    'WARNING',
    'The public keys of another issuer could not be fetched; the last copy serves for an hour.',
    ['detail'],
    BOUND,
  ),
  'session revoked for reuse': notice(
    'WARNING',
    'A refresh token or a code came a second time: somebody else may have it, so its session has ended.',
    ['outcome'],
  ),
  'secret rotation': notice('INFO', 'Secret Manager asked for a new version of keys or pepper.', [
    'ring',
    'outcome',
  ]),
} as const satisfies Record<string, MessageSpec>

export type LogMessage = keyof typeof LOG_MESSAGES

function field<K extends FieldSpec['kind']>(kind: K, meaning: string): FieldSpec & { readonly kind: K } {
  return { kind, meaning }
}

function notice(
  severity: Severity,
  meaning: string,
  fields: readonly FieldName[],
  optional: readonly FieldName[] = [],
): MessageSpec {
  const besides = [...new Set([...BOUND, ...optional])].filter((name) => !fields.includes(name))
  return { severities: [severity], meaning, fields, optional: besides }
}
