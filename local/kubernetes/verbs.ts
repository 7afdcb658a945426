import { randomBytes } from 'node:crypto'
import { applyTo, trackUpdate, type Writer } from './apply.ts'
import { isObject, type JsonObject, type KubeObject, timestamp } from './json.ts'
import {
  APPLY_PATCH,
  type Body,
  checkApplied,
  checkSent,
  parseObject,
  type Target,
  type WriteOptions,
} from './request.ts'
import { apiError, badRequest, conflict, notFound } from './status.ts'
import { createObject, updateObject, type WriteContext } from './writes.ts'

/** What a write asks for: of which object, with which body, how and by whom. */
export type Write = {
  readonly context: WriteContext
  readonly target: Target
  readonly body: Body
  readonly options: WriteOptions
}

type Written = { readonly created: boolean; readonly object: KubeObject }

function writerOf({ context, options, target }: Write, apply: boolean): Writer {
  return {
    manager: options.manager,
    operation: apply ? 'Apply' : 'Update',
    subresource: target.subresource,
    time: timestamp(context.nowMs),
  }
}

/** POST: creates an object, its name made up if only `generateName` is given. */
export function post(write: Write): Written {
  const { context, target, body, options } = write
  const sent = parseObject(body.object, target)
  const prefix = sent.metadata['generateName']
  if (sent.metadata.name === '' && typeof prefix === 'string' && prefix !== '') {
    sent.metadata.name = `${prefix}${randomBytes(4).toString('hex').slice(0, 5)}`
  }
  if (sent.metadata.resourceVersion !== undefined && sent.metadata.resourceVersion !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created')
  }
  const object = withoutStatus(checkSent(sent, target.resource, options.fieldValidation))
  const empty: KubeObject = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { name: object.metadata.name },
  }
  trackUpdate(empty, object, target.resource.schema, writerOf(write, false))
  return { created: true, object: createObject(context, target.resource, object) }
}

/** PUT: replaces an object or its status. */
export function put(write: Write, live: KubeObject | undefined): Written {
  const { target, body, options } = write
  const sent = checkSent(parseObject(body.object, target), target.resource, options.fieldValidation)
  if (live === undefined) throw notFound(target.resource, target.name)
  return replace(write, live, sent)
}

/** PATCH: a server-side apply, or a merge patch. */
export function patch(write: Write, live: KubeObject | undefined): Written {
  const { target, body, options } = write
  if (body.type === APPLY_PATCH) return apply(write, live)
  if (
    body.type !== 'application/merge-patch+json' &&
    body.type !== 'application/strategic-merge-patch+json'
  ) {
    throw apiError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: application/merge-patch+json, application/strategic-merge-patch+json, ${APPLY_PATCH}`,
    )
  }
  if (live === undefined) throw notFound(target.resource, target.name)
  const merged = parseObject(mergePatch(live, body.object), target)
  return replace(write, live, checkSent(merged, target.resource, options.fieldValidation))
}

function apply(write: Write, live: KubeObject | undefined): Written {
  const { context, target, body, options } = write
  const { resource } = target
  const sent = parseObject(body.object, target)
  if (sent.metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil')
  const checked = checkApplied(sent, resource)
  const config = target.subresource === 'status' ? onlyStatus(checked) : withoutStatus(checked)
  const writer = writerOf(write, true)
  const { uid, resourceVersion } = config.metadata
  if (live !== undefined) {
    const merged = applyTo(live, config, resource.schema, writer, options.force)
    merged.metadata.resourceVersion = resourceVersion ?? live.metadata.resourceVersion ?? ''
    if (uid !== undefined) merged.metadata.uid = uid
    return { created: false, object: updateObject(context, resource, live, merged) }
  }
  if (uid !== undefined && uid !== '') {
    const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`
    throw conflict(resource, target.name, why)
  }
  const { name, namespace } = config.metadata
  const empty: KubeObject = {
    apiVersion: config.apiVersion,
    kind: config.kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  }
  const object = applyTo(empty, config, resource.schema, writer, true)
  return { created: true, object: createObject(context, resource, object) }
}

function replace(write: Write, live: KubeObject, sent: KubeObject): Written {
  const { context, target } = write
  const next: KubeObject =
    target.subresource === 'status'
      ? { ...structuredClone(live), status: sent['status'] }
      : { ...sent, ...(live['status'] === undefined ? {} : { status: live['status'] }) }
  if (next['status'] === undefined) delete next['status']
  if (target.subresource === 'status' && sent.metadata.resourceVersion !== undefined) {
    next.metadata.resourceVersion = sent.metadata.resourceVersion
  }
  next.metadata.uid ??= live.metadata.uid ?? ''
  trackUpdate(live, next, target.resource.schema, writerOf(write, false))
  return { created: false, object: updateObject(context, target.resource, live, next) }
}

/** RFC 7396. */
function mergePatch(live: JsonObject, change: JsonObject): JsonObject {
  const result: JsonObject = structuredClone(live)
  for (const [field, value] of Object.entries(change)) {
    const before = result[field]
    if (value === null) delete result[field]
    else if (isObject(value)) result[field] = mergePatch(isObject(before) ? before : {}, value)
    else result[field] = value
  }
  return result
}

function withoutStatus(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object
  return rest as KubeObject
}

function onlyStatus(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata, status } = object
  return { apiVersion, kind, metadata, ...(status === undefined ? {} : { status }) }
}
