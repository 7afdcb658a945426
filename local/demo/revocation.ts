import { setTimeout as pause } from 'node:timers/promises'
import type { ApiClient, Credentials } from '#local/stack/api-client.ts'
import type { StackInfo } from '#local/stack/stack.ts'
import { type Narrator, StepFailed } from './narrator.ts'

/** Two seconds are the design; the rest is for a machine that does other things as well. */
const BITES_WITHIN_MS = 2_000 + 1_000
const GIVE_UP_MS = 15_000

type Revoking = {
  readonly api: ApiClient
  readonly stack: Pick<StackInfo, 'gatewayUrl' | 'controlUrl'>
  readonly operator: string
  readonly tenantId: string
}

/**
 * A token is revoked, and every function refuses it: measured from the answer to the revocation to the
 * first refusal in each of them, and until a workload that only polls has heard of it.
 */
export async function revokeToken(revoking: Revoking, say: Narrator): Promise<void> {
  const { api, stack, operator, tenantId } = revoking
  const functions = {
    auth: '/v1/revocations?waitSeconds=0',
    'billing-api': `/v1/tenants/${tenantId}/usage`,
    'tenants-api': `/v1/tenants/${tenantId}`,
  }
  const client = await say.step('A second client gets two tokens that every function takes', async () => {
    const json = { scopes: ['tenant:read', 'usage:read', 'revocations:read'] }
    const made = await api.call('POST', `/v1/tenants/${tenantId}/clients`, { token: operator, json })
    expect(made.status === 201, `expected 201, got ${made.status}: ${JSON.stringify(made.body)}`)
    const credentials = made.body as Credentials
    const [stolen, kept] = [await api.token(credentials), await api.token(credentials)]
    for (const [name, path] of Object.entries(functions)) {
      const { status } = await api.call('GET', path, { token: stolen })
      expect(status === 200, `${name} answers ${status}`)
    }
    return { value: { ...credentials, stolen, kept }, note: Object.keys(functions).join(', ') }
  })
  await say.step('POST /oauth2/revoke: one of them is refused everywhere within two seconds', async () => {
    const heard = awaitNews(stack.gatewayUrl, client.kept)
    await heard.waiting
    const basic = Buffer.from(`${client.clientId}:${client.clientSecret}`).toString('base64')
    const answer = await fetch(`${stack.gatewayUrl}/oauth2/revoke`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ token: client.stolen }),
    })
    const answeredMs = performance.now()
    expect(answer.status === 200, `expected 200, got ${answer.status}`)
    const refused = await Promise.all(
      Object.entries(functions).map(async ([name, path]) => {
        while (performance.now() - answeredMs < GIVE_UP_MS) {
          const { status } = await api.call('GET', path, { token: client.stolen })
          if (status === 401) return [name, Math.round(performance.now() - answeredMs)] as const
          await pause(20)
        }
        throw new StepFailed(`${name} still takes the revoked token`)
      }),
    )
    for (const [name, ms] of refused) expect(ms < BITES_WITHIN_MS, `${name} refused only after ${ms} ms`)
    const polledMs = Math.round((await heard.news) - answeredMs)
    for (const [name, path] of Object.entries(functions)) {
      const { status } = await api.call('GET', path, { token: client.kept })
      expect(status === 200, `${name} refuses the other token too: ${status}`)
    }
    const after = refused.map(([name, ms]) => `${name} ${ms} ms`).join(', ')
    return { value: undefined, note: `after the answer: ${after}; a workload that polls ${polledMs} ms` }
  })
}

/** Who did it stands in the audit, chained and signed. */
export async function readAudit({ api, stack, operator, tenantId }: Revoking, say: Narrator): Promise<void> {
  await say.step('The audit names each change with its place in a signed chain', async () => {
    const swept = await fetch(`${stack.controlUrl}/jobs/auth-sweep/run`, { method: 'POST' })
    expect(swept.status === 200, `the sweep answered ${swept.status}`)
    const read = await api.call('GET', `/v1/tenants/${tenantId}/audit-events`, { token: operator })
    expect(read.status === 200, `expected 200, got ${read.status}: ${JSON.stringify(read.body)}`)
    const { items, head } = read.body as {
      items: { action: string; chain: { link: { seq: number } | null } }[]
      head: { seq: number; hash: string; segments: number } | null
    }
    expect(items.length > 0 && head !== null, 'there is nothing in it')
    const loose = items.filter((item) => item.chain.link === null).length
    const newest = items[0]?.action
    return {
      value: undefined,
      note: `${items.length} entries, ${loose} not sealed yet, newest ${newest}; link ${head?.seq} ends in ${head?.hash.slice(0, 12)}…`,
    }
  })
}

/** A workload's long poll: when it waits, and when it hears of something. */
function awaitNews(gatewayUrl: string, token: string): { waiting: Promise<void>; news: Promise<number> } {
  const ask = async (since: string): Promise<{ cursor: string; entries: unknown[] }> => {
    const answer = await fetch(`${gatewayUrl}/v1/revocations${since}`, {
      headers: { authorization: `Bearer ${token}` },
    })
    expect(answer.status === 200, `the poll is answered ${answer.status}`)
    return (await answer.json()) as { cursor: string; entries: unknown[] }
  }
  const first = ask('')
  const listen = async (): Promise<number> => {
    let { cursor } = await first
    const untilMs = performance.now() + 30_000
    while (performance.now() < untilMs) {
      const next = await ask(`?since=${cursor}`)
      if (next.entries.length > 0) return performance.now()
      cursor = next.cursor
    }
    throw new StepFailed('the workload has not heard of it in 30 s')
  }
  const news = listen()
  // Whoever waits for it hears of its failure; until then nobody is there to hear.
  news.catch(() => undefined)
  return { waiting: first.then(() => pause(200)), news }
}

function expect(truth: boolean, what: string): void {
  if (!truth) throw new StepFailed(what)
}
