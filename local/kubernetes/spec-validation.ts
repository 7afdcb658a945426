import { BlockList, isIP } from 'node:net'
import { at, isObject, type JsonObject, type KubeObject, listAt, objectAt, textAt } from './json.ts'
import { goQuantity, parseQuantity } from './quantity.ts'
import type { Resource } from './resources.ts'
import {
  type FieldError,
  forbiddenField,
  invalidGoValue,
  invalidValue,
  requiredValue,
  unsupportedValue,
} from './status.ts'

/** The rules of each kind's own fields, as far as our objects could break them. */
export function specErrors(resource: Resource, object: KubeObject): FieldError[] {
  const check = CHECKS[resource.plural]
  return check === undefined ? [] : check(object)
}

const CHECKS: Readonly<Record<string, (object: KubeObject) => FieldError[]>> = {
  networkpolicies: (object) => [
    ...peers(object, 'ingress', 'from').flatMap(blockErrors),
    ...peers(object, 'egress', 'to').flatMap(blockErrors),
    ...listAt(object, 'spec', 'policyTypes').flatMap((type, index) =>
      type === 'Ingress' || type === 'Egress'
        ? []
        : [unsupportedValue(`spec.policyTypes[${index}]`, String(type), ['Egress', 'Ingress'])],
    ),
  ],
  limitranges: (object) =>
    listAt(object, 'spec', 'limits').flatMap((item, index) => limitErrors(item, `spec.limits[${index}]`)),
  resourcequotas: quotaErrors,
  persistentvolumeclaims: claimErrors,
  horizontalpodautoscalers: scalerErrors,
  poddisruptionbudgets: (object) =>
    at(object, 'spec', 'minAvailable') !== undefined && at(object, 'spec', 'maxUnavailable') !== undefined
      ? [
          invalidGoValue(
            'spec',
            `policy.PodDisruptionBudgetSpec{}`,
            'minAvailable and maxUnavailable cannot be both set',
          ),
        ]
      : [],
  configmaps: dataErrors,
  secrets: dataErrors,
  pods: podErrors,
  rolebindings: roleRefErrors,
  clusterrolebindings: roleRefErrors,
}

type Peer = { readonly peer: unknown; readonly field: string }

function peers(object: KubeObject, direction: string, side: string): Peer[] {
  return listAt(object, 'spec', direction).flatMap((rule, ruleIndex) =>
    listAt(rule, side).map((peer, index) => ({
      peer,
      field: `spec.${direction}[${ruleIndex}].${side}[${index}]`,
    })),
  )
}

function blockErrors({ peer, field }: Peer): FieldError[] {
  const block = at(peer, 'ipBlock')
  if (block === undefined) {
    const empty = at(peer, 'podSelector') === undefined && at(peer, 'namespaceSelector') === undefined
    return empty ? [requiredValue(field, 'must specify a peer')] : []
  }
  if (at(peer, 'podSelector') !== undefined || at(peer, 'namespaceSelector') !== undefined) {
    return [forbiddenField(field, 'may not specify both ipBlock and another peer')]
  }
  const cidr = textAt(block, 'cidr')
  const outer = parseCidr(cidr)
  if (cidr === '') return [requiredValue(`${field}.ipBlock.cidr`)]
  if (outer === undefined) return [invalidValue(`${field}.ipBlock.cidr`, cidr, NOT_A_CIDR)]
  return listAt(block, 'except').flatMap((except, index) => {
    const path = `${field}.ipBlock.except[${index}]`
    const inner = parseCidr(String(except))
    if (inner === undefined) return [invalidValue(path, String(except), NOT_A_CIDR)]
    const inside = inner.family === outer.family && inner.bits > outer.bits && contains(outer, inner.address)
    return inside ? [] : [invalidValue(path, String(except), 'must be a strict subset of `cidr`')]
  })
}

const NOT_A_CIDR = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

