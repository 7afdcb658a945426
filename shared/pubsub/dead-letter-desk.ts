import { TOPIC_NAMES, type TopicName } from '../contracts/topics.ts'
import { pause } from '../deadline.ts'
import type { DeadLetter, DeadLetterBox } from './dead-letters.ts'
import { eachLetter } from './each-letter.ts'

/** A dead letter's name between calls. Pub/Sub's own handle, the `ackId`, is another with each pull. */
export type DeadLetterId = { readonly topic: TopicName; readonly messageId: string }

/** `{topic}_{messageId}`: no topic has that sign in it, and Pub/Sub names a message the same for ever. */
export function formatDeadLetterId({ topic, messageId }: DeadLetterId): string {
  return `${topic}_${messageId}`
}

/** The parts of an id, or undefined for a text that names no dead letter. */
export function parseDeadLetterId(text: string | undefined): DeadLetterId | undefined {
  const [, name, messageId = ''] = /^([a-z-]+)_([A-Za-z0-9_-]{1,100})$/.exec(text ?? '') ?? []
  const topic = TOPIC_NAMES.find((known) => known === name)
  return topic === undefined ? undefined : { topic, messageId }
}

/** Looks at dead letters one request at a time; what is only looked at is there for the next. */
export type DeadLetterDesk = {
  /** The letters of a topic, the oldest first. `complete` is false when there were more than are looked at. */
  list(
    topic: TopicName,
    signal: AbortSignal,
  ): Promise<{ readonly letters: readonly DeadLetter[]; readonly complete: boolean }>
  /**
   * Lets `use` have a letter while nobody else can; it goes back unless `use` acknowledged it (`gone`).
   * False when there is no such letter, or somebody else has it: Pub/Sub does not tell the two apart.
   */
  take(
    id: DeadLetterId,
    signal: AbortSignal,
    use: (letter: DeadLetter, box: DeadLetterBox) => Promise<'gone' | 'back'>,
  ): Promise<boolean>
  close(): Promise<void>
}

/** As many as one request looks at; those behind them wait until some are settled. */
export const MOST_LETTERS = 1_000
/** Others look for an instant only, and their letters come back with the next pull. */
const LOOKS = 3
const LOOK_PAUSE_MS = 400

/** Opens the dead letters of a topic when they are first asked for, and keeps the connection. */
export function deadLetterDesk(
  open: (topic: TopicName) => Promise<DeadLetterBox>,
  lookPauseMs = LOOK_PAUSE_MS,
): DeadLetterDesk {
  const boxes = new Map<TopicName, Promise<DeadLetterBox>>()
  const boxOf = (topic: TopicName): Promise<DeadLetterBox> => {
    const opened = boxes.get(topic) ?? open(topic)
    boxes.set(topic, opened)
    // One that could not be opened is opened anew by the next who asks.
    opened.catch(() => boxes.delete(topic))
    return opened
  }
  return {
    list: async (topic, signal) => {
      const letters: DeadLetter[] = []
      const everything = { ids: [], selects: () => true, limit: MOST_LETTERS, mostSeen: MOST_LETTERS, signal }
      const seen = await eachLetter(await boxOf(topic), everything, async (letter) => {
        letters.push(letter)
        return 'back'
      })
      return { letters: letters.sort(byAge), complete: seen === 'all' }
    },
    take: async ({ topic, messageId }, signal, use) => {
      const box = await boxOf(topic)
      let found = false
      for (let look = 1; look <= LOOKS && !found && !signal.aborted; look += 1) {
        // Real time on purpose: it is Pub/Sub's own lease that is waited for.
        if (look > 1) await pause(lookPauseMs)
        const selects = (letter: DeadLetter): boolean => letter.messageId === messageId
        const one = { ids: [messageId], selects, limit: 1, mostSeen: MOST_LETTERS, signal }
        await eachLetter(box, one, (letter) => {
          found = true
          return use(letter, box)
        })
      }
      return found
    },
    close: async () => {
      for (const opened of boxes.values()) await (await opened).close()
      boxes.clear()
    },
  }
}

function byAge(left: DeadLetter, right: DeadLetter): number {
  if (left.publishedAtMs !== right.publishedAtMs) return left.publishedAtMs - right.publishedAtMs
  return left.messageId < right.messageId ? -1 : 1
}
