import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SETTINGS, type Setting } from '#shared/config.ts'
import { EVENT_CONTRACTS } from '#shared/contracts/all-events.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { SUBSCRIPTIONS, TOPICS, type Topic } from '#shared/contracts/topics.ts'
import type { TenantId } from '#shared/ids.ts'
import { REFUSAL_HELP } from '#shared/refusal-help.ts'
import { REFUSALS, type RefusalCode } from '#shared/refusals.ts'

/**
 * Writes the documents that are made from tables of the code: `npm run docs`.
 *
 * A test compares them with what is committed, so that they cannot fall behind.
 */
const ROOT = join(import.meta.dirname, '..')
const MADE = '<!-- Made by `npm run docs`; change the table in the code instead. -->'

/** The path of each generated document, and its text. */
export function renderDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/errors.md', renderErrors()],
    ['docs/configuration.md', renderConfiguration()],
    ['docs/events.md', renderEvents()],
  ])
}

function renderErrors(): string {
  const codes = Object.entries(REFUSALS) as [RefusalCode, { status: number; title: string }][]
  const sections = codes.flatMap(([code, { status, title }]) => {
    const { meaning, remedy } = REFUSAL_HELP[code]
    return [`## ${code}`, '', `**${status}** ${title}.`, '', meaning, '', `*What to do:* ${remedy}`, '']
  })
  return lines([
    '# Errors',
    MADE,
    '',
    'Every answer other than 2xx is a problem (RFC 9457, `application/problem+json`) whose `code` stands',
    'here. OAuth endpoints answer OAuth errors (RFC 6749) instead. A code never changes its meaning. The',
    '`requestId` finds the request in the log; `detail` says what to do where something can be said. A',
    'message that is refused for good is kept in quarantine under the same codes.',
    '',
    ...sections,
  ])
}

function renderConfiguration(): string {
  const rows = Object.entries(SETTINGS).map(([name, entry]: [string, Setting<unknown>]) => {
    const { demoOnly, fallback, meaning } = entry
    const standard = fallback === undefined && !demoOnly ? 'required' : fallback ? `\`${fallback}\`` : ''
    return `| \`${name}\` | ${standard} | ${demoOnly ? 'demo only' : ''} | ${cell(meaning)} |`
  })
  return lines([
    '# Configuration',
    MADE,
    '',
    'Functions read these environment variables once, at start, and name everything that is wrong with them.',
    'Settings marked *demo only* are refused unless the project id starts with `demo-`, which Google never',
    'gives out: they would open a door in production. Elsewhere every URL must be https.',
    '',
    '| Setting | Default | | What it is |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ])
}

function renderEvents(): string {
  const topics = Object.entries(TOPICS as Record<string, Topic>)
  const rows = topics.map(([name, { publishers, listeners }]) => {
    const heard = listeners.map((listener) => `${listener}`).join(', ')
    return `| [\`${name}\`](#${name}) | ${publishers.join(', ')} | ${heard} |`
  })
  return lines([
    '# Events',
    MADE,
    '',
    'Events are CloudEvents 1.0 in JSON, one in each Pub/Sub message; `billing-events` may carry an array.',
    '`subject`, `tenantid`, `data.tenantId` and the message attributes must name one tenant. Delivery is at',
    'least once and in any order: the same `source` and `id` is the same event, and `sequence` orders facts.',
    '',
    '| Topic | Published by | Heard by |',
    '| --- | --- | --- |',
    ...rows,
    '',
    ...topics.flatMap(([name, topic]) => topicSection(name, topic)),
  ])
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
      return `Subscription \`${subscription.name}\`: ${ackDeadlineSeconds} s to answer, \`${deadLetterTopic}\` after ${maxDeliveryAttempts} attempts.`
    }),
    '',
    ...(topic.types.length === 0 ? ['It carries messages that are no CloudEvents, or none yet.'] : []),
    ...topic.types.map((type) => `* \`${type}\``),
    '',
    ...(first === undefined ? [] : exampleSection(first, described)),
  ]
}

/** One whole event, and of the others their data where it differs. */
function exampleSection(first: string, described: readonly string[]): string[] {
  const fence = (value: unknown): string[] => ['```json', JSON.stringify(value, undefined, 2), '```', '']
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

function exampleOf(type: string): object | undefined {
  return EVENT_CONTRACTS.find((contract) => contract.type === type)?.example
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function lines(all: readonly string[]): string {
  return `${all
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`
}

if (import.meta.main) {
  await mkdir(join(ROOT, 'docs'), { recursive: true })
  for (const [path, text] of renderDocs()) {
    await writeFile(join(ROOT, path), text)
    console.log(`wrote ${path}`)
  }
}
