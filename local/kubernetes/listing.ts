import type { JsonObject, KubeObject } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import type { Target } from './request.ts'
import { apiVersionOf } from './resources.ts'
import { parseFieldSelector, parseLabelSelector } from './selectors.ts'
import { apiError, badRequest } from './status.ts'

/** The objects of a collection that the query's selectors let through. */
export function pickObjects(store: ObjectStore, target: Target, query: URLSearchParams): KubeObject[] {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '')
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '')
  const namespace = target.namespace === '' ? undefined : target.namespace
  return store.list(target.resource, namespace).filter((object) => labels(object) && fields(object))
}

/** A `…List`, in pages if the query sets a `limit`. */
export function listObjects(
  store: ObjectStore,
  target: Target,
  query: URLSearchParams,
  objects = pickObjects(store, target, query),
): JsonObject {
  const limit = Number(query.get('limit') ?? 0)
  if (!Number.isInteger(limit) || limit < 0) throw badRequest('limit must be a whole number')
  const after = parseContinue(query.get('continue') ?? '')
  const rest = objects.filter((object) => keyOf(object) > after)
  const items = limit === 0 ? rest : rest.slice(0, limit)
  const last = items.at(-1)
  const more = items.length < rest.length && last !== undefined
  return {
    kind: `${target.resource.kind}List`,
    apiVersion: apiVersionOf(target.resource),
    metadata: {
      resourceVersion: store.revision(),
      ...(more
        ? {
            continue: Buffer.from(keyOf(last)).toString('base64url'),
            remainingItemCount: rest.length - items.length,
          }
        : {}),
    },
    // Items of a list carry neither kind nor version.
    items: items.map(({ apiVersion: _version, kind: _kind, ...item }) => item),
  }
}

const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`

function parseContinue(token: string): string {
  const key = Buffer.from(token, 'base64url').toString()
  if (token !== '' && !key.includes('/'))
    throw apiError(410, 'Expired', 'The provided continue parameter is too old')
  return key
}
