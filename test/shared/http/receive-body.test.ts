import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type FrameworkRequest, receiveBody } from '#shared/http/read-request.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const aRequest = () => Object.assign(new PassThrough(), { headersDistinct: {} })
const receive = (request: PassThrough) => receiveBody(request as unknown as FrameworkRequest, 100)

describe('a body', () => {
  test('of which nothing comes any more is told 408 after five seconds', async () => {
    const request = aRequest()
    const result = receive(request)
    request.write('grant')
    await vi.advanceTimersByTimeAsync(5_100)
    expect(await result).toMatchObject({ ok: false, code: 'request.timeout' })
  })

  test('that drips is told 408 after ten', async () => {
    const request = aRequest()
    const result = receive(request)
    for (let second = 0; second < 11; second += 1) {
      request.write('x')
      await vi.advanceTimersByTimeAsync(1_000)
    }
    expect(await result).toMatchObject({ ok: false, code: 'request.timeout' })
  })

  test('that pauses and comes whole is taken, and leaves no timer behind', async () => {
    const request = aRequest()
    const result = receive(request)
    request.write('a=')
    await vi.advanceTimersByTimeAsync(4_500)
    request.end('b')
    await vi.advanceTimersByTimeAsync(4_500)
    expect(await result).toMatchObject({ ok: true, value: Buffer.from('a=b') })
    expect(vi.getTimerCount()).toBe(0)
  })
})
