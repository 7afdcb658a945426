/** What a cell of an export can hold. */
export type Cell = string | number | null

const FORMULA = /^[=+\-@\t\r]/
const NEEDS_QUOTES = /[",\r\n]/

/**
 * One line of CSV (RFC 4180), safe to open in a spreadsheet: a cell that would be read as a formula
 * begins with an apostrophe. A number is none, whatever its sign; decimals, which are text here, never begin
 * with one: what is given back has its own column.
 */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

function csvCell(cell: Cell): string {
  const text = cell === null ? '' : String(cell)
  const safe = typeof cell !== 'number' && FORMULA.test(text) ? `'${text}` : text
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
