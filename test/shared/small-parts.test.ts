import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fileClock, manualClock, systemClock } from '#shared/clock.ts'
import { DeadlineExceeded, withDeadline } from '#shared/deadline.ts'
import { eventClaim, requestClaim } from '#shared/firestore/claim.ts'
import { problemReply } from '#shared/http/problem.ts'
import { REFUSALS, type RefusalCode } from '#shared/refusals.ts'
import { ok, refuse } from '#shared/result.ts'

const never = () => new Promise<never>(() => {})

describe('a deadline', () => {
  test('passes on what came in time, value or failure', async () => {
    expect(await withDeadline('x', 1_000, Promise.resolve(7))).toBe(7)
    await expect(withDeadline('x', 1_000, Promise.reject(new RangeError('r')))).rejects.toBeInstanceOf(
      RangeError,
    )
  })

  test('ends the wait for what hangs, and says for what', async () => {
    await expect(withDeadline('the store', 5, never())).rejects.toThrow(DeadlineExceeded)
    await expect(withDeadline('the store', 5, never())).rejects.toThrow(/the store took longer than 5 ms/)
  })

  test('leaves no unhandled rejection when the work fails afterwards', async () => {
    const unhandled: unknown[] = []
    const listener = (reason: unknown) => void unhandled.push(reason)
    process.on('unhandledRejection', listener)
    const late = Promise.withResolvers<never>()
    await withDeadline('x', 1, late.promise).catch(() => undefined)
    late.reject(new Error('late'))
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', listener)

    expect(unhandled).toEqual([])
  })
})

describe('a clock', () => {
  test('of the machine is the machine’s', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1_000)
  })

  test('of a test stands still until moved', () => {
    const clock = manualClock(5)
    expect([clock.now(), clock.now()]).toEqual([5, 5])
    clock.advance(3)
    expect(clock.now()).toBe(8)
    clock.set(1)
    expect(clock.now()).toBe(1)
  })

  test.each([0n, 86_400_000n, -86_400_000n, 3_155_760_000_000n])(
    'of a file runs %s ms beside the machine’s, at once after the file changed',
    (offset) => {
      const file = join(mkdtempSync(join(tmpdir(), 'clock-')), 'offset')
      const bytes = Buffer.alloc(8)
      writeFileSync(file, bytes)
      const clock = fileClock(file)
      expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1_000)
      bytes.writeBigInt64BE(offset)
      writeFileSync(file, bytes)
      expect(Math.abs(clock.now() - Date.now() - Number(offset))).toBeLessThan(1_000)
    },
  )

  test('of a file that is not there is an error at start', () => {
    expect(() => fileClock('/nonexistent/offset')).toThrow(/ENOENT/)
  })
})

describe('refusals', () => {
  test.each(Object.entries(REFUSALS))(
    '%s has a status and a title that a caller can read',
    (code, { status, title }) => {
      expect(code).toMatch(/^[a-z_]+\.[a-z_]+$/)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(600)
      expect(title).toMatch(/^[A-Z][^\n]{5,100}[^.\n]$/)
    },
  )

  test.each(Object.keys(REFUSALS) as RefusalCode[])(
    '%s is a problem that shows the hint but never the detail',
    (code) => {
      const reply = problemReply(refuse(code, 'inner detail', 'what to do'), 'r1')
      const text = JSON.stringify(reply)
      expect(text).not.toContain('inner detail')
      expect(text.includes('what to do')).toBe(REFUSALS[code].status !== 404)
      expect(reply).toMatchObject({
        status: REFUSALS[code].status,
        json: { code, requestId: 'r1', status: REFUSALS[code].status },
      })
      expect('retry-after' in (reply.headers ?? {})).toBe([429, 503].includes(REFUSALS[code].status))
    },
  )

  test('a result is one or the other', () => {
    expect(ok(1)).toEqual({ ok: true, value: 1 })
    expect(refuse('internal.error', 'd')).toEqual({ ok: false, code: 'internal.error', detail: 'd' })
  })
})

describe('a claim', () => {
  test('of an event is by its source and id alone', () => {
    const claim = eventClaim({ source: 's', id: 'i' }, 'd1')
    expect(eventClaim({ source: 's', id: 'i' }, 'd2').id).toBe(claim.id)
    expect(eventClaim({ source: 's', id: 'j' }, 'd1').id).not.toBe(claim.id)
    expect(eventClaim({ source: 't', id: 'i' }, 'd1').id).not.toBe(claim.id)
  })

  test('of a request is by subject, route and key, and never an event’s', () => {
    const claim = requestClaim('client:a', 'createClient', 'k', 'd')
    expect(claim).toMatchObject({ kind: 'request', keepMs: 24 * 3_600_000 })
    const others = [
      requestClaim('client:b', 'createClient', 'k', 'd'),
      requestClaim('client:a', 'createTenant', 'k', 'd'),
      requestClaim('client:a', 'createClient', 'l', 'd'),
    ]
    expect(new Set([claim, ...others].map(({ id }) => id)).size).toBe(4)
    expect(() => eventClaim({ source: 'request\0client:a\0createClient', id: 'k' }, 'd')).toThrow(TypeError)
  })
})
