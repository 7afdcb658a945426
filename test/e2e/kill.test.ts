import { afterAll, beforeAll, expect, test } from 'vitest'
import { FUNCTION_IDS } from '#shared/catalogue.ts'
import { infoIn } from './npm-start.ts'
import { eventually, startTestStack, type TestStack } from './test-stack.ts'

// Cloud Run may take an instance away at any moment; what was acknowledged must not go with it.
let stack: TestStack
beforeAll(async () => {
  stack = await startTestStack()
}, 90_000)
afterAll(() => stack.close())

/** Ends the function's process without warning and waits until another one runs in its place. */
async function kill(id: string): Promise<void> {
  const pid = stack.info().functions[id]?.pid
  if (pid === undefined) return
  process.kill(pid, 'SIGKILL')
  await eventually(`${id} runs again`, async () => {
    const next = stack.info().functions[id]?.pid
    return next !== undefined && next !== pid ? next : undefined
  })
}

/** Sends again until it is taken, as any client does whose connection broke; the ids make that harmless. */
async function untilAccepted(send: () => Promise<{ status: number }>, status: number): Promise<void> {
  await eventually(
    `an answer ${status}`,
    async () => ((await send()).status === status ? true : undefined),
    60_000,
  )
}

test.each(FUNCTION_IDS)(
  'killing %s with -9 during traffic loses no acknowledged usage and no tenant',
  async (id) => {
    const api = stack.api()
    const [acme] = stack.info().tenants
    if (acme === undefined) throw new Error('no demo tenant')
    const operator = await eventually('an operator token', () => api.token(stack.info().operator))
    const token = await eventually('a tenant token', () => api.token(acme))
    const path = `/v1/tenants/acme/usage?meter=workflow_runs`
    const before = await eventually('usage', async () => {
      const answer = await api.call('GET', path, { token })
      return answer.status === 200 ? (answer.body['data'] as { value: string }[]) : undefined
    })
    const tenantId = `killed-${id}`
    const batches = Array.from({ length: 12 }, (_, batch) => usageBatch(id, batch))

    const traffic = Promise.all([
      ...batches.map((json) => untilAccepted(() => api.call('POST', '/v1/usage', { token, json }), 202)),
      untilAccepted(
        () =>
          api.call('POST', '/v1/tenants', {
            token: operator,
            json: {
              tenantId,
              displayName: 'Killed',
              tier: 'basic',
              deploymentModel: 'multi_tenant',
              region: 'us-central1',
            },
            headers: { 'idempotency-key': tenantId },
          }),
        202,
      ),
    ])
    await kill(id)
    await traffic

    const expected = Number(before[0]?.value ?? 0) + 12 * 10
    const counted = await eventually(
      `${expected} runs counted`,
      async () => {
        const answer = await api.call('GET', path, { token })
        const value = Number((answer.body['data'] as { value: string }[])[0]?.value)
        expect(value).toBeLessThanOrEqual(expected)
        return value === expected ? value : undefined
      },
      60_000,
    )
    expect(counted).toBe(expected)
    await eventually(
      `${tenantId} active`,
      async () => {
        const answer = await api.call('GET', `/v1/tenants/${tenantId}`, { token: operator })
        return answer.body['state'] === 'ACTIVE' ? true : undefined
      },
      60_000,
    )
  },
  180_000,
)

function usageBatch(id: string, batch: number): unknown[] {
  return Array.from({ length: 10 }, (_, index) => ({
    specversion: '1.0',
    id: `${id}-${batch}-${index}`,
    source: '//test.example/kill',
    type: 'ai.energent.usage.workflow_runs.v1',
    subject: 'tenants/acme',
    time: new Date().toISOString(),
    data: { value: '1' },
  }))
}

// A script that ends a process by what the file says must not find the number of one that is gone.
test('the file that says where everything is names the processes of the moment', async () => {
  await kill('auth')
  const { idp, dataDir } = stack.info()
  process.kill(idp.pid ?? 0, 'SIGKILL')
  await eventually('another identity provider', async () =>
    stack.info().idp.pid === idp.pid ? undefined : true,
  )

  const written = infoIn(dataDir)

  expect(written.functions).toEqual(stack.info().functions)
  expect(written.idp).toEqual(stack.info().idp)
})
