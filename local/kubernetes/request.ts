import type { Call } from '../loopback.ts'
import { isObject, type JsonObject, type KubeObject, type Metadata } from './json.ts'
import { apiVersionOf, findResource, type Resource } from './resources.ts'
import { findProblems, normalise } from './schema.ts'
import { apiError, badRequest, type FieldError, invalid, requiredValue, unsupportedValue } from './status.ts'

/** Where a path leads. `name` is empty for a collection. */
export type Target = {
  readonly resource: Resource
  readonly namespace: string
  readonly name: string
  readonly subresource: string
}

/** Parses `/api/v1/namespaces/n/pods/p/status` and `/apis/group/version/…`; nothing for anything else. */
export function parseTarget(pathname: string): Target | undefined {
  const parts = decodeParts(pathname)
  if (parts === undefined) return undefined
  const core = parts[0] === 'api'
  if (!core && parts[0] !== 'apis') return undefined
  const group = core ? '' : (parts[1] ?? '')
  const version = (core ? parts[1] : parts[2]) ?? ''
  const rest = parts.slice(core ? 2 : 3)
  const inNamespace =
    rest[0] === 'namespaces' && rest.length > 2 && !['status', 'finalize'].includes(rest[2] ?? '')
  const [plural = '', name = '', subresource = '', more] = inNamespace ? rest.slice(2) : rest
  const resource = findResource(group, version, plural)
  if (resource === undefined || more !== undefined) return undefined
  if (inNamespace && !resource.namespaced) return undefined
  return { resource, namespace: inNamespace ? (rest[1] ?? '') : '', name, subresource }
}

function decodeParts(pathname: string): string[] | undefined {
  try {
    return pathname.split('/').slice(1).map(decodeURIComponent)
  } catch {
    // A stray percent sign names nothing.
    return undefined
  }
}

/** The media type of a server-side apply. */
export const APPLY_PATCH = 'application/apply-patch+yaml'

export type Body = {
  readonly object: JsonObject
  /** Media type without parameters. */
  readonly type: string
}

/** Reads a JSON or, for an apply, YAML body. */
export async function readBody(call: Call): Promise<Body> {
  const type = (call.headers['content-type'] ?? 'application/json').split(';')[0]?.trim() ?? ''
  const source = call.body.toString('utf8')
  const object = await parseText(source, type)
  if (!isObject(object)) throw badRequest('the body of the request must be an object')
  return { object, type }
}

async function parseText(source: string, type: string): Promise<unknown> {
  if (source.trim() === '') return {}
  try {
    return JSON.parse(source)
  } catch {
    if (!type.includes('yaml')) throw badRequest('the body of the request could not be read as JSON')
  }
  // Only a hand-written manifest is YAML: the parser is loaded when one comes.
  const { parse } = await import('yaml')
  try {
    return parse(source)
  } catch (error) {
    throw badRequest(`error decoding YAML: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The object a caller sent, checked against the URL and completed from it. */
export function parseObject(body: JsonObject, target: Target): KubeObject {
  const { resource } = target
  if (body['kind'] !== resource.kind || body['apiVersion'] !== apiVersionOf(resource)) {
    const sent = `${String(body['apiVersion'])}, Kind=${String(body['kind'])}`
    throw badRequest(
      `the API version in the data (${sent}) does not match the expected API version (${apiVersionOf(resource)}, Kind=${resource.kind})`,
    )
  }
  const metadata: JsonObject = isObject(body['metadata']) ? { ...body['metadata'] } : {}
  const name = typeof metadata['name'] === 'string' ? metadata['name'] : ''
  if (target.name !== '' && name !== '' && name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`)
  }
  metadata['name'] = target.name === '' ? name : target.name
  if (resource.namespaced) {
    const namespace = metadata['namespace']
    if (namespace !== undefined && namespace !== '' && namespace !== target.namespace) {
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      )
    }
    metadata['namespace'] = target.namespace
  }
  return {
    ...body,
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: metadata as Metadata,
  }
}

/**
 * Checks an applied object against the schema. A server-side apply that does not fit is a 500: the
 * real server answers so, and it is for ever.
 */
export function checkApplied(object: KubeObject, resource: Resource): KubeObject {
  const [problem] = findProblems(object, resource.schema)
  if (problem !== undefined) {
    const { namespace = '', name } = object.metadata
    const version = apiVersionOf(resource).includes('/')
      ? apiVersionOf(resource)
      : `/${apiVersionOf(resource)}`
    throw apiError(
      500,
      '',
      `failed to create typed patch object (${namespace}/${name}; ${version}, Kind=${resource.kind}): ${problem.path}: ${problem.message}`,
    )
  }
  return normalise(object, resource.schema) as KubeObject
}

/** Checks an object of a POST, PUT or merge patch: a wrong type is a 400, an unknown field too if Strict. */
export function checkSent(object: KubeObject, resource: Resource, validation: string): KubeObject {
  const problems = findProblems(object, resource.schema)
  const wrong = problems.find((problem) => problem.kind === 'type')
  if (wrong !== undefined) {
    throw badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: json: cannot unmarshal into Go struct field ${resource.kind}${wrong.path}: ${wrong.message}`,
    )
  }
  const unknown = problems.filter((problem) => problem.kind === 'unknown')
  if (validation === 'Strict' && unknown.length > 0) {
    const list = unknown.map((problem) => `unknown field "${problem.path.slice(1)}"`).join(', ')
    throw badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error: ${list}`,
    )
  }
  return normalise(object, resource.schema) as KubeObject
}

/** What the query says about a write. */
export type WriteOptions = {
  readonly dryRun: boolean
  readonly force: boolean
  readonly manager: string
  readonly fieldValidation: string
}

/** Reads fieldManager, fieldValidation, force and dryRun from the query; an apply must name its manager. */
export function parseWriteOptions(call: Call, applying: boolean): WriteOptions {
  const query = call.url.searchParams
  const errors: FieldError[] = []
  const manager = query.get('fieldManager') ?? ''
  const dryRun = query.get('dryRun')
  const fieldValidation = query.get('fieldValidation') ?? 'Warn'
  if (applying && manager === '') errors.push(requiredValue('fieldManager', 'is required for apply patch'))
  if (!applying && query.has('force')) {
    const message = 'Forbidden: may not be specified for non-apply patch'
    errors.push({ field: 'force', reason: 'FieldValueForbidden', message })
  }
  if (dryRun !== null && dryRun !== 'All') errors.push(unsupportedValue('dryRun', dryRun, ['All']))
  if (!['Ignore', 'Warn', 'Strict'].includes(fieldValidation)) {
    errors.push(unsupportedValue('fieldValidation', fieldValidation, ['Ignore', 'Strict', 'Warn']))
  }
  if (errors.length > 0) {
    throw invalid({ group: 'meta.k8s.io', plural: 'patchoptions', kind: 'PatchOptions' }, '', errors)
  }
  const [agent = 'unknown'] = (call.headers['user-agent'] ?? 'unknown').split('/')
  return {
    dryRun: dryRun === 'All',
    force: query.get('force') === 'true',
    manager: manager === '' ? agent : manager,
    fieldValidation,
  }
}
