import { hashedId } from '#shared/ids.ts'
import { canonicalJson } from '#shared/json.ts'
import type { Quarantine } from '#shared/pubsub/quarantine.ts'
import { producerAttributes } from '../domain/producer.ts'
import type { UsageQuarantine } from '../ports.ts'

const SUBSCRIPTION = 'billing-events-to-billing'

/** Sets single events of a message aside; the same event again does not fill the quarantine. */
export function usageQuarantine(quarantine: Quarantine): UsageQuarantine {
  return {
    put: async ({ payload, detail, producer, ...entry }) => {
      const body = JSON.stringify(payload)
      await quarantine.put({
        ...entry,
        ...producerAttributes(producer),
        messageId: entry.origin.messageId,
        id: hashedId(SUBSCRIPTION, producer, entry.tenantId, nameOf(payload, body)),
        detail: detail.slice(0, 500),
        subscription: SUBSCRIPTION,
        payload: Buffer.from(body, 'utf8'),
      })
    },
  }
}

/** Usage that waited for its tenant comes back with its members in another order. */
function nameOf(payload: unknown, body: string): string {
  try {
    return canonicalJson(payload)
  } catch {
    // What is set aside may be just what canonical JSON cannot say.
    return body
  }
}
