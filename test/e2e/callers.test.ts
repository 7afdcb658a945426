import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { functionUri } from '#local/stack/accounts.ts'
import { FUNCTIONS, type FunctionId, JOBS } from '#shared/catalogue.ts'
import { control, startTestStack, type TestStack } from './test-stack.ts'

// Somebody who reaches a function past the gateway, in both ways of proving callers.
describe.each(['jwks', 'platform'])('with callers checked by %s', (callerCheck) => {
  let stack: TestStack
  beforeAll(async () => {
    stack = await startTestStack('--caller-check', callerCheck, '--no-seed')
  }, 90_000)
  afterAll(() => stack.close())

  const urlOf = (id: FunctionId): string => stack.info().functions[id]?.url ?? ''
  const uriOf = (id: FunctionId): string => functionUri(stack.info().project, id)
  const account = (name: string): string => `${name}@${stack.info().project}.iam.gserviceaccount.com`
  const googleToken = async (email: string, audience: string): Promise<string> =>
    String((await control(stack, 'POST', '/tokens/google', { email, audience }))['token'])
  const call = (id: FunctionId, path: string, headers: Record<string, string>, body?: string) =>
    fetch(`${urlOf(id)}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      ...(body === undefined ? {} : { body }),
    })

  test('nobody without an identity token gets in', async () => {
    for (const id of Object.keys(FUNCTIONS) as FunctionId[]) {
      const answer = await call(id, '/', {}, '{}')
      expect([401, 403, 404]).toContain(answer.status)
    }
  })

  test('an account that is not the gateway gets in nowhere, the gateway only with the right audience', async () => {
    const token = (email: string, audience: string) => googleToken(email, audience)
    const path = '/.well-known/jwks.json'
    const bearer = async (email: string, audience: string) => ({
      authorization: `Bearer ${await token(email, audience)}`,
    })

    const stranger = await call('auth', path, await bearer(account('someone'), uriOf('auth')))
    const elsewhere = await call(
      'auth',
      path,
      await bearer(account('energent-gateway'), uriOf('billing-api')),
    )
    const gateway = await call('auth', path, await bearer(account('energent-gateway'), uriOf('auth')))

    expect([401, 403]).toContain(stranger.status)
    expect([401, 403]).toContain(elsewhere.status)
    expect(gateway.status).toBe(200)
  })

  test('a forged token with the gateway in it gets in nowhere', async () => {
    const claims = {
      iss: 'https://accounts.google.com',
      aud: uriOf('auth'),
      email: account('energent-gateway'),
      email_verified: true,
      exp: Math.floor(Date.now() / 1000) + 600,
    }
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    for (const signature of ['SIGNATURE_REMOVED_BY_GOOGLE', 'AAAA']) {
      const token = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.${signature}`
      const answer = await call('auth', '/.well-known/jwks.json', { authorization: `Bearer ${token}` })
      expect(answer.status).toBe(401)
    }
  })

  test('the header that Cloud Run would check instead of Authorization is never accepted', async () => {
    const token = await googleToken(account('energent-gateway'), uriOf('auth'))

    const answer = await call('auth', '/.well-known/jwks.json', {
      authorization: `Bearer ${token}`,
      'x-serverless-authorization': `Bearer ${token}`,
    })

    expect(answer.status).toBe(401)
  })

  test('the gateway may not run jobs and the scheduler may not call the API', async () => {
    const { path } = JOBS['auth-sweep']
    const gateway = {
      authorization: `Bearer ${await googleToken(account('energent-gateway'), uriOf('auth'))}`,
    }
    const scheduler = {
      authorization: `Bearer ${await googleToken(account('energent-scheduler'), uriOf('auth'))}`,
    }

    expect((await call('auth', path, gateway, '{}')).status).toBe(401)
    expect((await call('auth', '/.well-known/jwks.json', scheduler)).status).toBe(401)
    expect((await call('auth', path, scheduler, '{}')).status).toBe(200)
  })

  test("a push must come from the function's own push account and name a subscription of the function", async () => {
    const body = (subscription: string): string =>
      JSON.stringify({
        message: { data: '', messageId: '1' },
        subscription: `projects/p/subscriptions/${subscription}`,
      })
    const own = await googleToken(account('push-billing'), uriOf('billing'))
    const foreign = await googleToken(account('push-auth-events'), uriOf('billing'))
    const name = 'tenant-facts-to-billing'

    const byStranger = await call(
      'billing',
      `/events/${name}`,
      { authorization: `Bearer ${foreign}` },
      body(name),
    )
    const wrongPath = await call(
      'billing',
      '/events/billing-events-to-billing',
      { authorization: `Bearer ${own}` },
      body(name),
    )
    const otherFunction = await call(
      'billing',
      '/events/tenant-work-to-tenant-events',
      { authorization: `Bearer ${own}` },
      body('tenant-work-to-tenant-events'),
    )

    expect([401, 403]).toContain(byStranger.status)
    expect(wrongPath.status).toBe(404)
    expect(otherFunction.status).toBe(401)
  })

  // A tenant that exists for nobody must not come to be by a push that Pub/Sub never made.
  test('a forged push changes nothing, and the same push by Pub/Sub does', async () => {
    const name = 'tenant-facts-to-auth-events'
    const tenantId = `forged-${callerCheck}`
    const event = {
      specversion: '1.0',
      id: `${tenantId}.1.0`,
      source: '//energent.ai/tenant-events',
      type: 'ai.energent.tenant.activated.v1',
      subject: `tenants/${tenantId}`,
      time: new Date().toISOString(),
      sequence: '1',
      data: {
        tenantId,
        state: 'ACTIVE',
        tier: 'enterprise',
        deploymentModel: 'multi_tenant',
        cluster: 'energent-shared',
        namespace: `tenant-${tenantId}`,
        revision: 1,
        at: new Date().toISOString(),
      },
    }
    const body = JSON.stringify({
      message: { data: Buffer.from(JSON.stringify(event)).toString('base64'), messageId: '1' },
      subscription: `projects/p/subscriptions/${name}`,
    })
    const push = (headers: Record<string, string>) => call('auth-events', `/events/${name}`, headers, body)
    const own = await googleToken(account('push-auth-events'), uriOf('auth-events'))
    const [head, claims, signature] = own.split('.')
    const other = JSON.parse(Buffer.from(claims ?? '', 'base64url').toString())
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const clusterToken = await control(stack, 'POST', '/tokens/cluster', {
      namespace: 'default',
      serviceAccount: 'push-auth-events',
      audience: uriOf('auth-events'),
    })
    const forged = [
      await googleToken(account('push-billing'), uriOf('auth-events')),
      await googleToken(account('energent-gateway'), uriOf('auth-events')),
      await googleToken(account('energent-scheduler'), uriOf('auth-events')),
      await googleToken(account('push-auth-events'), uriOf('billing')),
      String(clusterToken['token']),
      `${head}.${part({ ...other, exp: 1 })}.${signature}`,
      `${head}.${part({ ...other, email_verified: false })}.${signature}`,
      `${part({ alg: 'none' })}.${claims}.`,
      `${part({ alg: 'HS256', typ: 'JWT' })}.${claims}.${signature}`,
      `${head}.${claims}.SIGNATURE_REMOVED_BY_GOOGLE`,
      'x.y.z',
    ]
    for (const token of forged) {
      const answer = await push({ authorization: `Bearer ${token}` })
      expect([401, 403], token).toContain(answer.status)
    }
    const beside = { authorization: `Bearer ${own}`, 'x-serverless-authorization': `Bearer ${own}` }
    expect((await push(beside)).status).toBe(401)
    expect((await push({ 'x-forwarded-authorization': `Bearer ${own}` })).status).toBeGreaterThan(400)
    expect(await documentsOf(tenantId)).toEqual([])

    expect((await push({ authorization: `Bearer ${own}` })).status).toBe(204)
    expect(await documentsOf(tenantId)).toContain(`tenants/${tenantId}/auth_state/current`)
  })

  async function documentsOf(tenantId: string): Promise<string[]> {
    const dumped = stack.parts().engines.firestore?.dump(`tenants/${tenantId}`) ?? []
    return dumped.map(({ path }) => path)
  }
})
