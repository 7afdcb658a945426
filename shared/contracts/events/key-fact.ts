import { z } from 'zod'
import { defineEvent, type EventContract } from '../define-event.ts'

/** What happens to a key that signs tokens or facts, in the order of a life. */
export const KEY_FACT_KINDS = ['published', 'activated', 'retired', 'compromised'] as const
export type KeyFactKind = (typeof KEY_FACT_KINDS)[number]

/** Fact of auth about one of its signing keys; of the private half nothing is ever said. */
export type KeyFact = {
  ring: string
  kid: string
  /** The ring's generation that this began with. */
  generation: number
  /** From when it holds: a key can be told to sign a little later. */
  at: string
}

export function keyFactType(kind: KeyFactKind): string {
  return `ai.energent.auth.key-${kind}.v1`
}

const schema = z.object({
  ring: z.string().min(1).max(32),
  kid: z.string().length(43),
  generation: z.int().min(1),
  at: z.iso.datetime(),
})

/** The contract of each kind. */
export const KEY_FACTS = Object.fromEntries(
  KEY_FACT_KINDS.map((kind) => [
    kind,
    defineEvent<KeyFact>(keyFactType(kind), schema, {
      ring: 'access',
      kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
      generation: 4,
      at: '2026-11-23T09:00:00.000Z',
    }),
  ]),
) as Readonly<Record<KeyFactKind, EventContract<KeyFact>>>
