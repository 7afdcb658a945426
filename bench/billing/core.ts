import { createHash } from 'node:crypto'
import { NO_CORRECTIONS } from '../../functions/billing/domain/apply-corrections.ts'
import { deduplicate } from '../../functions/billing/domain/deduplicate.ts'
import { foldingHour } from '../../functions/billing/domain/fold-hour.ts'
import { finish } from '../../functions/billing/domain/steps.ts'
import { tallyEvents } from '../../functions/billing/domain/tally.ts'
import { batchIdOf, makeBatches } from '../../functions/billing/domain/usage-batch.ts'
import { parseUsageEvent, type UsageEvent } from '../../functions/billing/domain/usage-event.ts'
import { parseUsageJson } from '../../functions/billing/operations/parse-usage-json.ts'
import { benchEvent, cpuMsOf, median, whole } from './events.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')
const HOUR = { fromMs: NOW - 7_200_000, toMs: NOW - 3_600_000 }
const SIZE = 100
const MESSAGES = 100

/** Events a second of processor time: the pure part of billing, beside what any design has to do. */
export async function benchCore(rounds: number): Promise<void> {
  const messages = Array.from({ length: MESSAGES }, (_none, message) =>
    Buffer.from(
      JSON.stringify(
        Array.from({ length: SIZE }, (_one, index) =>
          benchEvent('acme', message * SIZE + index, HOUR.fromMs + message * 1_000 + index),
        ),
      ),
    ),
  )
  const least: number[] = []
  const taken: number[] = []
  const folded: number[] = []
  for (let round = 0; round <= rounds; round += 1) {
    const events: UsageEvent[] = []
    const peer = await cpuMsOf(() => messages.forEach(parseAndHash))
    const ours = await cpuMsOf(() => {
      for (const message of messages) events.push(...takeIn(message))
    })
    const fold = await cpuMsOf(() => {
      const hour = finish(foldingHour(events, HOUR, NO_CORRECTIONS))
      return tallyEvents(hour.events, () => 1)
    })
    // The first round warms up.
    if (round === 0) continue
    least.push(peer)
    taken.push(ours)
    folded.push(fold)
  }
  const perSecond = (ms: number): number => (MESSAGES * SIZE * 1_000) / ms
  const [peer, ours, fold] = [median(least), median(taken), median(folded)]
  const bytes = messages.reduce((sum, { byteLength }) => sum + byteLength, 0) / (MESSAGES * SIZE)
  console.log(`core: ${rounds} rounds of ${whole(MESSAGES * SIZE)} events of ${whole(bytes)} bytes; medians`)
  console.log(
    `  JSON.parse and SHA-256 of the same bytes  ${whole(perSecond(peer)).padStart(12)} events/s per core`,
  )
  console.log(
    `  parse, check, name, deduplicate, batch    ${whole(perSecond(ours)).padStart(12)} events/s per core, ${(peer / ours).toFixed(2)} x`,
  )
  console.log(
    `  and fold to exact quantities with roots   ${whole(perSecond(ours + fold)).padStart(12)} events/s per core, ${(peer / (ours + fold)).toFixed(2)} x`,
  )
}

function parseAndHash(message: Buffer): void {
  for (const event of JSON.parse(message.toString('utf8')) as object[]) void event
  createHash('sha256').update(message).digest()
}

function takeIn(message: Buffer): UsageEvent[] {
  const parsed = parseUsageJson(message)
  if (!parsed.ok) throw new Error(parsed.detail)
  const rules = {
    tenantId: 'acme',
    nowMs: NOW,
    maxAgeMs: 35 * 24 * 3_600_000,
    producer: 'collector' as const,
  }
  const good = (parsed.value as unknown[]).map((raw) => {
    const event = parseUsageEvent(raw, rules)
    if (!event.ok) throw new Error(event.detail)
    return event.value
  })
  const { events } = deduplicate(good)
  const name = { batchId: batchIdOf(events), tenantId: 'acme', mixed: false, producer: 'collector' as const }
  return makeBatches(events, name).flatMap((batch) => batch.events)
}
