import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TARGETS } from '#local/stack/fault-order.ts'
import { faultCallers, secretManagerRpcs } from './fault-callers.ts'
import { control, startTestStack, type TestStack } from './test-stack.ts'

let stack: TestStack
beforeAll(async () => {
  stack = await startTestStack()
}, 90_000)
afterAll(() => stack.close())

describe('the clock', () => {
  test('moves every process at once: a token expires although no real time passed', async () => {
    const api = stack.api()
    const [acme] = stack.info().tenants
    if (acme === undefined) throw new Error('no demo tenant')
    const token = await api.token(acme)
    const usage = () => api.call('GET', '/v1/tenants/acme/usage', { token })
    expect((await usage()).status).toBe(200)

    const before = Date.parse(String((await control(stack, 'GET', '/clock'))['now']))
    const after = Date.parse(
      String((await control(stack, 'POST', '/clock', { advanceSeconds: 1200 }))['now']),
    )

    expect(after - before).toBeGreaterThanOrEqual(1_200_000)
    expect((await usage()).status).toBe(401)
    const fresh = decodeJwt(await api.token(acme))
    expect((fresh.iat ?? 0) * 1000).toBeGreaterThanOrEqual(after - 5_000)
  })

  // A client that gives up does not stop its move: the next one must not start beside it.
  test('is moved by one call after another, each from where the one before has left it', async () => {
    const advance = () => control(stack, 'POST', '/clock', { advanceSeconds: 120 })
    const before = Date.parse(String((await control(stack, 'GET', '/clock'))['now']))

    const wrong = control(stack, 'POST', '/clock', {}).catch(() => 'refused')
    const moved = await Promise.all([advance(), advance(), control(stack, 'POST', '/jobs/auth-sweep/run')])

    const [first, second] = moved.map(({ now }) => Date.parse(String(now)) - before)
    expect(await wrong).toBe('refused')
    expect(first).toBeGreaterThanOrEqual(120_000)
    expect(second).toBeGreaterThanOrEqual(240_000)
  })

  test.each([[{}], [{ now: 'soon' }], [{ advanceSeconds: -1 }], [{ now: '2026-01-01', advanceSeconds: 1 }]])(
    'refuses %j and says what to send',
    async (body) => {
      await expect(control(stack, 'POST', '/clock', body)).rejects.toThrow(/400.*advanceSeconds/)
    },
  )

  // Beyond what the store's clients can read as a time only a reset would help.
  test.each([
    [{ advanceSeconds: 1e12 }],
    [{ now: '9999-01-01T00:00:00Z' }],
    [{ now: '1970-01-01T00:00:00Z' }],
  ])('refuses to go as far as %j', async (body) => {
    await expect(control(stack, 'POST', '/clock', body)).rejects.toThrow(/400.*ten years/)
  })
})

describe('the rotation of the signing keys', () => {
  const kids = async (): Promise<string[]> => {
    const answer = await fetch(`${stack.info().gatewayUrl}/.well-known/jwks.json`)
    return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
  }
  const now = async (): Promise<number> => Date.parse(String((await control(stack, 'GET', '/clock'))['now']))

  test('is asked for by Secret Manager every 30 days, as in the cloud', async () => {
    const nextMs = stack.parts().engines.secrets.nextRotationMs() ?? 0

    expect((nextMs - (await now())) / 86_400_000).toBeGreaterThan(29)
    expect((nextMs - (await now())) / 86_400_000).toBeLessThanOrEqual(30)
  })

  test('happens when the clock passes its time, and tokens of before and after are good', async () => {
    const api = stack.api()
    const [acme] = stack.info().tenants
    if (acme === undefined) throw new Error('no demo tenant')
    const statusOf = async (token: string): Promise<number> =>
      (await api.call('GET', '/v1/tenants/acme/usage', { token })).status
    const before = await kids()
    const { project, secretManagerHost } = stack.info()
    const name = `projects/${project}/secrets/auth-access-keys`
    // Due in four minutes instead of 30 days, so that few jobs have to be waited for.
    const due = { seconds: String(Math.floor((await now()) / 1000) + 240), nanos: 0 }
    const update = {
      secret: { name, rotation: { nextRotationTime: due, rotationPeriod: { seconds: '86400' } } },
    }
    const secrets = secretManagerRpcs(secretManagerHost)
    expect(await secrets('UpdateSecret', { ...update, updateMask: { paths: ['rotation'] } })).toBe('ok')
    const old = await api.token(acme)

    await control(stack, 'POST', '/clock', { advanceSeconds: 300 })

    const after = await kids()
    expect(after).toHaveLength(before.length + 1)
    expect(after).toEqual(expect.arrayContaining(before))
    expect([await statusOf(old), await statusOf(await api.token(acme))]).toEqual([200, 200])
    // The standby has been published for long enough by now: it signs, and nobody is refused for it.
    await control(stack, 'POST', '/clock', { advanceSeconds: 660 })
    const fresh = await api.token(acme)
    expect(decodeProtectedHeader(fresh).kid).not.toBe(decodeProtectedHeader(old).kid)
    expect(await statusOf(fresh)).toBe(200)
  }, 60_000)
})

