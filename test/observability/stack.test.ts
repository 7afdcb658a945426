import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { playJourney } from '#local/demo/journey.ts'
import { createNarrator } from '#local/demo/narrator.ts'
import { DOCUMENTS } from '#shared/firestore/documents.ts'
import { logLineFaults } from '#shared/observability/log-line.ts'
import { LOG_MESSAGES } from '#shared/observability/messages.ts'
import { control } from '../e2e/test-stack.ts'
import { parsePrometheus } from '../support/prometheus.ts'
import { type Canary, leaksIn } from './canary.ts'
import { documentsOf, MARK, sendEverything } from './inputs.ts'
import { HEALTH_PATHS, type ObservedStack, startObservedStack } from './stack.ts'

let stack: ObservedStack
let secrets: readonly Canary[]
let requestIds: readonly string[]
const marks: readonly Canary[] = Object.entries(MARK).map(([name, value]) => ({ name, value }))

beforeAll(async () => {
  stack = await startObservedStack()
  await playJourney(
    stack.info(),
    'journey-observed',
    createNarrator(() => undefined),
  )
  const sent = await sendEverything(stack)
  secrets = sent.secrets
  requestIds = sent.requestIds
  await stack.settled()
}, 90_000)
afterAll(() => stack.close())

describe('the log of a running system', () => {
  test('holds no line that is not as its schema says', () => {
    const lines = stack.lines()
    const faulty = lines.flatMap((line) => logLineFaults(line).map((fault) => `${fault} in ${line}`))

    expect(lines.length).toBeGreaterThan(80)
    expect(faulty.slice(0, 5)).toEqual([])
  })

  test('says the same few things', () => {
    const messages = new Set(stack.lines().map((line) => String(JSON.parse(line).message)))
    for (const message of ['request', 'message', 'step', 'event quarantined']) {
      expect([...messages]).toContain(message)
    }
    expect([...messages].filter((message) => !(message in LOG_MESSAGES))).toEqual([])
  })

  test('has exactly one line for each request that reached a function, found by the id its caller got', () => {
    const requests = stack.lines().flatMap((line) => {
      const entry = JSON.parse(line)
      return entry.message === 'request' ? [entry] : []
    })
    const logged = Map.groupBy(requests, (entry) => String(entry['requestId']))
    const known = requestIds.filter((id) => id !== '')

    expect(known.length).toBeGreaterThan(10)
    for (const id of known) expect(logged.get(id), id).toHaveLength(1)
    expect([...logged.values()].every((entries) => entries.length === 1)).toBe(true)
  })

  test('joins every request and message to a trace', () => {
    for (const line of stack.lines()) {
      const entry = JSON.parse(line)
      if (entry.message !== 'request' && entry.message !== 'message') continue
      expect(entry['logging.googleapis.com/trace']).toMatch(/^projects\/demo-[a-z]+\/traces\/[0-9a-f]{32}$/)
      expect(entry['logging.googleapis.com/spanId']).toMatch(/^[0-9a-f]{16}$/)
    }
  })

  test('tells an error from a refusal: nothing that a caller did wrong is an error of ours', () => {
    for (const line of stack.lines()) {
      const { severity, httpRequest } = JSON.parse(line)
      if (httpRequest !== undefined) expect(severity === 'ERROR').toBe(httpRequest.status >= 500)
    }
  })
})

