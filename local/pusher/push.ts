import type { PushMessage, PushSubscription } from './model.ts'

export type PushResult = { readonly ok: boolean; readonly status?: number; readonly error?: string }

/** The answers that Pub/Sub takes for an acknowledgement. */
const ACKNOWLEDGED = new Set([102, 200, 201, 202, 204])

/** Posts one message as a push subscription does; never throws: what goes wrong is a result. */
export async function push(
  subscription: PushSubscription,
  message: PushMessage,
  project: string,
  token: string,
  closing: AbortSignal,
): Promise<PushResult> {
  try {
    const response = await fetch(subscription.endpoint, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'user-agent': 'APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)',
      },
      body: JSON.stringify(pushBody(subscription, message, project)),
      // A redirect is not a success for Pub/Sub, and the token must not follow it elsewhere.
      redirect: 'manual',
      // Real time: the acknowledgement deadline runs for the endpoint, not on a test's clock.
      signal: AbortSignal.any([closing, AbortSignal.timeout(subscription.ackDeadlineSeconds * 1000)]),
    })
    await response.body?.cancel()
    return { ok: ACKNOWLEDGED.has(response.status), status: response.status }
  } catch (error) {
    return { ok: false, error: reasonOf(error) }
  }
}

/** The wrapped body: both spellings of two fields, as Pub/Sub sends them. */
function pushBody(subscription: PushSubscription, message: PushMessage, project: string): object {
  return {
    message: {
      data: message.data.toString('base64'),
      attributes: message.attributes,
      messageId: message.messageId,
      message_id: message.messageId,
      publishTime: message.publishTime,
      publish_time: message.publishTime,
      ...(message.orderingKey !== '' && { orderingKey: message.orderingKey }),
    },
    subscription: `projects/${project}/subscriptions/${subscription.name}`,
    deliveryAttempt: message.deliveryAttempt,
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause: unknown = error.cause
  if (cause instanceof Error && 'code' in cause) return String(cause.code)
  return error.name === 'TimeoutError' ? 'DEADLINE_EXCEEDED' : error.message
}
