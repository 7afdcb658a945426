import { createHash } from 'node:crypto'
import type { Answer, ApiClient, Credentials } from '#local/stack/api-client.ts'
import type { StackInfo } from '#local/stack/stack.ts'
import { moveClock, until } from './checks.ts'
import { type Narrator, StepFailed } from './narrator.ts'

export type Month = {
  readonly api: ApiClient
  readonly stack: Pick<StackInfo, 'controlUrl' | 'operator'>
  readonly tenantId: string
  readonly client: Credentials
}

type Line = {
  readonly lineId: string
  readonly kind: string
  readonly meter: string | null
  readonly quantity: string
  readonly amount: { readonly amount: string; readonly minor: number }
  readonly description: string
}

const LIMIT_MS = 30_000
const METER = 'agent_minutes'
/** Seconds that each event reports; beyond what the plan includes, so that there is something to pay. */
const SECONDS = 90_000
const EVENTS = 20

/**
 * A month of usage on the stack's clock: sent with copies and late events, closed into an invoice that
 * equals its preview, explained down to one event whose proof is checked, and corrected on the next one.
 *
 * It moves the clock by a month, so it comes last, and only on a stack of its own.
 */
export async function playMonth(month: Month, say: Narrator): Promise<void> {
  const { api, tenantId, client } = month
  const base = `/v1/tenants/${tenantId}/invoices`
  const period = await say.step('The clock goes on to just after the end of the billing period', async () => {
    const token = await api.token(client)
    const upcoming = await read(api, `${base}/upcoming`, token)
    const { from, to } = upcoming.body['period'] as { from: string; to: string }
    // What lies before the tenant's subscription is not charged.
    const sinceMs = Math.max(Date.parse(from), await nowMs(month))
    await moveClock(month.stack, { now: new Date(Date.parse(to) + 3_600_000).toISOString() })
    return {
      value: { sinceMs, toMs: Date.parse(to) },
      note: `${from} to ${to}, and an hour`,
    }
  })
  const events = eventsOf(tenantId, period)
  await say.step('A month of usage arrives late, in batches that overlap, some of them twice', async () => {
    const token = await api.token(client)
    const half = Math.floor(events.length / 2)
    const batches = [events.slice(half), events.slice(0, half + 9), events.slice(half), events.slice(0, 20)]
    for (const batch of batches) await report(api, token, batch)
    const sent = batches.reduce((sum, batch) => sum + batch.length, 0)
    return { value: undefined, note: `${sent} events sent, ${events.length} different ones` }
  })
  const preview = await say.step('GET …/invoices/upcoming counts each of them once', async () => {
    const token = await api.token(client)
    const at = new Date(period.toMs - 1).toISOString()
    const expected = String(events.length * SECONDS)
    const found = await until(LIMIT_MS, async () => {
      const answer = await read(api, `${base}/upcoming?at=${at}`, token)
      const line = lineOf(answer)
      return line?.quantity === expected || Number(line?.quantity) * 60 === Number(expected)
        ? answer
        : undefined
    })
    if (found === undefined) throw new StepFailed(`the preview did not come to ${expected} seconds`)
    return { value: found.body, note: `${totalOf(found.body)}, digest ${short(found.body['digest'])}` }
  })
  const path = `${base}/${String(preview['invoiceId'])}`
  const invoice = await say.step(
    'The hours are rolled up and an operator closes the period: what was previewed',
    async () => {
      // A day after the period's end the close job does this by itself.
      await runJob(month, 'billing-rollups')
      const operator = await api.token(month.stack.operator)
      const json = { rev: preview['revision'], reason: 'demo' }
      const finalized = await api.call('POST', `${path}/finalize`, { token: operator, json })
      if (finalized.status !== 200) throw unexpected(finalized)
      const closed = await read(api, path, await api.token(client))
      if (closed.body['digest'] !== preview['digest']) throw unexpected(closed)
      const { status, digest } = closed.body
      return { value: closed, note: `${String(status)}, ${totalOf(closed.body)}, digest ${short(digest)}` }
    },
  )
  await explain(month, path, lineOf(invoice), events[0]?.id ?? '', say)
  await correct(month, base, (period.sinceMs + period.toMs) / 2, say)
}