type Cidr = { readonly address: string; readonly bits: number; readonly family: 'ipv4' | 'ipv6' }

function parseCidr(text: string): Cidr | undefined {
  const [address = '', bits, more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more !== undefined || !/^\d{1,3}$/.test(bits ?? '')) return undefined
  if (Number(bits) > (version === 4 ? 32 : 128)) return undefined
  return { address, bits: Number(bits), family: version === 4 ? 'ipv4' : 'ipv6' }
}

function contains(outer: Cidr, address: string): boolean {
  const list = new BlockList()
  list.addSubnet(outer.address, outer.bits, outer.family)
  return list.check(address, outer.family)
}

const nanos = (value: unknown): bigint | undefined => parseQuantity(value)?.nanos

function limitErrors(item: unknown, field: string): FieldError[] {
  const errors: FieldError[] = []
  const above = (
    low: string,
    high: string,
    name: string,
    labels: readonly [string, string],
    shown: string,
  ) => {
    const a = nanos(objectAt(item, low)[name])
    const b = nanos(objectAt(item, high)[name])
    if (a === undefined || b === undefined || a <= b) return
    const [first, second] = labels
    const why = `${first} value ${objectAt(item, low)[name]} is greater than ${second} value ${objectAt(item, high)[name]}`
    const value = shown === 'defaultRequest' ? objectAt(item, 'defaultRequest') : objectAt(item, low)
    errors.push(invalidGoValue(`${field}.${shown}[${name}]`, goQuantity(String(value[name])), why))
  }
  const names = ['min', 'max', 'default', 'defaultRequest'].flatMap((part) =>
    Object.keys(objectAt(item, part)),
  )
  for (const name of [...new Set(names)].sort()) {
    above('min', 'max', name, ['min', 'max'], 'min')
    above('min', 'defaultRequest', name, ['min', 'default request'], 'defaultRequest')
    above('defaultRequest', 'max', name, ['default request', 'max'], 'defaultRequest')
    above('defaultRequest', 'default', name, ['default request', 'default limit'], 'defaultRequest')
    above('min', 'default', name, ['min', 'default'], 'default')
    above('default', 'max', name, ['default', 'max'], 'default')
  }
  return [...errors, ...quantityErrors(objectAt(item, 'max'), `${field}.max`)]
}

function quantityErrors(quantities: JsonObject, field: string): FieldError[] {
  return Object.entries(quantities).flatMap(([name, value]) => {
    const amount = nanos(value)
    if (amount !== undefined && amount >= 0n) return []
    return [invalidValue(`${field}[${name}]`, String(value), 'must be greater than or equal to 0')]
  })
}

function quotaErrors(quota: KubeObject): FieldError[] {
  const requirements = listAt(quota, 'spec', 'scopeSelector', 'matchExpressions')
  const names = Object.keys(objectAt(quota, 'spec', 'hard'))
  const podsOnly = (name: string): boolean =>
    /^(pods|cpu|memory|(requests|limits)\.(cpu|memory|ephemeral-storage))$/.test(name)
  const errors = quantityErrors(objectAt(quota, 'spec', 'hard'), 'spec.hard')
  if (requirements.length > 0 && !names.every(podsOnly)) {
    const printed = `core.ScopeSelector{MatchExpressions:[]core.ScopedResourceSelectorRequirement{${requirements.map(printRequirement).join(', ')}}}`
    errors.push(
      invalidGoValue('spec.scopeSelector.matchExpressions', printed, 'unsupported scope applied to resource'),
    )
  }
  return errors
}

function printRequirement(requirement: unknown): string {
  const values = listAt(requirement, 'values').map((value) => JSON.stringify(value))
  return `core.ScopedResourceSelectorRequirement{ScopeName:"${textAt(requirement, 'scopeName')}", Operator:"${textAt(requirement, 'operator')}", Values:[]string{${values.join(', ')}}}`
}

