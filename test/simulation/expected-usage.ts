import type { UsageMessage, UsageRaw } from './workload.ts'

/** Counters by name, in the order of names. */
export type Tally = readonly (readonly [name: string, value: number])[]

/** Places after the point of each meter that is summed up; others only count events. */
const SCALES: Readonly<Record<string, number>> = { agent_minutes: 3, llm_tokens_in: 0 }

/**
 * What must be stored of a tenant's usage when each message counts once, computed without the code
 * under test. Of early events those count that `taken` names. Copies of an event in other messages are other batches: live counters count both.
 */
export function expectedUsage(
  messages: readonly UsageMessage[],
  tenant: string,
  taken: ReadonlySet<string>,
): { readonly ids: readonly string[]; readonly batches: number; readonly live: Tally } {
  const batches = new Map<string, readonly UsageRaw[]>()
  for (const message of messages) {
    const own = message.good.get(tenant)
    if (own === undefined) continue
    // The same events in the same company, said by the same, are the same batch.
    const company = [...message.good.values(), ...message.early.values()].flat().map(({ id }) => id)
    const early = (message.early.get(tenant) ?? []).filter(({ id }) => taken.has(id))
    batches.set([message.producer, ...company.sort()].join(' '), [...own, ...early])
  }
  const tally = new Map<string, bigint>()
  const add = (key: string, by: bigint): void => void tally.set(key, (tally.get(key) ?? 0n) + by)
  for (const event of [...batches.values()].flat()) {
    const meter = event.type.split('.')[3] ?? ''
    const hour = event.time.replace(/[-T]/g, '').slice(0, 10)
    add(`${hour} ${meter} events`, 1n)
    const scale = SCALES[meter]
    if (scale !== undefined) add(`${hour} ${meter} sum`, BigInt(String(event.data['value']).replace('.', '')))
  }
  return {
    ids: [...new Set([...batches.values()].flat().map(({ id }) => id))].sort(),
    batches: batches.size,
    live: [...tally]
      .map(([name, value]) => [name, Number(value)] as const)
      .sort(([left], [right]) => (left < right ? -1 : 1)),
  }
}
