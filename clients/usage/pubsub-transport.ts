import type { Transport } from './types.ts'

/** gRPC: what is wrong with the message itself stays wrong. */
const INVALID_ARGUMENT = 3

/**
 * Publishes batches on `billing-events`, for collectors of the platform that may.
 *
 * `publish` resolves once Pub/Sub has the message, such as `topic.publishMessage` of the official client.
 */
export function pubsubTransport(
  publish: (message: {
    readonly data: Uint8Array
    readonly attributes: Readonly<Record<string, string>>
  }) => Promise<unknown>,
): Transport {
  return {
    send: async ({ tenantId, type, body }) => {
      const attributes = {
        'content-type': 'application/cloudevents-batch+json',
        tenantid: tenantId,
        ...(type === undefined ? {} : { type }),
      }
      try {
        await publish({ data: body, attributes })
        return { kind: 'taken' }
      } catch (error) {
        const code = (error as { code?: unknown }).code
        const why = error instanceof Error ? error.message : String(error)
        if (code === INVALID_ARGUMENT)
          return { kind: 'refused', code: 'pubsub.invalid_argument', detail: why }
        return { kind: 'later', why }
      }
    },
  }
}
