import { expect, test } from 'vitest'
import { closedPeriods } from '../../../functions/billing/adapters/period-locks.ts'
import { contextOf } from '../../shared/support/store.ts'

const OCTOBER = { fromMs: Date.parse('2026-10-01'), toMs: Date.parse('2026-11-01') }

function locksOf(invoice: { status?: string; creditNoteId?: string; late?: string; planId?: string | null }) {
  const { status = 'open', creditNoteId, late = 'refuse', planId = 'p' } = invoice
  const head = { planId, planVersion: 3 }
  const stored = { period: OCTOBER, status, creditNoteId, head }
  return closedPeriods(
    { read: async () => ({ subscription: undefined, grants: [], invoices: [stored] }) as never },
    {
      find: async (id, version) =>
        (id === 'p' && version === 3 ? { late: { policy: late } } : undefined) as never,
    },
  )
}
const lockedIn = (invoice: Parameters<typeof locksOf>[0], ...instants: number[]) =>
  locksOf(invoice).locked(contextOf('acme'), instants)

test('a period is locked from its first millisecond to before the one it ends with', async () => {
  const { fromMs, toMs } = OCTOBER
  expect(await lockedIn({}, fromMs - 1, fromMs, toMs - 1, toMs)).toEqual([fromMs, toMs - 1])
})

test.each([
  ['a draft', { status: 'draft' }],
  ['one that was taken back', { status: 'void' }],
  ['one with a credit note', { creditNoteId: 'cn_1' }],
  ['a plan that corrects late usage', { late: 'correct' }],
  ['a plan that absorbs late usage', { late: 'absorb' }],
  ['no plan', { planId: null }],
])('%s locks nothing', async (_what, invoice) => {
  expect(await lockedIn(invoice, OCTOBER.fromMs)).toEqual([])
})
