import type { HandlersOf } from '#shared/http/edge.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { TenantHandler } from '#shared/http/types.ts'
import { parseJson } from '#shared/json.ts'
import { ok, refuse } from '#shared/result.ts'
import type { Platform } from '#shared/wiring.ts'
import { explainLine } from '../operations/explain-line.ts'
import { previewInvoice } from '../operations/preview-invoice.ts'
import { getInvoice, listInvoices } from '../operations/read-invoices.ts'
import { reportRevenue } from '../operations/report-revenue.ts'
import { parseOrder, settleInvoice } from '../operations/settle-invoice.ts'
import type { BillingDeps } from '../ports.ts'
import { answerWith } from './answer.ts'
import { billingPages } from './pages.ts'

type Handled =
  | 'getUpcomingInvoice'
  | 'listInvoices'
  | 'getInvoice'
  | 'explainInvoiceLine'
  | 'finalizeInvoice'
  | 'voidInvoice'
  | 'rebillInvoice'
  | 'getRevenueReport'

const INVOICE_ID = /^inv_[0-9a-f]{32}(?:_r[1-9]\d{0,2})?$/
const LINE_ID = /^il_[0-9a-f]{32}$/

/** The routes of invoices. Reading is the tenant's; what is owed is decided by operators for billing alone. */
export function invoiceHandlers(
  platform: Platform,
  deps: BillingDeps,
): Pick<HandlersOf<'billing-api'>, Handled> {
  const pages = billingPages(platform)
  return {
    getUpcomingInvoice: async (request) => answerWith(await previewInvoice(deps, request)),
    listInvoices: async (request) => {
      const stray = strayIn(request.query, ['pageSize', 'pageToken'])
      const page = stray ?? pages.read(request)
      if (!page.ok) return page
      // An operator may name a tenant that there is not; an empty list would say that there is.
      if ((await deps.tenants.find(request.ctx)) === undefined)
        return refuse('resource.not_found', 'no such tenant')
      const { items, last } = await listInvoices(deps, request.ctx, page.value)
      return ok({ status: 200, json: { items, nextPageToken: pages.next(request, last) } })
    },
    getInvoice: async ({ ctx, params, nowMs, signal, query }) => {
      const invoiceId = params['invoiceId'] ?? ''
      const stray = strayIn(query, [])
      if (stray !== undefined) return stray
      if (!INVOICE_ID.test(invoiceId)) return refuse('resource.not_found', 'not an invoice id')
      const read = (reading: Parameters<typeof getInvoice>[1]['reading']) =>
        getInvoice(deps, { ctx, invoiceId, nowMs, reading })
      return answerWith(await deps.reads.share(ctx, `invoice ${invoiceId}`, read, signal))
    },
    explainInvoiceLine: async (request) => {
      const { ctx, params, query, nowMs, signal } = request
      const { invoiceId = '', lineId = '' } = params
      const stray = strayIn(query, ['event', 'pageSize', 'pageToken'])
      const page = stray ?? pages.read(request)
      if (!page.ok) return page
      if (!INVOICE_ID.test(invoiceId) || !LINE_ID.test(lineId)) {
        return refuse('resource.not_found', 'not the id of a line')
      }
      const asked = { ctx, invoiceId, lineId, event: query['event'], page: page.value, nowMs }
      const question = `explain ${invoiceId} ${lineId} ${query['event'] ?? ''} ${JSON.stringify(page.value)}`
      const explained = await deps.reads.share(
        ctx,
        question,
        (reading) => explainLine(deps, { ...asked, reading }),
        signal,
      )
      if (!explained.ok) return explained
      const { json, next } = explained.value
      return ok({ status: 200, json: { ...json, nextPageToken: pages.next(request, next) } })
    },
    finalizeInvoice: orderHandler(deps, 'finalize'),
    voidInvoice: orderHandler(deps, 'void'),
    rebillInvoice: orderHandler(deps, 'rebill'),
    getRevenueReport: async (request) => answerWith(await reportRevenue(deps, request)),
  }
}

function orderHandler(deps: BillingDeps, kind: 'finalize' | 'void' | 'rebill'): TenantHandler {
  return async (request) => {
    const { ctx, params, nowMs, trace, signal } = request
    const body = parseJson(request.body)
    const order = body.ok ? parseOrder(body.value) : body
    if (!order.ok) return order
    const invoiceId = params['invoiceId'] ?? ''
    if (!INVOICE_ID.test(invoiceId)) return refuse('resource.not_found', 'not an invoice id')
    const claim = claimOf(request, { invoiceId, order: order.value })
    if (!claim.ok) return claim
    const reading = deps.reads.background(signal)
    const settled = await settleInvoice(deps, kind, {
      ...{ ctx, invoiceId, order: order.value, claim: claim.value, nowMs, trace, reading },
    })
    return settled.ok ? ok({ status: 200, json: settled.value.value }) : settled
  }
}

function strayIn(query: Readonly<Record<string, string>>, known: readonly string[]) {
  const stray = Object.keys(query).find((name) => !known.includes(name))
  if (stray === undefined) return undefined
  return refuse('request.malformed', 'unknown parameter', `There is no parameter '${stray}'.`)
}
