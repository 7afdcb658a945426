import { counts } from '../domain/invoice/life-cycle.ts'
import type { StoredInvoice } from '../domain/invoice/stored-invoice.ts'
import type { PlanBook } from '../ports/contracts.ts'
import type { InvoiceStore } from '../ports/invoices.ts'
import type { PeriodLocks } from '../ports/usage-jobs.ts'

/** Locks a period while an invoice of it counts, if the plan that closed it refuses late usage. */
export function closedPeriods(
  invoices: Pick<InvoiceStore, 'read'>,
  plans: Pick<PlanBook, 'find'>,
): PeriodLocks {
  const refusesLate = async ({ head }: StoredInvoice): Promise<boolean> => {
    if (head.planId === null || head.planVersion === null) return false
    return (await plans.find(head.planId, head.planVersion))?.late.policy === 'refuse'
  }
  return {
    locked: async (ctx, instantsMs) => {
      const book = await invoices.read(ctx)
      const hit = ({ period }: StoredInvoice): readonly number[] =>
        instantsMs.filter((atMs) => atMs >= period.fromMs && atMs < period.toMs)
      const locked = new Set<number>()
      for (const invoice of book.invoices.filter(counts)) {
        const within = hit(invoice)
        if (within.length === 0 || !(await refusesLate(invoice))) continue
        for (const atMs of within) locked.add(atMs)
      }
      return [...locked].sort((left, right) => left - right)
    },
  }
}