describe('jobs', () => {
  test.each(['auth-sweep', 'billing-sweep', 'lifecycle-sweep'])(
    '%s runs now and answers what it did',
    async (job) => {
      const answer = await control(stack, 'POST', `/jobs/${job}/run`)

      expect(answer['answer']).toMatchObject({ published: 0, failed: 0 })
    },
  )

  test('an unknown job is refused with the known ones', async () => {
    await expect(control(stack, 'POST', '/jobs/none/run')).rejects.toThrow(/400.*auth-sweep/)
  })
})

describe('identity tokens', () => {
  test("a cluster token names the tenant's workload and verifies against the cluster's keys", async () => {
    const { token } = await control(stack, 'POST', '/tokens/cluster', { tenantId: 'acme', ttlSeconds: 900 })

    const { url, issuer } = stack.info().clusterIssuer
    const keys = createRemoteJWKSet(new URL(`${url}/openid/v1/jwks`))
    const currentDate = new Date(String((await control(stack, 'GET', '/clock'))['now']))
    const { payload } = await jwtVerify(String(token), keys, {
      issuer,
      audience: stack.info().gatewayUrl,
      currentDate,
    })
    expect(payload.sub).toBe('system:serviceaccount:tenant-acme:tenant-workload')
  })

  test('a Google token has the e-mail and audience asked for', async () => {
    const request = {
      email: 'someone@demo-energent.iam.gserviceaccount.com',
      audience: 'https://example.test',
    }

    const { token } = await control(stack, 'POST', '/tokens/google', request)

    expect(decodeJwt(String(token))).toMatchObject({ email: request.email, aud: request.audience })
  })
})

describe('looking and breaking', () => {
  test("a dump holds the tenant's documents and objects, and nobody else's", async () => {
    const dump = await control(stack, 'GET', '/dump?tenantId=acme')

    const paths = Object.keys(dump['documents'] as object)
    expect(paths).toEqual(
      expect.arrayContaining([
        'tenants/acme',
        'tenants/acme/auth_state/current',
        'tenants/acme/billing_tenant/current',
      ]),
    )
    expect(paths.filter((path) => path.includes('globex'))).toEqual([])
    expect(JSON.stringify(dump['kubernetes'])).toContain('tenant-acme')
  })

  test('a lost answer of the store changes nothing for the caller', async () => {
    const api = stack.api()
    const token = await api.token(stack.info().operator)
    const json = {
      tenantId: 'lost-answer',
      displayName: 'Lost',
      tier: 'basic',
      deploymentModel: 'multi_tenant',
      region: 'us-central1',
    }
    await control(stack, 'POST', '/faults', {
      target: 'firestore',
      operation: 'Commit',
      count: 1,
      mode: 'lostAnswer',
    })

    const answer = await api.call('POST', '/v1/tenants', { token, json })

    expect(answer.status).toBe(202)
  })

  test('a fault that is taken back does not happen', async () => {
    const fault = { target: 'firestore', operation: 'Commit', count: 100, mode: 'error' }
    const { id } = await control(stack, 'POST', '/faults', fault)
    await control(stack, 'DELETE', `/faults/${String(id)}`)

    expect((await control(stack, 'POST', '/jobs/auth-sweep/run'))['answer']).toMatchObject({ failed: 0 })
  })

  test('a duplicated message has no second effect', async () => {
    const api = stack.api()
    const [acme] = stack.info().tenants
    if (acme === undefined) throw new Error('no demo tenant')
    const token = await api.token(acme)
    const now = String((await control(stack, 'GET', '/clock'))['now'])
    const event = {
      specversion: '1.0',
      id: 'duplicated-1',
      source: '//test.example',
      type: 'ai.energent.usage.workflow_runs.v1',
      subject: 'tenants/acme',
      time: now,
      data: { value: '1' },
    }
    await api.call('POST', '/v1/usage', { token, json: event })
    await control(stack, 'POST', '/clock', { advanceSeconds: 0 })
    const { messages } = await control(stack, 'GET', '/messages?topic=billing-events&state=acked')
    expect(messages).not.toEqual([])
    for (const { messageId } of messages as { messageId: string }[]) {
      await control(stack, 'POST', `/messages/${messageId}/duplicate`)
    }

    const usage = await api.call('GET', '/v1/tenants/acme/usage?meter=workflow_runs', { token })

    expect(usage.body['data']).toMatchObject([{ value: '1' }])
  })

  test('takes no request from a page in a browser', async () => {
    const answer = await fetch(`${stack.info().controlUrl}/clock`, {
      headers: { origin: 'https://evil.example' },
    })

    expect(answer.status).toBe(403)
  })
})

