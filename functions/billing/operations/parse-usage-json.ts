import { asRecord, parseJsonText } from '#shared/json.ts'
import { ok, type Result } from '#shared/result.ts'

const WHOLE = /^-?(?:0|[1-9]\d*)$/

/**
 * Parses one event or an array of them, like `parseJsonText`, and spoils each `data.value` whose number
 * JSON does not spell as a whole one that is held exactly.
 *
 * `JSON.parse` rounds: 9007199254740990.6 becomes a safe integer, one that nobody sent, and no check
 * afterwards can tell. Such a value becomes a text that is no quantity, so its event is refused.
 * `eventsOf` finds the events where they are a part of something.
 */
export function parseUsageJson(
  bytes: Uint8Array,
  eventsOf: (root: unknown) => readonly unknown[] = (root) => (Array.isArray(root) ? root : [root]),
): Result<unknown> {
  // First as it is: what is no JSON is refused in the usual words.
  const plain = parseJsonText(bytes)
  if (!plain.ok) return plain
  // Walking all of it costs as much as parsing it, and most senders write decimals as text.
  if (!eventsOf(plain.value).some((event) => numberIn(event) !== undefined)) return plain
  const spelled = spellings(new TextDecoder().decode(bytes))
  const root = spelled?.root ?? plain.value
  for (const event of eventsOf(root)) {
    const data = numberIn(event)
    if (data === undefined) continue
    const spelling = spelled?.of.get(data) ?? ''
    const isExact = WHOLE.test(spelling) && Number.isSafeInteger(data['value'])
    if (!isExact) data['value'] = `number ${spelling}`.slice(0, 100)
  }
  return ok(root)
}

/** The data of an event whose `value` is a number. */
function numberIn(event: unknown): Record<string, unknown> | undefined {
  const data = asRecord(asRecord(event)?.['data'])
  return typeof data?.['value'] === 'number' ? data : undefined
}

/** How each number called `value` is spelled, by the object it is in; undefined for what is nested too deep. */
function spellings(text: string): { root: unknown; of: WeakMap<object, string> } | undefined {
  const of = new WeakMap<object, string>()
  const note = function (this: object, key: string, value: unknown, context: { source?: string }): unknown {
    if (key === 'value' && typeof value === 'number') of.set(this, context.source ?? '')
    return value
  }
  try {
    return { root: JSON.parse(text, note as (this: unknown, key: string, value: unknown) => unknown), of }
  } catch {
    // A reviver walks by recursion. No event is nested so deep, and its neighbours must not suffer.
    return undefined
  }
}
