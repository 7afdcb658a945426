import type { Seen } from './support/answer.ts'
import type { World } from './support/world.ts'

/** What an attack sends; what comes of it, one answer for each place or request, in the order of `places`. */
export type Attack = {
  readonly name: string
  readonly send: (world: World) => Promise<Seen | readonly Seen[]>
  /** In the words of `answer.ts`; exactly this. */
  readonly answers: readonly string[]
  /** What it may leave behind, in words; without it not one lasting document may differ afterwards. */
  readonly leaves?: string
  /** A look at what must not have happened, where the answer and the store's sameness do not tell. */
  readonly check?: (world: World, seen: readonly Seen[]) => Promise<void> | void
}

/** Attacks of one kind: a table of `docs/attacks.md`. */
export type AttackGroup = {
  readonly title: string
  /** Why anybody would try. */
  readonly aim: string
  /** How each of them is sent, where the name does not say it all. */
  readonly sent: string
  /** Column headings of `answers`. */
  readonly places: readonly string[]
  /** What must not have happened, besides what holds for all. */
  readonly never: string
  readonly attacks: readonly Attack[]
}

type Send = Attack['send']
type More = Pick<Attack, 'leaves' | 'check'>

/** One row whose attack gets one answer, or one for each place. */
export function attack(
  name: string,
  send: Send,
  answers: string | readonly string[],
  more: More = {},
): Attack {
  return { name, send, answers: typeof answers === 'string' ? [answers] : answers, ...more }
}

/** Rows that differ in what is sent and get the same answer. */
export function attacks<T>(
  rows: Readonly<Record<string, T>>,
  send: (world: World, value: T) => ReturnType<Send>,
  answers: string | readonly string[],
  more: More = {},
): Attack[] {
  return Object.entries(rows).map(([name, value]) =>
    attack(name, (world) => send(world, value), answers, more),
  )
}
