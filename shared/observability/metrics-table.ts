import { STEP_KEYS } from '../catalogue/operation-steps.ts'
import { ROUTES } from '../catalogue/routes.ts'
import { SUBSCRIPTIONS, TOPIC_NAMES } from '../contracts/topics.ts'
import { REFUSALS } from '../refusals.ts'
import type { LogMessage } from './messages.ts'
import { SHED_REASONS } from './shed-reasons.ts'

/** Where in a line a value stands; a dot leads into an object. */
export type LineField = string

/**
 * A label and all values it may have. What is none of them counts as `other`, so that nobody can make
 * series by sending nonsense: a metric has at most the product of its labels' values.
 */
export type LabelSpec = {
  readonly field: LineField
  readonly values: readonly string[]
}

/** One metric, as it follows from the lines of the log. */
export type MetricSpec = {
  readonly kind: 'counter' | 'histogram'
  readonly help: string
  /** The message of the lines it counts. */
  readonly message: LogMessage
  /** Further conditions: a field with exactly this value, or, with `present`, with any. */
  readonly where?: Readonly<Record<LineField, string | number | typeof PRESENT>>
  readonly labels: Readonly<Record<string, LabelSpec>>
  /** A histogram's value: the field, in milliseconds. Prometheus gets seconds. */
  readonly valueMs?: LineField
}

/** Any value at all, in a condition. */
export const PRESENT = { present: true } as const

/** The label value of whatever the table does not list. */
export const OTHER = 'other'

/** Upper bounds of the buckets of every histogram, in seconds. */
export const BUCKET_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30] as const

const OPERATION: LabelSpec = { field: 'operation', values: [...Object.keys(ROUTES), 'none'] }
const CODE: LabelSpec = { field: 'code', values: Object.keys(REFUSALS) }
const SUBSCRIPTION: LabelSpec = {
  field: 'subscription',
  values: [...SUBSCRIPTIONS.map(({ name }) => name), '(unknown)'],
}
const STATUS: LabelSpec = {
  field: 'httpRequest.status',
  values: ['200', '201', '202', '204', '302', '304', ...refusalStatuses()],
}
const GRANTS = [
  'client_credentials',
  'authorization_code',
  'refresh_token',
  'urn:ietf:params:oauth:grant-type:token-exchange',
]

/**
 * Every metric there is. `/metrics` shows them for one instance, and Terraform makes log-based metrics
 * of the same rows for all: both follow from the lines, so the two cannot tell different stories.
 */
export const METRICS = {
  energent_http_requests_total: counter('Requests answered.', 'request', {
    operation: OPERATION,
    status: STATUS,
  }),
  energent_http_request_duration_seconds: histogram('How long answers took.', 'request', {
    operation: OPERATION,
  }),
  energent_http_refusals_total: {
    ...counter('Requests refused or failed, by public error code.', 'request', { code: CODE }),
    where: { code: PRESENT },
  },
  energent_requests_shed_total: {
    ...counter(
      'Requests turned away because the instance was full; in a flood those with a line of their own.',
      'request',
      { reason: { field: 'detail', values: Object.values(SHED_REASONS) } },
    ),
    where: { code: 'overload.shed' },
  },
  energent_tokens_issued_total: {
    ...counter('Access tokens issued.', 'request', {
      grant: { field: 'grant', values: GRANTS },
    }),
    where: { operation: 'createToken', 'httpRequest.status': 200 },
  },
  energent_messages_total: counter('Messages delivered, by what became of them.', 'message', {
    subscription: SUBSCRIPTION,
    outcome: { field: 'outcome', values: ['done', 'ignored', 'quarantined', 'failed'] },
  }),
  energent_message_duration_seconds: histogram('How long messages took.', 'message', {
    subscription: SUBSCRIPTION,
  }),
  energent_push_refused_total: counter('Pushes that were no delivery to this function.', 'push refused', {
    code: CODE,
  }),
  energent_events_quarantined_total: counter('Events set aside for an operator.', 'event quarantined', {
    subscription: SUBSCRIPTION,
    code: CODE,
  }),
  energent_outbox_unpublished_total: counter(
    'Publishes that failed and wait for the sweep.',
    'outbox row not published',
    { topic: { field: 'topic', values: TOPIC_NAMES } },
  ),
  energent_steps_total: counter('Tries of steps of lifecycle operations.', 'step', {
    step: { field: 'step', values: STEP_KEYS },
    outcome: { field: 'outcome', values: ['done', 'waiting', 'failed'] },
  }),
  energent_dependency_failures_total: counter('Health checks that failed.', 'dependency failed', {
    dependency: {
      field: 'dependency',
      values: ['firestore', 'pubsub', 'secrets', 'keyring', 'kms', 'kubernetes'],
    },
  }),
  energent_keyring_stale_total: counter(
    'Reads of the key ring that fell back to the last one.',
    'key ring not read; the last one is used',
    {},
  ),
} as const satisfies Record<string, MetricSpec>

export type MetricName = keyof typeof METRICS

/** The most series one instance can show of a metric; a histogram has a series for each bucket, sum and count. */
export function mostSeries({ kind, labels }: MetricSpec): number {
  const combinations = Object.values(labels).reduce((all, { values }) => all * (values.length + 1), 1)
  return kind === 'counter' ? combinations : combinations * (BUCKET_SECONDS.length + 3)
}

function counter<const L extends MetricSpec['labels']>(help: string, message: LogMessage, labels: L) {
  return { kind: 'counter', help, message, labels } as const
}

function histogram<const L extends MetricSpec['labels']>(help: string, message: LogMessage, labels: L) {
  return { kind: 'histogram', help, message, labels, valueMs: 'durationMs' } as const
}

function refusalStatuses(): string[] {
  return [...new Set(Object.values(REFUSALS).map(({ status }) => String(status)))].sort()
}
