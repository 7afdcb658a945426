import { asRecord } from '#shared/json.ts'

/** Reading plain JSON whose shape nobody has promised. */
export type JsonObject = { [field: string]: unknown }

/** Whether a value has fields: neither null nor a list. */
export function isObject(value: unknown): value is JsonObject {
  return asRecord(value) !== undefined
}

/** The value below `path`, or nothing as soon as a step is missing. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value
  for (const step of path) {
    if (!isObject(current) || !Object.hasOwn(current, step)) return undefined
    current = current[step]
  }
  return current
}

/** The object below `path`; an empty one if there is none. */
export function objectAt(value: unknown, ...path: readonly string[]): JsonObject {
  const found = at(value, ...path)
  return isObject(found) ? found : {}
}

/** The list below `path`; an empty one if there is none. */
export function listAt(value: unknown, ...path: readonly string[]): unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

/** The text below `path`; empty if there is none, as Kubernetes treats the two alike. */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

/** The object below `path`, made on the way if it is missing: what is returned may be changed in place. */
export function ensureObject(value: JsonObject, ...path: readonly string[]): JsonObject {
  let current = value
  for (const step of path) {
    const next = Object.hasOwn(current, step) ? current[step] : undefined
    const child: JsonObject = isObject(next) ? next : {}
    current[step] = child
    current = child
  }
  return current
}

export type Metadata = JsonObject & {
  name: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  creationTimestamp?: string
  deletionTimestamp?: string
  generation?: number
  labels?: { [key: string]: string }
  annotations?: { [key: string]: string }
  finalizers?: string[]
  managedFields?: ManagedFields[]
}

export type ManagedFields = {
  manager: string
  operation: string
  apiVersion: string
  time: string
  fieldsType: 'FieldsV1'
  fieldsV1: JsonObject
  subresource?: string
}

export type KubeObject = JsonObject & { apiVersion: string; kind: string; metadata: Metadata }

/** Kubernetes prints times in whole seconds. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
