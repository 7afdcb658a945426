import { randomUUID } from 'node:crypto'
import { findHeader, type HeaderList, headerValues, withHeader } from './header-list.ts'

/**
 * Adds what Google's front end adds: the caller's address at the end of `X-Forwarded-For` (everything
 * before it is the client's claim), the scheme, which no client can set, and a request id if there is none.
 */
export function withForwarded(
  headers: HeaderList,
  clientAddress: string,
  scheme: 'http' | 'https',
): HeaderList {
  const chain = [...headerValues(headers, 'x-forwarded-for'), clientAddress].join(', ')
  const forwarded = withHeader(withHeader(headers, 'X-Forwarded-For', chain), 'X-Forwarded-Proto', scheme)
  return findHeader(forwarded, 'x-request-id') === undefined
    ? withHeader(forwarded, 'X-Request-Id', randomUUID())
    : forwarded
}