describe('what was secret or private', () => {
  test('was sent, and is where it belongs', async () => {
    expect(JSON.stringify(await documentsOf(stack))).toContain('Könary')
  })

  // The same search, for what is there: it looks in the right places.
  test('would be found: what may stand there is', async () => {
    const { kubernetes } = await control(stack, 'GET', '/dump')
    const { messages } = (await control(stack, 'GET', '/messages')) as { messages: { attributes?: object }[] }
    const found = (text: string, value: string): boolean => leaksIn(text, [{ name: '', value }]).length > 0

    expect(found(stack.lines().join('\n'), 'canary-one')).toBe(true)
    expect(found(JSON.stringify(kubernetes), 'canary-one')).toBe(true)
    expect(found(JSON.stringify(messages.map(({ attributes }) => attributes)), 'canary-one')).toBe(true)
    expect(found((await metricsTexts()).join('\n'), 'createTenant')).toBe(true)
    expect(found(JSON.stringify(await documentsOf(stack)), MARK.clientName)).toBe(true)
  })

  test('is in no line of the log and in nothing the stack printed', () => {
    const text = [...stack.lines(), ...stack.printed].join('\n')
    expect(leaksIn(stack.lines().join('\n'), [...marks, ...secrets])).toEqual([])
    expect(leaksIn(text, marks)).toEqual([])
  })

  test('is in no metric', async () => {
    for (const text of await metricsTexts()) expect(leaksIn(text, [...marks, ...secrets])).toEqual([])
  })

  test('is in no text of the quarantine', async () => {
    const quarantined = Object.entries(await documentsOf(stack)).filter(([path]) =>
      path.includes('_quarantine/'),
    )
    const texts = quarantined.map(([path, { payload: _payload, ...fields }]) => path + JSON.stringify(fields))

    expect(quarantined.length).toBeGreaterThan(5)
    expect(leaksIn(texts.join('\n'), [...marks, ...secrets])).toEqual([])
  })

  test('is in no object of the cluster', async () => {
    const { kubernetes } = (await control(stack, 'GET', '/dump')) as { kubernetes: unknown[] }

    expect(kubernetes.length).toBeGreaterThan(10)
    expect(leaksIn(JSON.stringify(kubernetes), [...marks, ...secrets])).toEqual([])
  })

  test('is in no attribute of a message', async () => {
    const { messages } = (await control(stack, 'GET', '/messages')) as { messages: { attributes?: object }[] }
    const attributes = messages.map((message) => JSON.stringify(message.attributes ?? {}))

    expect(attributes.some((text) => text.includes('tenantid'))).toBe(true)
    expect(leaksIn(attributes.join('\n'), [...marks, ...secrets])).toEqual([])
  })

  test('a secret, a token or an Idempotency-Key is in no document at all', async () => {
    const keys = marks.filter(({ name }) => ['idempotencyKey', 'wrongSecret', 'bearer'].includes(name))
    expect(leaksIn(JSON.stringify(await documentsOf(stack)), [...secrets, ...keys])).toEqual([])
  })
})

describe('metrics of a running system', () => {
  test('are exact text with only metrics of the table', async () => {
    for (const text of await metricsTexts()) {
      const { samples } = parsePrometheus(text)
      expect(samples.some(({ name, value }) => name === 'energent_http_requests_total' && value > 0)).toBe(
        true,
      )
    }
  })

  const promtool = spawnSync('promtool', ['--version']).status === 0
  test.skipIf(!promtool)(
    promtool ? 'please promtool' : "please promtool (skipped: install Debian's prometheus for it)",
    async () => {
      for (const text of await metricsTexts()) {
        const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text })
        expect([status, `${stdout}${stderr}`]).toEqual([0, ''])
      }
      const bad = spawnSync('promtool', ['check', 'metrics'], { input: '# TYPE a counter\na 1\n' })
      expect(bad.status).not.toBe(0)
    },
  )
})

async function metricsTexts(): Promise<string[]> {
  const token = await stack.api().token(stack.info().operator)
  const paths = ['/metrics', '/metrics/billing', '/metrics/tenants']
  const read = async (path: string): Promise<string> => {
    // The second answer counts the first.
    for (let turn = 0; ; turn += 1) {
      const answer = await fetch(`${stack.info().gatewayUrl}${path}`, {
        headers: { authorization: `Bearer ${token}` },
      })
      expect(answer.status).toBe(200)
      const text = await answer.text()
      if (turn === 1) return text
    }
  }
  return Promise.all(paths.map(read))
}

