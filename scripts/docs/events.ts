import { METERS, type Meter } from '#shared/catalogue/meters.ts'
import { EVENT_CONTRACTS } from '#shared/contracts/all-events.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { SUBSCRIPTIONS, TOPICS, type Topic } from '#shared/contracts/topics.ts'
import type { TenantId } from '#shared/ids.ts'
import { code, fence, MADE, page, table } from './page.ts'

/** `docs/events.md`: every topic, who is on it, and what its events look like. */
export function renderEvents(): string {
  const topics = Object.entries(TOPICS as Record<string, Topic>)
  const rows = topics.map(([name, { publishers, listeners }]) => [
    `[\`${name}\`](#${name})`,
    publishers.join(', '),
    listeners.join(', '),
  ])
  return page([
    '# Events',
    MADE,
    '',
    'Events are CloudEvents 1.0 in JSON, one in each Pub/Sub message; `billing-events` may carry an array.',
    '`subject`, `tenantid`, `data.tenantId` and the message attributes must name one tenant. Delivery is at',
    'least once and in any order: the same `source` and `id` is the same event, and `sequence` orders facts.',
    'An event leaves with the commit that caused it, so it is published if and only if that took effect.',
    '',
    ...table(['Topic', 'Published by', 'Heard by'], rows),
    ...envelope(),
    ...topics.flatMap(([name, topic]) => topicSection(name, topic)),
  ])
}

function envelope(): string[] {
  const members = [
    ['`id`, `source`', 'what makes two events the same; never random, so that a retry is the same event'],
    ['`type`', '`ai.energent.<area>.<fact>.v1`; a version only grows by optional fields'],
    ['`subject`, `tenantid`', '`tenants/{tenantId}`, and the id alone'],
    ['`time`', 'when it happened, RFC 3339'],
    ['`sequence`', 'number of the tenant’s facts on a topic, decimal; only a higher one is applied'],
    ['`correlationid`, `causationid`', 'the operation it belongs to, and the event it follows from'],
    ['`traceparent`', 'the trace of the request it follows from (W3C Trace Context)'],
    ['`partitionkey`', 'the tenant: the ordering key of the message'],
  ]
  const attributes = ['type', 'tenantid', 'content-type', 'traceparent'].map(code).join(', ')
  return [
    '## Envelope',
    '',
    ...table(['Member', 'What it is'], members),
    `Message attributes: ${attributes}. Where one is sent it must equal the member, or the event is set aside.`,
    '',
  ]
}

function topicSection(name: string, topic: Topic): string[] {
  const subscriptions = SUBSCRIPTIONS.filter((subscription) => subscription.topic === name)
  const described = topic.types.filter((type) => exampleOf(type) !== undefined)
  const first = described[0]
  return [
    `## ${name}`,
    '',
    ...subscriptions.map((subscription) => {
      const { maxDeliveryAttempts, deadLetterTopic, ackDeadlineSeconds } = subscription
      return `* Subscription \`${subscription.name}\`: ${ackDeadlineSeconds} s to answer, \`${deadLetterTopic}\` after ${maxDeliveryAttempts} attempts.`
    }),
    '',
    ...(topic.types.length === 0
      ? ['It carries messages that are no CloudEvents, or none yet.']
      : ['Types:']),
    '',
    ...topic.types.map((type) => `* ${code(type)}${noteOf(type)}`),
    '',
    ...(name === 'billing-events' ? meterSection() : []),
    ...(first === undefined ? [] : exampleSection(first, described)),
  ]
}

/** What is sent before anybody can apply it is kept, not lost. */
function noteOf(type: string): string {
  return isUsage(type) || exampleOf(type) !== undefined
    ? ''
    : ': the name is kept; until it is built, such an event is set aside in quarantine'
}

function meterSection(): string[] {
  const rows = Object.entries<Meter>(METERS).map(([meter, { unit, aggregation, scale, ...rest }]) => [
    code(meter),
    unit,
    aggregation,
    String(scale),
    rest.dimensions.map(code).join(', '),
    rest.needsResource ? 'required' : '',
  ])
  return [
    'The type names the meter. `data.value` is a decimal text in its unit; a `count` needs none.',
    '',
    ...table(['Meter', 'Unit', 'Counted by', 'Decimals', '`data.dimensions`', '`data.resource`'], rows),
    'An event of the type `ai.energent.usage.agent_minutes.v1`:',
    '',
    ...fence({
      specversion: '1.0',
      id: 'run-4711-minute-3',
      source: '//agents.example/pod-7',
      type: 'ai.energent.usage.agent_minutes.v1',
      subject: 'tenants/acme',
      time: '2026-11-23T09:00:00.000Z',
      data: { value: '60', dimensions: { workflow_class: 'research' } },
    }),
  ]
}

/** One whole event, and of the others their data where it differs. */
function exampleSection(first: string, described: readonly string[]): string[] {
  const data = JSON.stringify(exampleOf(first))
  const others = described.slice(1).filter((type) => JSON.stringify(exampleOf(type)) !== data)
  const event = newEvent({
    id: 'acme.7.0',
    source: '//energent.ai/example',
    type: first,
    tenantId: 'acme' as TenantId,
    nowMs: Date.UTC(2026, 10, 23, 9),
    data: exampleOf(first),
    sequence: 7n,
  })
  return [
    `An event of the type \`${first}\`:`,
    '',
    ...fence(event),
    ...others.flatMap((type) => [`\`data\` of \`${type}\`:`, '', ...fence(exampleOf(type))]),
  ]
}

function isUsage(type: string): boolean {
  return type.startsWith('ai.energent.usage.')
}

function exampleOf(type: string): object | undefined {
  return EVENT_CONTRACTS.find((contract) => contract.type === type)?.example
}
