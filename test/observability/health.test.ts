import { describe, expect, test } from 'vitest'
import { manualClock } from '#shared/clock.ts'
import { createHealth, type HealthCheck } from '#shared/health.ts'
import { createLogger } from '#shared/log.ts'
import { publishCheck, secretCheck } from '#shared/observability/dependency-checks.ts'

const START_MS = Date.parse('2026-11-23T09:00:00.000Z')

function anInstance(checks: Readonly<Record<string, HealthCheck>>) {
  const clock = manualClock(START_MS)
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => void lines.push(JSON.parse(line))
  const log = createLogger({ clock, project: 'demo-test', service: 'test', write })
  return { clock, lines, health: createHealth(checks, { clock, log }) }
}

/** A dependency that counts how often it is asked, and answers as it is told. */
function aDependency() {
  const state = { asked: 0, answer: async (): Promise<unknown> => undefined }
  const check = (): Promise<unknown> => {
    state.asked += 1
    return state.answer()
  }
  return { state, check }
}

const failing = (code: number) => async (): Promise<never> => {
  throw Object.assign(new Error('of dcs_0123456789abcdef'), { code })
}

describe('health', () => {
  test('names each dependency with how long it took and when it last worked', async () => {
    const { health } = anInstance({ a: async () => 1, b: async () => undefined })

    expect(await health()).toEqual({
      status: 'ok',
      checkedAt: '2026-11-23T09:00:00.000Z',
      checks: {
        a: { status: 'ok', durationMs: expect.any(Number), lastSuccess: '2026-11-23T09:00:00.000Z' },
        b: { status: 'ok', durationMs: expect.any(Number), lastSuccess: '2026-11-23T09:00:00.000Z' },
      },
    })
  })

  test('of nothing to depend on is ok', async () => {
    expect(await anInstance({}).health()).toMatchObject({ status: 'ok', checks: {} })
  })

  test('keeps when a dependency last worked while it fails, and forgets nothing when it is back', async () => {
    const { state, check } = aDependency()
    const { clock, health } = anInstance({ store: check })
    await health()
    state.answer = failing(14)
    clock.advance(60_000)
    const down = await health()
    state.answer = async () => 1
    clock.advance(60_000)

    expect(down).toMatchObject({
      status: 'degraded',
      checks: { store: { status: 'failed', lastSuccess: '2026-11-23T09:00:00.000Z' } },
    })
    expect(await health()).toMatchObject({
      status: 'ok',
      checks: { store: { status: 'ok', lastSuccess: '2026-11-23T09:02:00.000Z' } },
    })
  })

  test('says what failed and never why; the log says why, scrubbed', async () => {
    const { health, lines } = anInstance({
      fine: async () => 1,
      rejects: failing(14),
      throws: () => {
        throw new Error('secret')
      },
      hangs: () => new Promise(() => undefined),
    })
    const answer = await health()

    expect(answer.status).toBe('degraded')
    expect(Object.entries(answer.checks).map(([name, { status }]) => `${name} ${status}`)).toEqual([
      'fine ok',
      'rejects failed',
      'throws failed',
      'hangs failed',
    ])
    expect(answer.checks['hangs']?.durationMs).toBeGreaterThan(1_900)
    expect(answer.checks['hangs']?.lastSuccess).toBeNull()
    expect(JSON.stringify(answer)).not.toMatch(/secret|dcs_|Error/)
    expect(lines.map((line) => `${line['message']} ${line['dependency']}`).sort()).toEqual([
      'dependency failed hangs',
      'dependency failed rejects',
      'dependency failed throws',
    ])
    expect(JSON.stringify(lines)).not.toContain('dcs_0123')
  })

  test('asked a thousand times within a second asks its dependencies once', async () => {
    const { state, check } = aDependency()
    const { clock, health } = anInstance({ store: check })

    const answers = await Promise.all(Array.from({ length: 500 }, health))
    clock.advance(999)
    for (let index = 0; index < 500; index += 1) answers.push(await health())

    expect(state.asked).toBe(1)
    expect(new Set(answers).size).toBe(1)
    clock.advance(1)
    await health()
    expect(state.asked).toBe(2)
  })

  test('is not kept for longer when the clock is set back', async () => {
    const { state, check } = aDependency()
    const { clock, health } = anInstance({ store: check })
    await health()
    clock.set(START_MS - 3_600_000)
    await health()

    expect(state.asked).toBe(2)
  })

  // A slow dependency must not be buried under questions.
  test('does not ask a dependency again that has not answered', async () => {
    const { state, check } = aDependency()
    const { clock, health } = anInstance({ store: check })
    let answer = (): void => undefined
    state.answer = () => new Promise<void>((resolve) => (answer = resolve))
    const waiting = Array.from({ length: 5 }, () => {
      clock.advance(2_000)
      return health()
    })
    expect(state.asked).toBe(1)
    answer()
    await Promise.all(waiting)
    clock.advance(2_000)
    state.answer = async () => 1
    await health()

    expect(state.asked).toBe(2)
  })
})

describe('what a dependency answers', () => {
  const publisher = (publish: () => Promise<string>) => publishCheck({ publish }, 'auth-facts')
  const secrets = (access: () => Promise<Buffer>) => secretCheck({ access }, 'pepper')

  test('a topic that refuses the empty message works', async () => {
    await expect(publisher(failing(3))()).resolves.toBeUndefined()
    await expect(publisher(async () => 'id')()).resolves.toBeUndefined()
  })

  test.each([4, 5, 7, 14])('a topic that answers %i does not', async (code) => {
    await expect(publisher(failing(code))()).rejects.toThrow()
  })

  test('a secret that is not there yet, or whose last version is disabled, is an answer', async () => {
    await expect(secrets(failing(5))()).resolves.toBeUndefined()
    await expect(secrets(failing(9))()).resolves.toBeUndefined()
    await expect(secrets(async () => Buffer.from('x'))()).resolves.toBeUndefined()
  })

  test.each([3, 4, 7, 14])('a secret store that answers %i does not work', async (code) => {
    await expect(secrets(failing(code))()).rejects.toThrow()
  })
})
