import type { PubSub } from '@google-cloud/pubsub'

/** Google's client on an emulator. Loaded only when asked for: the embedded engine needs none of it. */
export async function connectPubsub(options: { pubsubHost: string; project: string }): Promise<PubSub> {
  const { PubSub: Client } = await import('@google-cloud/pubsub')
  return new Client({ projectId: options.project, apiEndpoint: options.pubsubHost, emulatorMode: true })
}
