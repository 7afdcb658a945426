import type { MeterId } from '#shared/catalogue/meters.ts'
import type { CountedEvent } from './usage-event.ts'

/** How often events of a meter came again, and how many contradicted others and lost. */
export type Repeats = Readonly<
  Partial<Record<MeterId, { readonly copies: number; readonly conflicts: number }>>
>

type Counts = Partial<Record<MeterId, { copies: number; conflicts: number }>>

/** How many events of each meter came again, and how many lost. */
export function countRepeats(
  copies: readonly Pick<CountedEvent, 'meter'>[],
  conflicts: readonly Pick<CountedEvent, 'meter'>[],
): Repeats {
  return addRepeats([
    ...copies.map(({ meter }): Repeats => ({ [meter]: { copies: 1, conflicts: 0 } })),
    ...conflicts.map(({ meter }): Repeats => ({ [meter]: { copies: 0, conflicts: 1 } })),
  ])
}

export function addRepeats(parts: readonly Repeats[]): Repeats {
  const sum: Counts = {}
  for (const part of parts) {
    for (const [meter, { copies, conflicts }] of Object.entries(part)) {
      const known = sum[meter as MeterId] ?? { copies: 0, conflicts: 0 }
      sum[meter as MeterId] = { copies: known.copies + copies, conflicts: known.conflicts + conflicts }
    }
  }
  return sum
}
