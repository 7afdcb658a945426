import { counts } from './life-cycle.ts'
import { lineIdOf, type RatedLine } from './line.ts'
import type { BilledCorrection, ChargedLine, StoredInvoice } from './stored-invoice.ts'
import type { CorrectedLine, Correction } from './terms.ts'

/** A rated line as later corrections need it. */
export function chargedLine(invoiceId: string, rated: RatedLine): ChargedLine {
  const { lineKey, description, meter, isFee, group, servicePeriod, priceRef, quantity, unit } = rated
  const { taxCategory, minor } = rated
  const lineId = lineIdOf(invoiceId, lineKey)
  const line = { lineId, lineKey, description, meter, isFee, group, servicePeriod }
  return { ...line, priceRef, quantity, unit, taxCategory, minor }
}

/**
 * What a closed period still owes, or gets back: each line as it would be now, less what was billed for
 * it, by its own invoice and by all corrections since. Rated anew from the whole quantity, with the
 * period's own prices, minimum and cap, so that in the end one perfect invoice was paid.
 */
export function correctionsFor(
  closed: StoredInvoice,
  others: readonly StoredInvoice[],
  now: readonly RatedLine[],
): Correction[] {
  const billed = billedLines(closed, others)
  const due = new Map(now.map((line) => [line.lineKey, chargedLine(closed.invoiceId, line)]))
  const evidence = new Map(now.map((line) => [line.lineKey, line.evidence]))
  return [...new Set([...billed.keys(), ...due.keys()])].sort().flatMap((lineKey) => {
    const before = billed.get(lineKey)
    const after = due.get(lineKey)
    const amountMinor = (after?.minor ?? 0n) - (before?.minor ?? 0n)
    const known = after ?? before
    if (amountMinor === 0n || known === undefined) return []
    const { minor: _minor, ...line } = after ?? { ...known, quantity: '0' }
    return [
      {
        invoiceId: closed.invoiceId,
        line,
        amountMinor,
        billedMinor: before?.minor ?? 0n,
        evidence: evidence.get(lineKey) ?? { events: 0, root: null },
      },
    ]
  })
}

/** What was billed for the lines of a period in all. */
function billedLines(closed: StoredInvoice, others: readonly StoredInvoice[]): Map<string, ChargedLine> {
  const billed = new Map(closed.charged.map((line) => [line.lineKey, line]))
  const add = (line: CorrectedLine, minor: bigint): void => {
    const before = billed.get(line.lineKey)
    billed.set(line.lineKey, { ...(before ?? line), minor: (before?.minor ?? 0n) + minor })
  }
  for (const other of others) {
    if (!counts(other)) continue
    for (const { family, line, minor } of other.corrections) if (family === closed.family) add(line, minor)
  }
  return billed
}

/** What of an invoice's corrections is kept with it. */
export function billedCorrections(corrections: readonly Correction[]): BilledCorrection[] {
  return corrections.map(({ invoiceId, line, amountMinor }) => ({
    family: invoiceId.replace(/_r\d+$/, ''),
    line,
    minor: amountMinor,
  }))
}
