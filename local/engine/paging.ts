import { rpcError, status } from './rpc-error.ts'

export type Page<T> = { readonly items: readonly T[]; readonly nextPageToken: string }

/**
 * One page of a list that is sorted by name; the opaque token names the last item given.
 *
 * A token stays good when items come and go, because it does not count them.
 */
export function pageOf<T>(
  all: Iterable<T>,
  nameOf: (item: T) => string,
  request: { readonly pageSize: number; readonly pageToken: string },
  largest: number,
): Page<T> {
  if (request.pageSize < 0) throw rpcError(status.INVALID_ARGUMENT, 'page_size is negative')
  const after = readToken(request.pageToken)
  const rest = [...all].filter((item) => nameOf(item) > after)
  rest.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const items = rest.slice(0, Math.min(request.pageSize || largest, largest))
  const last = items.at(-1)
  const more = last !== undefined && items.length < rest.length
  return { items, nextPageToken: more ? Buffer.from(nameOf(last)).toString('base64url') : '' }
}

function readToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString()
  if (Buffer.from(text).toString('base64url') === token) return text
  throw rpcError(status.INVALID_ARGUMENT, 'You have passed an invalid page_token to the server.')
}
