import type { KeyFactKind } from '#shared/contracts/events/key-fact.ts'
import type { Keyring } from './keyring.ts'

/** One thing that a change of a ring began, and from when it holds (milliseconds). */
export type KeyChange = { readonly kind: KeyFactKind; readonly kid: string; readonly atMs: number }

/** What others are told of a ring's change. */
export function keyChanges(before: Keyring | undefined, after: Keyring): readonly KeyChange[] {
  return after.keys.flatMap((key): KeyChange[] => {
    const old = before?.keys.find((candidate) => candidate.kid === key.kid)
    const began = (kind: KeyFactKind, then: number | null, now: number | null): KeyChange[] =>
      now !== null && then !== now ? [{ kind, kid: key.kid, atMs: now }] : []
    return [
      ...began('published', old?.publishAt ?? null, key.publishAt),
      ...began('activated', old?.activateAt ?? null, key.activateAt),
      ...began('compromised', old?.compromisedAt ?? null, key.compromisedAt),
      ...(key.compromisedAt === null ? began('retired', old?.disabledAt ?? null, key.disabledAt) : []),
    ]
  })
}
