import { type Page, pageOf } from '../paging.ts'
import { rpcError, status } from '../rpc-error.ts'
import type { Broker, Subscription, Topic } from './broker.ts'
import { checkName, notFound } from './rules.ts'
import { forgetDelivery } from './subscription.ts'

type PageRequest = { readonly pageSize: number; readonly pageToken: string }

/** The most Pub/Sub lists in one answer. */
const LARGEST_PAGE = 1000

/** One page of the resources of a project, by name. */
export function pageOfProject<Config extends { readonly name: string }>(
  resources: Iterable<{ readonly config: Config }>,
  request: PageRequest & { readonly project: string },
): Page<Config> {
  const configs = [...resources].map((resource) => resource.config)
  const own = configs.filter((config) => config.name.startsWith(`${request.project}/`))
  return pageOf(own, (config) => config.name, request, LARGEST_PAGE)
}

/** One page of names. */
export function pageOfNames(names: Iterable<string>, request: PageRequest): Page<string> {
  return pageOf(names, (name) => name, request, LARGEST_PAGE)
}

/** A topic by its full name, or NOT_FOUND. */
export function getTopic(broker: Broker, name: string): Topic {
  checkName(name, 'topics')
  const topic = broker.topics.get(name)
  if (topic === undefined) throw notFound(name)
  return topic
}

/** A subscription by its full name, or NOT_FOUND. */
export function getSubscription(broker: Broker, name: string): Subscription {
  checkName(name, 'subscriptions')
  const subscription = broker.subscriptions.get(name)
  if (subscription === undefined) throw notFound(name)
  return subscription
}

/** The subscription, refused when it has been detached: nothing can be pulled from it. */
export function getAttached(broker: Broker, name: string): Subscription {
  const subscription = getSubscription(broker, name)
  if (!subscription.config.detached) return subscription
  throw rpcError(status.FAILED_PRECONDITION, 'The subscription is detached from its topic.')
}

/** Forgets everything a subscription holds or retains. */
export function dropBacklog(broker: Broker, subscription: Subscription): void {
  for (const delivery of [...subscription.queue.deliveries.values()])
    broker.dropDelivery(subscription, delivery)
  for (const delivery of subscription.retained.values()) forgetDelivery(broker, delivery)
  subscription.retained.clear()
}