function claimErrors(claim: KubeObject): FieldError[] {
  const errors: FieldError[] = []
  if (listAt(claim, 'spec', 'accessModes').length === 0) {
    errors.push(requiredValue('spec.accessModes', 'at least 1 access mode is required'))
  }
  const storage = objectAt(claim, 'spec', 'resources', 'requests')['storage']
  if (storage === undefined) errors.push(requiredValue('spec.resources[storage]'))
  else if ((nanos(storage) ?? 0n) <= 0n) {
    errors.push(invalidValue('spec.resources[storage]', String(storage), 'must be greater than zero'))
  }
  return errors
}

function scalerErrors(scaler: KubeObject): FieldError[] {
  const spec = objectAt(scaler, 'spec')
  const min = Number(spec['minReplicas'] ?? 1)
  const max = Number(spec['maxReplicas'] ?? 0)
  const errors: FieldError[] = []
  if (min < 1) errors.push(invalidValue('spec.minReplicas', min, 'must be greater than or equal to 1'))
  if (max < 1) errors.push(invalidValue('spec.maxReplicas', max, 'must be greater than 0'))
  else if (max < min) {
    errors.push(invalidValue('spec.maxReplicas', max, 'must be greater than or equal to `minReplicas`'))
  }
  if (textAt(spec, 'scaleTargetRef', 'kind') === '') errors.push(requiredValue('spec.scaleTargetRef.kind'))
  if (textAt(spec, 'scaleTargetRef', 'name') === '') errors.push(requiredValue('spec.scaleTargetRef.name'))
  return errors
}

const MAX_DATA_BYTES = 1024 * 1024

function dataErrors(object: KubeObject): FieldError[] {
  const entries = ['data', 'binaryData'].flatMap((part) => Object.entries(objectAt(object, part)))
  const errors = entries
    .filter(([key]) => !/^[-._a-zA-Z0-9]{1,253}$/.test(key) || key === '.' || key.startsWith('..'))
    .map(([key]) =>
      invalidValue(
        `data[${key}]`,
        key,
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ),
    )
  const bytes = entries.reduce((sum, [, value]) => sum + Buffer.byteLength(String(value)), 0)
  if (bytes > MAX_DATA_BYTES) {
    const message = `Too long: must have at most ${MAX_DATA_BYTES} bytes`
    errors.push({ field: '', reason: 'FieldValueTooLong', message })
  }
  return errors
}

function podErrors(pod: KubeObject): FieldError[] {
  const containers = listAt(pod, 'spec', 'containers')
  if (containers.length === 0) return [requiredValue('spec.containers')]
  return containers.filter(isObject).flatMap((container, index) => {
    const field = `spec.containers[${index}]`
    const errors: FieldError[] = []
    if (textAt(container, 'name') === '') errors.push(requiredValue(`${field}.name`))
    if (textAt(container, 'image') === '') errors.push(requiredValue(`${field}.image`))
    for (const [name, value] of Object.entries(objectAt(container, 'resources', 'requests'))) {
      const limit = nanos(objectAt(container, 'resources', 'limits')[name])
      if (limit === undefined || (nanos(value) ?? 0n) <= limit) continue
      const why = `must be less than or equal to ${name} limit of ${objectAt(container, 'resources', 'limits')[name]}`
      errors.push(invalidValue(`${field}.resources.requests`, String(value), why))
    }
    return errors
  })
}

function roleRefErrors(binding: KubeObject): FieldError[] {
  const kind = textAt(binding, 'roleRef', 'kind')
  const kinds = binding.kind === 'ClusterRoleBinding' ? ['ClusterRole'] : ['ClusterRole', 'Role']
  return [
    ...(kinds.includes(kind) ? [] : [unsupportedValue('roleRef.kind', kind, kinds)]),
    ...(textAt(binding, 'roleRef', 'name') === '' ? [requiredValue('roleRef.name')] : []),
  ]
}