describe('faults', () => {
  const order = (fault: object): Promise<Record<string, unknown>> => control(stack, 'POST', '/faults', fault)

  describe.each(TARGETS)('of %s', (target) => {
    const speaksGrpc = ['firestore', 'pubsub', 'secrets'].includes(target)
    // What Google's clients see as a lost connection is UNAVAILABLE; over HTTP it is the connection itself.
    const cut = speaksGrpc ? 14 : 'cut'
    const code = speaksGrpc ? 8 : 502

    test.each([
      ['refuse', {}, cut, false],
      ['error', { code }, code, false],
      ['lostAnswer', {}, cut, true],
      ['delay', { delayMs: 150 }, 'ok', true],
    ] as const)(
      '%s happens as often as was said, and to nothing else',
      async (mode, more, answer, effect) => {
        const caller = faultCallers(stack)[target]
        const elsewhere = {
          idp: '/token',
          kubernetes: 'delete pods',
          stripe: 'GET /v1/prices',
          kms: 'Decrypt',
          container: 'GetOperation',
          fleet: 'GetOperation',
        }
        const other = { firestore: 'Listen', pubsub: 'DeleteTopic', secrets: 'GetSecret', ...elsewhere }[
          target
        ]
        const { id } = await order({ target, operation: other, mode: 'refuse', count: 1 })
        await order({ target, operation: caller.operation, mode, count: 2, ...more })
        const names = [1, 2, 3].map((time) => `fault-${mode.toLowerCase()}-${time}`)

        const startedMs = performance.now()
        const answers = []
        for (const name of names) answers.push(await caller.call(name))
        const tookMs = performance.now() - startedMs
        await control(stack, 'DELETE', `/faults/${String(id)}`)

        expect(answers).toEqual([answer, answer, 'ok'])
        if (mode === 'delay') expect(tookMs).toBeGreaterThan(290)
        if (caller.happened === undefined) return
        const happened = []
        for (const name of names) happened.push(await caller.happened(name))
        expect(happened).toEqual([effect, effect, true])
      },
    )

    test('taken back does not happen', async () => {
      const caller = faultCallers(stack)[target]
      const { id } = await order({ target, mode: 'refuse', count: 100 })
      await control(stack, 'DELETE', `/faults/${String(id)}`)

      expect(await caller.call('fault-taken-back')).toBe('ok')
      await expect(control(stack, 'DELETE', `/faults/${String(id)}`)).rejects.toThrow(/400.*no fault/)
    })
  })

  test.each([
    ['POST', '/messages/no-such-message/drop', /no-such-message/],
    ['POST', '/messages/%zz/drop', /not encoded/],
    ['POST', '/faults', /target must be one of/],
    ['POST', '/tokens/google', /email must be a text/],
    ['POST', '/tokens/cluster', /namespace or a tenantId/],
    ['GET', '/messages?state=lost', /state must be one of/],
  ])('%s %s says what is wrong with it', async (method, path, said) => {
    await expect(control(stack, method, path)).rejects.toThrow(/: 400 /)
    await expect(control(stack, method, path)).rejects.toThrow(said)
  })
})

// Each has an API server of its own, and the shared one never sees their namespaces.
test('a dedicated tenant gets a cluster, a hybrid one brings its own, and the dump shows both', async () => {
  const info = stack.info()
  const token = await stack.api().token(info.operator)
  const models = { dora: 'dedicated', hugo: 'hybrid' } as const
  for (const [tenantId, deploymentModel] of Object.entries(models)) {
    const body = { tenantId, displayName: tenantId, tier: 'basic', deploymentModel, region: 'us-central1' }
    expect((await stack.api().call('POST', '/v1/tenants', { token, json: body })).status).toBe(202)
  }
  expect(await control(stack, 'POST', '/memberships', { tenantId: 'hugo' })).toEqual({ name: 't-hugo' })
  const stateOf = async (tenantId: string) =>
    (await stack.api().call('GET', `/v1/tenants/${tenantId}`, { token })).body['state']

  for (let minute = 0; minute < 10 && (await stateOf('dora')) !== 'ACTIVE'; minute += 1) {
    await control(stack, 'POST', '/clock', { advanceSeconds: 60 })
  }

  for (const tenantId of Object.keys(models)) {
    expect([tenantId, await stateOf(tenantId)]).toEqual([tenantId, 'ACTIVE'])
    expect(stack.parts().kubernetes.dump(`tenant-${tenantId}`)).toEqual([])
    const dump = await control(stack, 'GET', `/dump?tenantId=${tenantId}`)
    expect((dump['kubernetes'] as unknown[]).length).toBeGreaterThan(15)
    const cloud = JSON.stringify(dump['cloud'])
    for (const name of [
      `cryptoKeys/tenant-${tenantId}"`,
      `secrets/tenant-${tenantId}-workload"`,
      `t-${tenantId}"`,
    ])
      expect(cloud).toContain(name)
  }
}, 60_000)

test('a reset brings back the stack of a first start', async () => {
  await control(stack, 'POST', '/reset')

  const info = stack.info()
  const listed = await stack
    .api()
    .call('GET', '/v1/tenants', { token: await stack.api().token(info.operator) })
  expect((listed.body['items'] as { tenantId: string }[]).map(({ tenantId }) => tenantId).sort()).toEqual([
    'acme',
    'globex',
    'initech',
  ])
  const drift = Date.parse(String((await control(stack, 'GET', '/clock'))['now'])) - Date.now()
  expect(Math.abs(drift)).toBeLessThan(5_000)
}, 60_000)
