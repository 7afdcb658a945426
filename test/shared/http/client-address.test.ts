import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { clientAddress } from '#shared/http/read-request.ts'

function requestFor(forwarded?: string): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded
  return request
}

// Whatever a caller writes into the header stands left of what our own proxies append.
test.each([
  ['203.0.113.9', 0, '203.0.113.9'],
  ['6.6.6.6, 203.0.113.9', 0, '203.0.113.9'],
  ['203.0.113.9, 35.0.0.1', 1, '203.0.113.9'],
  ['6.6.6.6,7.7.7.7 , 203.0.113.9,35.0.0.1', 1, '203.0.113.9'],
])('of "%s" with %i proxies between, the caller is %s', (forwarded, hops, address) => {
  expect(clientAddress(requestFor(forwarded), hops)).toBe(address)
})

test.each([[undefined], [''], ['203.0.113.9']])(
  'fewer entries than proxies (%j) name nobody',
  (forwarded) => {
    expect(clientAddress(requestFor(forwarded), 1)).toBe('')
  },
)
