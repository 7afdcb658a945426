import { isDeepStrictEqual } from 'node:util'
import { type JsonObject, type KubeObject, listAt, objectAt, textAt } from './json.ts'
import { parseQuantity } from './quantity.ts'
import type { Resource } from './resources.ts'
import { type FieldError, forbiddenField } from './status.ts'

const nanos = (value: unknown): bigint | undefined => parseQuantity(value)?.nanos

/** What may not change once it is there. */
export function specUpdateErrors(resource: Resource, object: KubeObject, old: KubeObject): FieldError[] {
  if (resource.plural === 'persistentvolumeclaims') return claimUpdateErrors(object, old)
  if (resource.plural === 'configmaps' || resource.plural === 'secrets') return frozenDataErrors(object, old)
  if (resource.plural !== 'pods') return []
  const { containers: _a, tolerations: _b, ...rest } = objectAt(object, 'spec')
  const { containers: _c, tolerations: _d, ...before } = objectAt(old, 'spec')
  if (isDeepStrictEqual(rest, before)) return []
  return [forbiddenField('spec', 'pod updates may not change fields other than `spec.containers[*].image`')]
}

const CLAIM_IMMUTABLE =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'

/** A claim grows once it is bound, and only if its class allows it; it never shrinks. */
function claimUpdateErrors(claim: KubeObject, old: KubeObject): FieldError[] {
  const bound = textAt(old, 'status', 'phase') === 'Bound'
  const errors: FieldError[] = []
  const fixed = (object: KubeObject): JsonObject => {
    const spec = structuredClone(objectAt(object, 'spec'))
    if (bound) delete objectAt(spec, 'resources')['requests']
    return spec
  }
  if (!isDeepStrictEqual(fixed(claim), fixed(old))) {
    errors.push(forbiddenField('spec', `${CLAIM_IMMUTABLE}\n${printClaimDiff(old, claim)}`))
  }
  const [size, before] = [storageOf(claim), storageOf(old)]
  if ((nanos(size) ?? 0n) < (nanos(before) ?? 0n)) {
    errors.push(
      forbiddenField('spec.resources.requests.storage', 'field can not be less than previous value'),
    )
  }
  return errors
}

const storageOf = (claim: KubeObject): unknown => objectAt(claim, 'spec', 'resources', 'requests')['storage']

/** The server shows Go's diff of the two specs, non-breaking spaces and all; here for a change of size. */
function printClaimDiff(old: KubeObject, claim: KubeObject): string {
  const modes = listAt(claim, 'spec', 'accessModes').map((mode) => JSON.stringify(mode))
  const size = (object: KubeObject): string => {
    const value = storageOf(object)
    const { nanos: amount = 0n, format = 'BinarySI' } = parseQuantity(value) ?? {}
    return `"storage": {i: resource.int64Amount{value: ${amount / 1_000_000_000n}}, s: "${value}", Format: "${format}"},`
  }
  const requests = (sign: string, object: KubeObject): string[] => [
    `${sign}\u00a0\t\tRequests: core.ResourceList{`,
    `${sign}\u00a0\t\t\ts${size(object)}`,
    `${sign}\u00a0\t\t},`,
  ]
  return [
    '\u00a0\u00a0core.PersistentVolumeClaimSpec{',
    `\u00a0\u00a0\tAccessModes: {${modes.join(', ')}},`,
    '\u00a0\u00a0\tSelector:    nil,',
    '\u00a0\u00a0\tResources: core.VolumeResourceRequirements{',
    '\u00a0\u00a0\t\tLimits: nil,',
    ...requests('-', old),
    ...requests('+', claim),
    '\u00a0\u00a0\t},',
    '\u00a0\u00a0\tVolumeName:       "",',
    `\u00a0\u00a0\tStorageClassName: &"${textAt(claim, 'spec', 'storageClassName')}",`,
    '\u00a0\u00a0\t... // 4 identical fields',
    '\u00a0\u00a0}',
    '',
  ].join('\n')
}

function frozenDataErrors(object: KubeObject, old: KubeObject): FieldError[] {
  if (old['immutable'] !== true) return []
  const why = 'field is immutable when `immutable` is set'
  return ['immutable', 'data', 'binaryData']
    .filter((field) => !isDeepStrictEqual(object[field], old[field]))
    .map((field) => forbiddenField(field, why))
}
