import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, startTestStack, type TestStack } from './test-stack.ts'

type Line = { lineId: string; meter: string | null; quantity: string }
type Invoice = { invoiceId: string; digest: string; lines: Line[] }
type Explained = { events: { key: string; hour: string }[] }
type Job = { exportId: string; status: string; rows: number; parts: { object: string; sha256: string }[] }

describe('invoices through the gateway', () => {
  let stack: TestStack
  let token = ''
  const call = async (method: string, path: string, json?: object, as = token) =>
    stack
      .api()
      .call(method, `/v1/tenants/acme${path}`, { token: as, ...(json === undefined ? {} : { json }) })

  beforeAll(async () => {
    stack = await startTestStack()
    const acme = stack.info().tenants.find(({ tenantId }) => tenantId === 'acme')
    if (acme === undefined) throw new Error('no tenant acme')
    token = await stack.api().token(acme)
  }, 90_000)
  afterAll(() => stack.close())

  const upcoming = async (): Promise<Invoice> => (await call('GET', '/invoices/upcoming')).body as Invoice

  test('usage comes to a line that is explained to its events, and the customer’s verifier agrees', async () => {
    const now = Date.now()
    const events = Array.from({ length: 20 }, (_, index) => ({
      specversion: '1.0',
      id: `e2e-${index}`,
      source: '//agents.example/e2e',
      type: 'ai.energent.usage.workflow_runs.v1',
      subject: 'tenants/acme',
      // Not before the subscription, which began a moment ago.
      time: new Date(now + index * 1000).toISOString(),
      data: {},
    }))
    expect((await stack.api().call('POST', '/v1/usage', { token, json: events })).status).toBe(202)
    const line = await eventually('the usage is on the invoice', async () => {
      const found = (await upcoming()).lines.find(({ meter }) => meter === 'workflow_runs')
      return Number(found?.quantity) >= 20 ? found : undefined
    })
    const path = `/invoices/${(await upcoming()).invoiceId}/lines/${line.lineId}/explain`
    const { events: keys } = (await call('GET', path)).body as Explained
    expect(keys.length).toBeGreaterThanOrEqual(20)
    const proven = await call('GET', `${path}?event=${keys[7]?.hour}.${keys[7]?.key}`)
    const folder = mkdtempSync(join(tmpdir(), 'e2e-'))
    writeFileSync(join(folder, 'answer.json'), JSON.stringify(proven.body))
    const script = join(import.meta.dirname, '../../docs/verify-line.mjs')
    const said = execFileSync(process.execPath, [script, join(folder, 'answer.json')], { encoding: 'utf8' })
    rmSync(folder, { recursive: true, force: true })
    expect(said).toContain('included: true')
  })

  test('an invoice whose period is not over stays a draft, whoever asks', async () => {
    const { invoiceId } = await upcoming()
    const operator = await stack.api().token(stack.info().operator)
    const order = { rev: 1, reason: 'e2e' }
    expect((await call('POST', `/invoices/${invoiceId}/finalize`, order)).status).toBe(403)
    expect((await call('POST', `/invoices/${invoiceId}/finalize`, order, operator)).status).toBe(409)
    expect((await call('GET', `/invoices/${invoiceId}`)).body).toMatchObject({ invoiceId, status: 'draft' })
  })

  test('an export arrives in the bucket, as its manifest says', async () => {
    const range = { from: new Date(Date.now() - 86_400_000).toISOString(), to: new Date().toISOString() }
    const asked = await call('POST', '/exports', { kind: 'usage', ...range })
    expect(asked.status, JSON.stringify(asked.body)).toBe(202)
    const job = await eventually('the export is done', async () => {
      const found = (await call('GET', `/exports/${(asked.body as Job).exportId}`)).body as Job
      return found.status === 'done' ? found : undefined
    })
    expect(job.rows).toBeGreaterThan(0)
    for (const { object, sha256 } of job.parts) {
      const { url } = stack.parts().storage
      const read = await fetch(
        `${url}/storage/v1/b/energent-exports/o/${encodeURIComponent(object)}?alt=media`,
      )
      const bytes = Buffer.from(await read.arrayBuffer())
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)
    }
  })
})
