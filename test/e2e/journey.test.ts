import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { playJourney } from '#local/demo/journey.ts'
import { createNarrator } from '#local/demo/narrator.ts'
import { stackEngines, startTestStack, type TestStack } from './test-stack.ts'

// The emulators start slowly, and how callers are checked does not depend on the engine. Whether the
// fronts of Cloud Run let the journey pass is asked in the long run alone: callers.test.ts has the rest.
const CHECKS = {
  embedded: process.env['LONG'] === undefined ? ['jwks'] : ['jwks', 'platform'],
  google: ['jwks'],
} as const
const variants = (await stackEngines()).flatMap((engine) =>
  CHECKS[engine].map((check): [string, string] => [engine, check]),
)

describe.each(variants)('the stack on the %s engine, callers checked by %s', (engine, callerCheck) => {
  let stack: TestStack
  beforeAll(async () => {
    stack = await startTestStack('--engine', engine, '--caller-check', callerCheck)
  }, 90_000)
  afterAll(() => stack.close())

  test('plays a tenant from creation to the upcoming invoice', async () => {
    const told: string[] = []

    await playJourney(
      stack.info(),
      'journey-one',
      createNarrator((line) => void told.push(line)),
      // A month takes the jobs of a month: `npm run demo` plays it, and the long run.
      { month: process.env['LONG'] !== undefined },
    )

    // A wrong step throws; the journey grows, and does not become shorter unseen.
    expect(told.length).toBeGreaterThanOrEqual(11)
  }, 240_000)

  test('changes a tenant’s name for whoever saw the tenant as it is', async () => {
    const api = stack.api()
    const [acme] = stack.info().tenants
    if (acme === undefined) throw new Error('no demo tenant')
    const token = await api.token(acme)
    const path = '/v1/tenants/acme'
    const change = (displayName: string, ifMatch: string) =>
      api.call('PATCH', path, { token, json: { displayName }, headers: { 'if-match': ifMatch } })
    const seen = `"${String((await api.call('GET', path, { token })).body['revision'])}"`

    const first = await change('Acme of the gateway', seen)
    const late = await change('Too late', seen)

    expect([first.status, first.body['displayName']]).toEqual([200, 'Acme of the gateway'])
    expect([late.status, late.body['code']]).toEqual([412, 'request.precondition_failed'])
    expect((await api.call('GET', path, { token })).body).toEqual(first.body)
  })

  test('names two operators, three demo tenants with people, and no console yet', () => {
    const info = stack.info()

    expect(info).toMatchObject({ engine, consoleUrl: null, operator: info.operators[0] })
    expect(new Set(info.operators.map((operator) => operator.clientId)).size).toBe(2)
    expect(info.tenants.map(({ tenantId, tier }) => `${tenantId} ${tier}`)).toEqual([
      'acme standard',
      'globex enterprise',
      'initech basic',
    ])
    expect(info.tenants.every((tenant) => tenant.users.some((user) => user.role === 'owner'))).toBe(true)
  })
})
