/**
 * The name of a member that stands twice in one object of a JSON text, or undefined.
 *
 * `JSON.parse` keeps the last of two and says nothing; whoever looked at the first was deceived (RFC
 * 8259 §4). Takes only text that `JSON.parse` takes. One pass without recursion: the text may be
 * nested as deep as it is long.
 */
export function findRepeatedMember(text: string): string | undefined {
  const objects: (Set<string> | undefined)[] = []
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      if (isName(text, end)) {
        const name = textOf(text, at, end)
        const names = objects.at(-1)
        if (names?.has(name) === true) return name
        names?.add(name)
      }
      at = end
    } else if (code === OPEN_OBJECT) objects.push(objects.length < DEEPEST ? new Set() : undefined)
    else if (code === OPEN_ARRAY) objects.push(undefined)
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) objects.pop()
  }
  return undefined
}

/** Deeper than any body may be: what is refused for that needs no names, which would fill the memory. */
const DEEPEST = 64

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const SPACE = 0x20
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

/** Where the string that begins at `start` has its closing quote. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end < 0 ? text.length : end
}

function isEscaped(text: string, at: number): boolean {
  let before = at - 1
  while (text.charCodeAt(before) === BACKSLASH) before -= 1
  return (at - before) % 2 === 0
}

/** In an array no string is followed by a colon. White space is whatever is not above the space. */
function isName(text: string, end: number): boolean {
  let next = end + 1
  while (text.charCodeAt(next) <= SPACE) next += 1
  return text.charCodeAt(next) === COLON
}

/** Two spellings of one name are one name. */
function textOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end)
  return raw.includes('\\') ? String(JSON.parse(`"${raw}"`)) : raw
}
