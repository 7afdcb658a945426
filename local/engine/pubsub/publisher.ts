import { applyMask, type FieldMask } from '../field-mask.ts'
import type { ServiceHandlers } from '../grpc.ts'
import { rpcError, status } from '../rpc-error.ts'
import type { Broker, Topic } from './broker.ts'
import { dropBacklog, getSubscription, getTopic, pageOfNames, pageOfProject } from './lookup.ts'
import { alreadyExists, checkName, checkPublish, checkTopic, DELETED_TOPIC } from './rules.ts'
import { sweepRetained } from './seek.ts'
import type { TopicConfig, WireMessage } from './wire.ts'

type PageRequest = { pageSize: number; pageToken: string }

const UPDATABLE = new Set([
  'labels',
  'messageStoragePolicy',
  'kmsKeyName',
  'schemaSettings',
  'messageRetentionDuration',
  'ingestionDataSourceSettings',
  'messageTransforms',
])

/** google.pubsub.v1.Publisher. */
export function publisherHandlers(broker: Broker): ServiceHandlers {
  return {
    unary: {
      CreateTopic: (config: TopicConfig) => createTopic(broker, config),
      UpdateTopic: (request: { topic: TopicConfig | null; updateMask: FieldMask }) =>
        updateTopic(broker, request.topic, request.updateMask),
      Publish: (request: { topic: string; messages: WireMessage[] }) => {
        checkName(request.topic, 'topics')
        checkPublish(request.messages)
        const topic = getTopic(broker, request.topic)
        sweepRetained(broker)
        return { messageIds: broker.publish(topic, request.messages) }
      },
      GetTopic: (request: { topic: string }) => getTopic(broker, request.topic).config,
      ListTopics: (request: { project: string } & PageRequest) => {
        const page = pageOfProject(broker.topics.values(), request)
        return { topics: page.items, nextPageToken: page.nextPageToken }
      },
      ListTopicSubscriptions: (request: { topic: string } & PageRequest) => {
        const topic = getTopic(broker, request.topic)
        const names = [...topic.subscriptions].map((subscription) => subscription.config.name)
        const page = pageOfNames(names, request)
        return { subscriptions: page.items, nextPageToken: page.nextPageToken }
      },
      ListTopicSnapshots: (request: { topic: string } & PageRequest) => {
        getTopic(broker, request.topic)
        const names = [...broker.snapshots.values()]
          .filter((snapshot) => snapshot.config.topic === request.topic)
          .map((snapshot) => snapshot.config.name)
        const page = pageOfNames(names, request)
        return { snapshots: page.items, nextPageToken: page.nextPageToken }
      },
      DeleteTopic: (request: { topic: string }) => deleteTopic(broker, request.topic),
      DetachSubscription: (request: { subscription: string }) => detach(broker, request.subscription),
    },
  }
}

/** Creates a topic after checking all it says; ALREADY_EXISTS when there is one. */
export function createTopic(broker: Broker, config: TopicConfig): TopicConfig {
  checkTopic(config)
  if (broker.topics.has(config.name)) throw alreadyExists(config.name)
  return saveTopic(broker, broker.openTopic({ ...config, state: 'ACTIVE' }))
}

function saveTopic(broker: Broker, topic: Topic): TopicConfig {
  broker.journal.putResource('topics', topic.config.name, topic.config)
  return topic.config
}

function updateTopic(broker: Broker, update: TopicConfig | null, mask: FieldMask): TopicConfig {
  if (update === null) throw rpcError(status.INVALID_ARGUMENT, 'The topic of the update is missing.')
  const topic = getTopic(broker, update.name)
  const changed = applyMask(topic.config, update, mask, UPDATABLE)
  checkTopic(changed)
  topic.config = changed
  if (changed.messageRetentionDuration === null) releaseRetained(broker, topic)
  return saveTopic(broker, topic)
}

function releaseRetained(broker: Broker, topic: Topic): void {
  broker.journal.atomically(() => {
    for (const message of topic.retained) broker.letGo(message)
  })
  topic.retained = []
}

/** Its subscriptions keep their backlog and their place, but have no topic any more. */
function deleteTopic(broker: Broker, name: string): object {
  const topic = getTopic(broker, name)
  broker.journal.atomically(() => {
    broker.topics.delete(name)
    broker.journal.deleteResource('topics', name)
    releaseRetained(broker, topic)
    for (const subscription of topic.subscriptions) {
      subscription.config = { ...subscription.config, topic: DELETED_TOPIC }
      broker.journal.putResource('subscriptions', subscription.config.name, subscription.config)
    }
  })
  return {}
}

function detach(broker: Broker, name: string): object {
  const subscription = getSubscription(broker, name)
  broker.journal.atomically(() => {
    subscription.config = { ...subscription.config, detached: true }
    broker.journal.putResource('subscriptions', name, subscription.config)
    broker.topics.get(subscription.config.topic)?.subscriptions.delete(subscription)
    dropBacklog(broker, subscription)
  })
  const reason = rpcError(status.FAILED_PRECONDITION, 'The subscription is detached from its topic.')
  for (const end of [...subscription.streams]) end(reason)
  return {}
}