async function explain(
  { api, client }: Month,
  invoicePath: string,
  line: Line | undefined,
  id: string,
  say: Narrator,
): Promise<void> {
  await say.step('One line is explained down to an event, and the event is proven to be in it', async () => {
    if (line === undefined) throw new StepFailed(`the invoice has no line of ${METER}`)
    const token = await api.token(client)
    const path = `${invoicePath}/lines/${line.lineId}/explain`
    const all = await read(api, `${path}?pageSize=500`, token)
    const events = all.body['events'] as { key: string; id: string; source: string }[]
    const event = events.find((one) => one.id === id)
    const key = createHash('sha256').update(`${event?.source}\0${id}`).digest('hex')
    if (event?.key !== key) throw new StepFailed(`the line does not name the event ${id}`)
    const proven = await read(api, `${path}?event=${key}`, token)
    const root = rootOf(key, proven.body['proof'] as Proof)
    const { root: invoiced } = proven.body['merkle'] as { root: string }
    if (root !== invoiced) throw new StepFailed(`the proof leads to ${root}, the line says ${invoiced}`)
    const note = `${line.description}: ${line.quantity}, ${line.amount.amount}; ${events.length} events, root ${short(root)}`
    return { value: undefined, note }
  })
}

async function correct({ api, tenantId, client }: Month, base: string, atMs: number, say: Narrator) {
  await say.step('An event of the closed month comes still later: the next invoice corrects it', async () => {
    const token = await api.token(client)
    const before = await read(api, `${base}/upcoming`, token)
    await report(api, token, [usage(tenantId, 'forgotten', atMs)])
    const corrected = await until(LIMIT_MS, async () => {
      const answer = await read(api, `${base}/upcoming`, token)
      const lines = answer.body['lines'] as readonly Line[]
      return lines.length > (before.body['lines'] as readonly Line[]).length ? lines : undefined
    })
    const line = corrected?.find(({ meter, kind }) => meter === METER && kind !== 'usage')
    if (line === undefined)
      throw new StepFailed(`no correction on the next invoice: ${JSON.stringify(corrected)}`)
    return { value: undefined, note: `${line.description}: ${line.amount.amount}` }
  })
}

type Proof = {
  readonly levels: readonly { readonly path: readonly { readonly side: string; readonly hash: string }[] }[]
}

/** RFC 9162: a leaf and an inner node are hashed behind different first bytes. */
function rootOf(key: string, { levels }: Proof): string {
  const hash = (...parts: readonly (string | Uint8Array)[]): string => {
    const digest = createHash('sha256')
    for (const part of parts) digest.update(typeof part === 'string' ? Buffer.from(part, 'hex') : part)
    return digest.digest('hex')
  }
  return levels.reduce(
    (leaf, { path }) =>
      path.reduce(
        (node, sibling) =>
          sibling.side === 'left'
            ? hash(Buffer.of(1), sibling.hash, node)
            : hash(Buffer.of(1), node, sibling.hash),
        hash(Buffer.of(0), leaf),
      ),
    key,
  )
}

function eventsOf(tenantId: string, { sinceMs, toMs }: { sinceMs: number; toMs: number }) {
  return Array.from({ length: EVENTS }, (_none, at) =>
    usage(tenantId, `month-${at}`, sinceMs + Math.floor(((at + 0.5) * (toMs - sinceMs)) / EVENTS)),
  )
}

function usage(tenantId: string, id: string, timeMs: number) {
  return {
    specversion: '1.0',
    id,
    source: `//demo.example/tenants/${tenantId}`,
    type: `ai.energent.usage.${METER}.v1`,
    subject: `tenants/${tenantId}`,
    time: new Date(timeMs).toISOString(),
    data: { value: String(SECONDS), dimensions: { workflow_class: 'browser' } },
  }
}

async function report(api: ApiClient, token: string, batch: readonly object[]): Promise<void> {
  const answer = await api.call('POST', '/v1/usage', { token, json: batch })
  if (answer.status !== 202 || answer.body['accepted'] !== batch.length) throw unexpected(answer)
}

async function read(api: ApiClient, path: string, token: string): Promise<Answer> {
  const answer = await api.call('GET', path, { token })
  if (answer.status !== 200) throw unexpected(answer)
  return answer
}

async function nowMs({ stack }: Month): Promise<number> {
  const answer = await fetch(`${stack.controlUrl}/clock`)
  return Date.parse(((await answer.json()) as { now: string }).now)
}

async function runJob({ stack }: Month, name: string): Promise<void> {
  const answer = await fetch(`${stack.controlUrl}/jobs/${name}/run`, { method: 'POST' })
  if (answer.status !== 200) throw new StepFailed(`${name} did not run: ${await answer.text()}`)
}

function lineOf(answer: Answer): Line | undefined {
  const lines = answer.body['lines'] as readonly Line[]
  return lines.find(({ meter, kind }) => meter === METER && kind === 'usage')
}

function totalOf(body: Readonly<Record<string, unknown>>): string {
  const { amount, currency } = body['total'] as { amount: string; currency: string }
  return `${amount} ${currency}`
}

function short(value: unknown): string {
  return `${String(value).slice(0, 12)}…`
}

function unexpected({ status, body }: Answer): StepFailed {
  return new StepFailed(`got ${status} ${JSON.stringify(body)}`)
}
