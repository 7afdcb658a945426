import { FUNCTIONS, type FunctionId } from '../catalogue/functions.ts'
import { METER_IDS } from '../catalogue/meters.ts'
import { apiKeyCreated } from './events/api-key-created.ts'
import { apiKeyRevoked } from './events/api-key-revoked.ts'
import { authErased } from './events/auth-erased.ts'
import { billingErased } from './events/billing-erased.ts'
import { chargeRefused } from './events/charge-refused.ts'
import { charged } from './events/charged.ts'
import { clientCreated } from './events/client-created.ts'
import { clientDeleted } from './events/client-deleted.ts'
import { clientSecretRotated } from './events/client-secret-rotated.ts'
import { connectionChanged } from './events/connection-changed.ts'
import { EXPORT_REQUESTED, EXPORTED } from './events/export-requested.ts'
import { INVOICE_FACT_KINDS, invoiceFactType } from './events/invoice-fact.ts'
import { KEY_FACT_KINDS, keyFactType } from './events/key-fact.ts'
import { lockout } from './events/lockout.ts'
import { loginFailed } from './events/login-failed.ts'
import { resumeRequested } from './events/resume-requested.ts'
import { revocationRequested } from './events/revocation-requested.ts'
import { revoked } from './events/revoked.ts'
import { sessionCreated } from './events/session-created.ts'
import { sessionRevoked } from './events/session-revoked.ts'
import { slotsDrained } from './events/slots-drained.ts'
import { slotsFreezeRequested } from './events/slots-freeze-requested.ts'
import { slotsHeld } from './events/slots-held.ts'
import { stepContinue } from './events/step-continue.ts'
import { subscriptionCancelRequested } from './events/subscription-cancel-requested.ts'
import { subscriptionReady } from './events/subscription-ready.ts'
import { subscriptionRequested } from './events/subscription-requested.ts'
import { suspendRequested } from './events/suspend-requested.ts'
import { TENANT_FACT_KINDS, tenantFactType } from './events/tenant-fact.ts'
import { tierChargeRequested } from './events/tier-charge-requested.ts'
import { tokenRevoked } from './events/token-revoked.ts'
import { userDisabled } from './events/user-disabled.ts'
import { userRolesChanged } from './events/user-roles-changed.ts'
import { workRequested } from './events/work-requested.ts'

/** Who publishes on a topic, which event types it carries, and which functions hear it (contracts §3). */
export type Topic = {
  readonly types: readonly string[]
  readonly publishers: readonly (FunctionId | 'collectors' | 'security-tooling' | 'secret-manager')[]
  readonly listeners: readonly FunctionId[]
}

export const TOPICS = {
  'auth-events': {
    types: [revocationRequested.type, EXPORT_REQUESTED.auth.type],
    publishers: ['security-tooling', 'tenant-events'],
    listeners: ['auth-events'],
  },
  'auth-facts': {
    types: [
      clientCreated.type,
      clientSecretRotated.type,
      clientDeleted.type,
      connectionChanged.type,
      apiKeyCreated.type,
      apiKeyRevoked.type,
      tokenRevoked.type,
      revoked.type,
      ...KEY_FACT_KINDS.map(keyFactType),
      lockout.type,
      loginFailed.type,
      sessionCreated.type,
      sessionRevoked.type,
      authErased.type,
      EXPORTED.auth.type,
      userDisabled.type,
      userRolesChanged.type,
    ],
    publishers: ['auth', 'auth-events'],
    listeners: ['tenant-events'],
  },
  'secret-rotation': { types: [], publishers: ['secret-manager'], listeners: ['auth-events'] },
  'billing-events': {
    types: [...METER_IDS, 'void', 'replace'].map((what) => `ai.energent.usage.${what}.v1`),
    publishers: ['billing-api', 'collectors'],
    listeners: ['billing'],
  },
  'billing-commands': {
    types: [
      subscriptionRequested.type,
      subscriptionCancelRequested.type,
      tierChargeRequested.type,
      slotsFreezeRequested.type,
      EXPORT_REQUESTED.billing.type,
    ],
    publishers: ['tenant-events'],
    listeners: ['billing'],
  },
  'billing-work': {
    types: [workRequested.type],
    publishers: ['billing-api', 'billing'],
    listeners: ['billing'],
  },
  'billing-facts': {
    types: [
      subscriptionReady.type,
      charged.type,
      slotsDrained.type,
      slotsHeld.type,
      billingErased.type,
      EXPORTED.billing.type,
      chargeRefused.type,
      ...INVOICE_FACT_KINDS.map(invoiceFactType),
    ],
    publishers: ['billing'],
    listeners: ['tenant-events'],
  },
  'tenant-events': {
    types: [suspendRequested.type, resumeRequested.type],
    publishers: ['billing'],
    listeners: ['tenant-events'],
  },
  'tenant-work': {
    types: [stepContinue.type],
    publishers: ['tenants-api', 'tenant-events'],
    listeners: ['tenant-events'],
  },
  'tenant-facts': {
    types: TENANT_FACT_KINDS.map(tenantFactType),
    publishers: ['tenant-events', 'tenants-api'],
    listeners: ['auth-events', 'billing'],
  },
} as const satisfies Record<string, Topic>

export type TopicName = keyof typeof TOPICS

export const TOPIC_NAMES = Object.keys(TOPICS) as readonly TopicName[]

/** One push subscription of one function on one topic. */
export type Subscription = {
  /** Short name; the push endpoint is the function's URI + `/events/` + this. */
  readonly name: string
  readonly topic: TopicName
  readonly listener: FunctionId
  readonly deadLetterTopic: string
  readonly maxDeliveryAttempts: number
  readonly ackDeadlineSeconds: number
  readonly minimumBackoffSeconds: number
  readonly maximumBackoffSeconds: number
  readonly retentionSeconds: number
}

/** Every push subscription there is: one for each (topic, listening function). */
export const SUBSCRIPTIONS: readonly Subscription[] = TOPIC_NAMES.flatMap((topic) =>
  TOPICS[topic].listeners.map((listener) => ({
    name: `${topic}-to-${listener}`,
    topic,
    listener,
    deadLetterTopic: deadLetterTopicOf(topic),
    maxDeliveryAttempts: 100,
    // A push is answered within the function's timeout, and Pub/Sub waits 600 s at most.
    ackDeadlineSeconds: Math.min(FUNCTIONS[listener].timeoutSeconds + 10, 600),
    minimumBackoffSeconds: 10,
    maximumBackoffSeconds: 600,
    retentionSeconds: 7 * 24 * 3600,
  })),
)

export function deadLetterTopicOf(topic: TopicName): string {
  return `${topic}-dead-letter`
}