describe('health of a running system', () => {
  test('is well, and names every dependency', async () => {
    const health = await stack.healthAfter(2)

    for (const path of HEALTH_PATHS) expect([path, health[path]?.status]).toEqual([path, 200])
    const named = HEALTH_PATHS.map((path) => Object.keys(JSON.parse(health[path]?.text ?? '{}').checks))
    expect(named).toEqual([
      ['firestore', 'keyring', 'kms', 'pubsub', 'secrets'],
      ['firestore', 'pubsub'],
      ['firestore', 'kubernetes', 'kms', 'pubsub'],
    ])
  })

  // Refused for good, so that the official clients do not try again by themselves.
  test.each([
    [
      'firestore',
      'BatchGetDocuments',
      7,
      120,
      {
        '/health': ['firestore', 'keyring'],
        '/health/billing': ['firestore'],
        '/health/tenants': ['firestore'],
      },
    ],
    [
      'pubsub',
      'Publish',
      7,
      2,
      { '/health': ['pubsub'], '/health/billing': ['pubsub'], '/health/tenants': ['pubsub'] },
    ],
    [
      'secrets',
      'AccessSecretVersion',
      7,
      2,
      { '/health': ['secrets'], '/health/billing': [], '/health/tenants': [] },
    ],
    ['kubernetes', '*', 503, 2, { '/health': [], '/health/billing': [], '/health/tenants': ['kubernetes'] }],
  ])(
    'a failing %s is named with 503, says nothing of why, and is well again after it',
    async (target, operation, code, seconds, expected) => {
      await stack.healthAfter(seconds)
      const { id } = await control(stack, 'POST', '/faults', {
        target,
        operation,
        code,
        mode: 'error',
        count: 1_000,
      })
      const down = await stack.healthAfter(seconds)
      await control(stack, 'DELETE', `/faults/${String(id)}`)
      const up = await stack.healthAfter(seconds)

      for (const path of HEALTH_PATHS) {
        const failed: readonly string[] = expected[path]
        expect([path, down[path]?.failed, down[path]?.status]).toEqual([
          path,
          failed,
          failed.length > 0 ? 503 : 200,
        ])
        expect(down[path]?.text).not.toMatch(/Error|denied|at |PERMISSION|127\.0\.0\.1/)
        expect([path, up[path]?.status]).toEqual([path, 200])
      }
    },
  )

  test('a thousand questions within a second are a few reads', async () => {
    const asked = Array.from({ length: 300 }, () => fetch(`${stack.info().gatewayUrl}/health/billing`))
    const answers = await Promise.all(asked)
    const checked = await Promise.all(
      answers.map(async (answer) => ((await answer.json()) as { checkedAt: string }).checkedAt),
    )

    expect(new Set(checked).size).toBeLessThan(10)
  })
})

test('every document of a running system is of a kind that docs/storage.md names', async () => {
  const patterns = DOCUMENTS.filter(({ written }) => written).map(
    ({ path }) => new RegExp(`^${path.replaceAll(/\{[A-Za-z]+\}/g, '[^/]+')}$`),
  )
  const paths = Object.keys(await documentsOf(stack))
  const used = patterns.filter((pattern) => paths.some((path) => pattern.test(path)))

  expect(paths.filter((path) => !patterns.some((pattern) => pattern.test(path)))).toEqual([])
  expect(used.length).toBeGreaterThan(15)
})

test('every query has its index: sweeps and lists answer on an engine that insists', async () => {
  const token = await stack.api().token(stack.info().operator)
  for (const job of ['auth-sweep', 'billing-sweep', 'lifecycle-sweep']) {
    await control(stack, 'POST', `/jobs/${job}/run`)
  }
  for (const query of ['', '?state=ACTIVE', '?tier=basic', '?state=ACTIVE&tier=basic&pageSize=1']) {
    expect((await stack.api().call('GET', `/v1/tenants${query}`, { token })).status).toBe(200)
  }
  const failed = stack.lines().filter((line) => line.includes('requires an index'))
  expect(failed).toEqual([])
})
