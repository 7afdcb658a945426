import { describe, expect, test } from 'vitest'
import { parseFaultOrder } from '#local/stack/fault-order.ts'
import { StackError } from '#local/stack/options.ts'

const rpcsOf = (): readonly string[] => ['Commit', 'Listen']
const parse = (body: Record<string, unknown>) => parseFaultOrder(body, rpcsOf)

describe('an order of a fault', () => {
  test('is the next call of any operation unless it says more', () => {
    expect(parse({ target: 'idp', mode: 'refuse' })).toEqual({
      target: 'idp',
      operation: '*',
      count: 1,
      fault: { mode: 'refuse' },
    })
  })

  test.each([
    { target: 'firestore', operation: 'Commit', mode: 'error', code: 8, count: 2 },
    { target: 'secrets', operation: 'Listen', mode: 'lostAnswer', code: 13 },
    { target: 'kubernetes', operation: 'patch namespaces', mode: 'error', code: 503 },
    { target: 'stripe', operation: 'POST /v1/customers', mode: 'delay', delayMs: 20 },
    { target: 'idp', operation: '/.well-known/openid-configuration', mode: 'lostAnswer' },
  ])('%j is taken as it is', ({ target, operation, count = 1, ...fault }) => {
    expect(parse({ target, operation, count, ...fault })).toEqual({ target, operation, count, fault })
  })

  // A test that waits for a fault that never comes would pass for the wrong reason.
  test.each([
    [{ mode: 'refuse' }, /target must be one of.*idp/],
    [{ target: 'mars', mode: 'refuse' }, /target must be one of/],
    [{ target: 'idp', mode: 'explode' }, /mode must be one of/],
    [{ target: 'firestore', mode: 'error', operation: 'Comit' }, /operation of firestore.*Commit/],
    [{ target: 'idp', mode: 'error', operation: 'token' }, /operation of idp.*a path/],
    [{ target: 'kubernetes', mode: 'error', operation: 'namespaces' }, /operation of kubernetes.*a verb/],
    [{ target: 'stripe', mode: 'error', operation: '/v1/customers' }, /operation of stripe.*a method/],
    [{ target: 'pubsub', mode: 'error', operation: 7 }, /operation of pubsub/],
    [{ target: 'idp', mode: 'error', code: 42 }, /code must be a whole number from 400 to 599/],
    [{ target: 'firestore', mode: 'error', code: 503 }, /code must be a whole number from 1 to 16/],
    [{ target: 'stripe', mode: 'refuse', code: 503 }, /code only in the modes error/],
    [{ target: 'idp', mode: 'error', delayMs: 5 }, /delayMs goes with/],
    [{ target: 'idp', mode: 'delay', delayMs: -1 }, /delayMs must be/],
    [{ target: 'idp', mode: 'refuse', count: 0 }, /count must be/],
    [{ target: 'idp', mode: 'refuse', count: '2' }, /count must be/],
    [{ target: 'idp', mode: 'refuse', times: 2 }, /times is none of/],
  ])('%j is refused with what is wrong', (body, said) => {
    expect(() => parse(body)).toThrow(StackError)
    expect(() => parse(body)).toThrow(said)
  })

  test('is refused where Google’s emulator stands in', () => {
    expect(() => parseFaultOrder({ target: 'firestore', mode: 'error' }, () => undefined)).toThrow(/embedded/)
  })
})
