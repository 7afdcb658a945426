import { isDeepStrictEqual } from 'node:util'
import { specUpdateErrors } from './immutability.ts'
import { type KubeObject, objectAt, textAt } from './json.ts'
import { podSecurityLabelErrors } from './pod-security.ts'
import type { Resource } from './resources.ts'
import { specErrors } from './spec-validation.ts'
import { type FieldError, invalid, invalidGoValue, invalidValue, requiredValue } from './status.ts'

const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const LABEL_VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
const QUALIFIED_NAME =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
/** All annotations of an object together. */
const MAX_ANNOTATION_BYTES = 256 * 1024

/** Refuses (422) an object the server would not store; `old` is what it replaces. */
export function validate(resource: Resource, object: KubeObject, old?: KubeObject): void {
  const errors = [
    ...(old === undefined ? nameErrors(resource, object) : identityErrors(object, old)),
    ...labelErrors(object),
    ...annotationErrors(object),
    ...(resource.plural === 'namespaces' ? podSecurityLabelErrors(object) : []),
    ...specErrors(resource, object),
    ...(old === undefined
      ? []
      : [...roleRefErrors(resource, object, old), ...specUpdateErrors(resource, object, old)]),
  ]
  if (errors.length > 0) throw invalid(resource, object.metadata.name, errors)
}

function nameErrors(resource: Resource, object: KubeObject): FieldError[] {
  const { name } = object.metadata
  const field = 'metadata.name'
  if (name === '') return [requiredValue(field, 'name or generateName is required')]
  // RBAC names are path segments and nothing more.
  if (resource.group === 'rbac.authorization.k8s.io') {
    return /[/%]/.test(name) ? [invalidValue(field, name, "may not contain '/' or '%'")] : []
  }
  const label = resource.plural === 'namespaces' || resource.plural === 'services'
  const pattern = label
    ? /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
    : /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
  const longest = label ? 63 : 253
  return [
    ...(name.length > longest
      ? [invalidValue(field, name, `must be no more than ${longest} characters`)]
      : []),
    ...(pattern.test(name) ? [] : [invalidValue(field, name, label ? LABEL : SUBDOMAIN)]),
  ]
}

function identityErrors(object: KubeObject, old: KubeObject): FieldError[] {
  const wrong = object.metadata.uid !== old.metadata.uid
  const error = invalidValue('metadata.uid', object.metadata.uid, 'field is immutable')
  // The real server finds it twice, in two passes, and reports it twice.
  return wrong ? [error, error] : []
}

function labelErrors(object: KubeObject): FieldError[] {
  return Object.entries(object.metadata.labels ?? {}).flatMap(([key, value]) => {
    const name = key.includes('/') ? key.slice(key.indexOf('/') + 1) : key
    const errors: FieldError[] = []
    if (!/^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/.test(name) || name.length > 63) {
      errors.push(invalidValue('metadata.labels', key, QUALIFIED_NAME))
    }
    if (value.length > 63) {
      errors.push(invalidValue('metadata.labels', value, 'must be no more than 63 characters'))
    }
    if (!/^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/.test(value)) {
      errors.push(invalidValue('metadata.labels', value, LABEL_VALUE))
    }
    return errors
  })
}

function annotationErrors(object: KubeObject): FieldError[] {
  const entries = Object.entries(object.metadata.annotations ?? {})
  const bytes = entries.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0)
  if (bytes <= MAX_ANNOTATION_BYTES) return []
  const message = `Too long: must have at most ${MAX_ANNOTATION_BYTES} bytes`
  return [{ field: 'metadata.annotations', reason: 'FieldValueTooLong', message }]
}

function roleRefErrors(resource: Resource, object: KubeObject, old: KubeObject): FieldError[] {
  if (resource.plural !== 'rolebindings' && resource.plural !== 'clusterrolebindings') return []
  if (isDeepStrictEqual(object['roleRef'], old['roleRef'])) return []
  const ref = objectAt(object, 'roleRef')
  const printed = `rbac.RoleRef{APIGroup:"${textAt(ref, 'apiGroup')}", Kind:"${textAt(ref, 'kind')}", Name:"${textAt(ref, 'name')}"}`
  return [invalidGoValue('roleRef', printed, 'cannot change roleRef')]
}
