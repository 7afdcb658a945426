/** Says of a page where it comes from. */
export const MADE = '<!-- Made by `npm run docs`; change the table in the code instead. -->'

/** A page of these lines: never two empty ones, and one line end at its end. */
export function page(lines: readonly string[]): string {
  return `${lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`
}

/** A table; what would end a cell early is escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line), '']
}

/** A value in a fenced block of JSON. */
export function fence(value: unknown): string[] {
  return ['```json', JSON.stringify(value, undefined, 2), '```', '']
}

export function code(text: string): string {
  return `\`${text}\``
}
