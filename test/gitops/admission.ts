import { asRecord } from '#shared/json.ts'
import { parseCel } from './cel.ts'
import type { Manifest } from './manifests.ts'

/** A request as a ValidatingAdmissionPolicy sees it (admissionregistration.k8s.io/v1). */
export type Asked = {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly user: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly namespace: string
  readonly object: unknown
  readonly oldObject: unknown
}

type Rule = {
  readonly apiGroups: readonly string[]
  readonly apiVersions: readonly string[]
  readonly operations: readonly string[]
  readonly resources: readonly string[]
}
type Named = { readonly name: string; readonly expression: string }
type PolicySpec = {
  readonly failurePolicy: string
  readonly matchConstraints: { readonly resourceRules: readonly Rule[] }
  readonly matchConditions?: readonly Named[]
  readonly variables?: readonly Named[]
  readonly validations: readonly {
    readonly expression: string
    readonly message: string
    readonly reason?: string
  }[]
}

/** What a policy answers to a request: nothing when it lets it pass, else the message and the reason. */
export function evaluatePolicy(
  policy: Manifest,
  asked: Asked,
): { message: string; reason: string } | undefined {
  const spec = policy['spec'] as PolicySpec
  if (!spec.matchConstraints.resourceRules.some((rule) => matches(rule, asked))) return undefined
  const variables: Record<string, unknown> = {}
  const scope = (name: string): unknown => {
    if (name === 'variables') return variables
    const known = { object: asked.object, oldObject: asked.oldObject, request: requestOf(asked) }
    if (!Object.hasOwn(known, name)) throw new TypeError(`no such name: ${name}`)
    return known[name as keyof typeof known]
  }
  for (const { name, expression } of spec.variables ?? []) {
    // Worked out when it is asked for, and then once: a variable nobody needs cannot fail.
    let value: unknown
    Object.defineProperty(variables, name, {
      enumerable: true,
      get: () => {
        value ??= parseCel(expression)(scope)
        return value
      },
    })
  }
  try {
    if (!(spec.matchConditions ?? []).every(({ expression }) => parseCel(expression)(scope) === true)) {
      return undefined
    }
    const failed = spec.validations.find(({ expression }) => parseCel(expression)(scope) !== true)
    return failed === undefined ? undefined : { message: failed.message, reason: failed.reason ?? 'Invalid' }
  } catch (error) {
    if (spec.failurePolicy !== 'Fail') return undefined
    return { message: `failed to evaluate: ${String(error)}`, reason: 'Invalid' }
  }
}

/** Every expression of a policy, in the order they stand. */
export function expressionsOf(policy: Manifest): string[] {
  const spec = policy['spec'] as PolicySpec
  const parts = [...(spec.matchConditions ?? []), ...(spec.variables ?? []), ...spec.validations]
  return parts.map(({ expression }) => expression)
}

function matches(rule: Rule, { group, version, operation, resource }: Asked): boolean {
  const has = (list: readonly string[], value: string): boolean => list.includes('*') || list.includes(value)
  return (
    has(rule.apiGroups, group) &&
    has(rule.apiVersions, version) &&
    has(rule.operations, operation) &&
    (rule.resources.includes('*/*') || has(rule.resources, resource))
  )
}

/** AdmissionRequest, without what is empty: the server leaves that out. */
function requestOf(asked: Asked): unknown {
  const { group, version, resource, operation, namespace, user } = asked
  const name = asRecord(asRecord(asked.object ?? asked.oldObject)?.['metadata'])?.['name']
  return {
    operation,
    resource: { group, version, resource },
    userInfo: { username: user, groups: ['system:authenticated'] },
    ...(namespace === '' ? {} : { namespace }),
    ...(typeof name === 'string' ? { name } : {}),
  }
}
