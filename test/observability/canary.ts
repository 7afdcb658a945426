/** A value that must not be found anywhere, and what it stands for. */
export type Canary = { readonly name: string; readonly value: string }

export type Leak = { readonly canary: string; readonly form: string; readonly around: string }

/**
 * How a value may stand in a text: as it is, escaped for JSON or a URL, as hex, or as base64 on its own
 * or in the middle of something longer, which shifts every character of it.
 */
export function formsOf(value: string): ReadonlyMap<string, string> {
  const bytes = Buffer.from(value, 'utf8')
  const hex = bytes.toString('hex')
  const percent = hex.replaceAll(/../g, (pair) => `%${pair}`)
  const units = Array.from({ length: value.length }, (_, at) => value.charCodeAt(at))
  const unicode = units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
  const json = JSON.stringify(value).slice(1, -1)
  return new Map([
    ['raw', value],
    ['JSON', json],
    ['JSON in JSON', JSON.stringify(json).slice(1, -1)],
    ['JSON, escaped whole', unicode],
    ['URL', encodeURIComponent(value)],
    ['form', new URLSearchParams([['', value]]).toString().slice(1)],
    ['URL, escaped whole', percent],
    ['hex', hex],
    ...[0, 1, 2].flatMap((shift): [string, string][] => {
      const inner = insideBase64(bytes, shift)
      return [
        [`base64 +${shift}`, inner],
        [`base64url +${shift}`, inner.replaceAll('+', '-').replaceAll('/', '_')],
      ]
    }),
  ])
}

/** The characters of base64 that depend on these bytes alone, `shift` bytes into something longer. */
function insideBase64(bytes: Buffer, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), bytes])
    .toString('base64')
    .replaceAll('=', '')
  const partial = (shift + bytes.length) % 3 === 0 ? 0 : 1
  return text.slice(Math.ceil((shift * 8) / 6), partial === 0 ? undefined : -1)
}

/** Where canaries stand in a text, whatever their form. */
export function leaksIn(text: string, canaries: readonly Canary[]): Leak[] {
  const folded = text.toLowerCase()
  return canaries.flatMap(({ name, value }) =>
    [...formsOf(value)].flatMap(([form, looked]) => {
      // Hex and escapes are written in either case; nothing is lost by folding the rest too.
      const at = folded.indexOf(looked.toLowerCase())
      return at < 0 ? [] : [{ canary: name, form, around: text.slice(Math.max(0, at - 60), at + 60) }]
    }),
  )
}
