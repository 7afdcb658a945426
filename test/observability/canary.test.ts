import { describe, expect, test } from 'vitest'
import { manualClock } from '#shared/clock.ts'
import { createLogger } from '#shared/log.ts'
import { type Canary, leaksIn } from './canary.ts'

// The search of the running system is worth what these show: that it would find something.
const CANARY: Canary = { name: 'it', value: 'Käse "9f8e7d6c" & co/ünf+x' }
const { value } = CANARY

const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('the search for canaries finds one', () => {
  test.each([
    ['as it is', `before ${value} after`],
    ['in JSON', JSON.stringify({ a: [value] })],
    ['in JSON in JSON', JSON.stringify({ a: JSON.stringify({ b: value }) })],
    [
      'escaped for JSON to the last character',
      `"${value.replace(/[\s\S]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`,
    ],
    ['in a URL', `https://x.example/?q=${encodeURIComponent(value)}`],
    ['in a form', new URLSearchParams({ q: value }).toString()],
    [
      'percent-encoded to the last byte',
      Buffer.from(value).toString('hex').replace(/../g, '%$&').toUpperCase(),
    ],
    ['as hex', Buffer.from(value).toString('hex')],
    ['as upper-case hex', Buffer.from(value).toString('hex').toUpperCase()],
    ['as base64', base64(value)],
    ['as base64url', Buffer.from(value).toString('base64url')],
    ['behind something in base64', base64(`cid_acme:${value}`)],
    ['behind one byte in base64', base64(`a${value}`)],
    ['between two bytes and more in base64', base64(`ab${value} and more`)],
    [
      'in base64url of JSON',
      Buffer.from(`{"x":"${value.replaceAll('"', '')}${value}"}`).toString('base64url'),
    ],
  ])('%s', (_name, text) => {
    expect(leaksIn(text, [CANARY]).map(({ canary }) => canary)).toContain('it')
  })

  test('in a line of the log that should not have been written', () => {
    const lines: string[] = []
    createLogger({
      clock: manualClock(0),
      project: 'p',
      service: 's',
      write: (line) => void lines.push(line),
    }).warn('push refused', { detail: `unexpected: ${value}` })

    expect(leaksIn(lines.join('\n'), [CANARY])).not.toEqual([])
  })
})

test('finds nothing where there is nothing', () => {
  expect(leaksIn(`before ${value.slice(0, -1)} after ${base64('something else')}`, [CANARY])).toEqual([])
})
