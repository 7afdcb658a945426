import { at, isObject, listAt, objectAt, textAt } from './json.ts'
import type { ObjectStore } from './object-store.ts'
import { resourceOf } from './resources.ts'
import { type ApiError, apiError, forbidden, notFound } from './status.ts'

export type User = { readonly user: string; readonly groups: readonly string[] }

/** What is asked for, as RBAC sees it. A namespace's own name counts as the namespace it is in. */
export type Access = {
  readonly verb: string
  readonly group: string
  /** With the subresource, if any: `pods/status`. */
  readonly resource: string
  readonly name: string
  readonly namespace: string
}

type Rule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames: readonly string[]
  readonly nonResourceURLs: readonly string[]
  readonly verbs: readonly string[]
}

/** Whether the user's roles allow it; members of system:masters may do everything. */
export function isAllowed(store: ObjectStore, user: User, access: Access): boolean {
  if (user.groups.includes('system:masters')) return true
  return rulesOf(store, user, access.namespace).some((rule) => allows(rule, access))
}

/** The 403 of a user whom no role allows it. */
export function denial(user: User, access: Access): ApiError {
  const where = access.namespace === '' ? 'at the cluster scope' : `in the namespace "${access.namespace}"`
  const [plural = ''] = access.resource.split('/')
  return forbidden(
    { group: access.group, plural, kind: plural },
    access.name,
    `User "${user.user}" cannot ${access.verb} resource "${access.resource}" in API group "${access.group}" ${where}`,
  )
}

function rulesOf(store: ObjectStore, user: User, namespace: string): Rule[] {
  const bindings = [
    ...store.list(resourceOf('clusterrolebindings')),
    ...(namespace === '' ? [] : store.list(resourceOf('rolebindings'), namespace)),
  ]
  return bindings
    .filter((binding) => listAt(binding, 'subjects').some((subject) => isSubject(subject, user)))
    .flatMap((binding) => roleRules(store, objectAt(binding, 'roleRef'), namespace) ?? [])
}

function isSubject(subject: unknown, user: User): boolean {
  const name = textAt(subject, 'name')
  const kind = textAt(subject, 'kind')
  if (kind === 'User') return name === user.user
  if (kind === 'Group') return user.groups.includes(name)
  return user.user === `system:serviceaccount:${textAt(subject, 'namespace')}:${name}`
}

function roleRules(store: ObjectStore, roleRef: unknown, namespace: string): Rule[] | undefined {
  const name = textAt(roleRef, 'name')
  const role =
    textAt(roleRef, 'kind') === 'ClusterRole'
      ? store.get(resourceOf('clusterroles'), '', name)
      : store.get(resourceOf('roles'), namespace, name)
  return role === undefined ? undefined : listAt(role, 'rules').map(parseRule)
}

function parseRule(rule: unknown): Rule {
  const texts = (field: string): string[] => listAt(rule, field).map(String)
  return {
    apiGroups: texts('apiGroups'),
    resources: texts('resources'),
    resourceNames: texts('resourceNames'),
    nonResourceURLs: texts('nonResourceURLs'),
    verbs: texts('verbs'),
  }
}

const has = (list: readonly string[], value: string): boolean => list.includes('*') || list.includes(value)

function allows(rule: Rule, access: Access): boolean {
  const [, subresource] = access.resource.split('/')
  const resource =
    has(rule.resources, access.resource) ||
    (subresource !== undefined && rule.resources.includes(`*/${subresource}`))
  return (
    has(rule.verbs, access.verb) &&
    has(rule.apiGroups, access.group) &&
    resource &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(access.name))
  )
}

/** Whether one of `held` grants all that `rule` does. */
function covers(held: readonly Rule[], rule: Rule): boolean {
  const within = (wide: readonly string[], narrow: readonly string[]): boolean =>
    wide.includes('*') || narrow.every((one) => wide.includes(one))
  return held.some(
    (one) =>
      within(one.verbs, rule.verbs) &&
      within(one.apiGroups, rule.apiGroups) &&
      within(one.resources, rule.resources) &&
      within(one.nonResourceURLs, rule.nonResourceURLs) &&
      (one.resourceNames.length === 0 ||
        (rule.resourceNames.length > 0 && within(one.resourceNames, rule.resourceNames))),
  )
}

/**
 * Refuses a binding to a role that grants what its author does not hold, unless the author may `bind`
 * that very role.
 */
export function checkBinding(store: ObjectStore, user: User, binding: unknown, namespace: string): void {
  const roleRef = objectAt(binding, 'roleRef')
  const name = textAt(roleRef, 'name')
  const plural = textAt(roleRef, 'kind') === 'ClusterRole' ? 'clusterroles' : 'roles'
  const group = 'rbac.authorization.k8s.io'
  if (isAllowed(store, user, { verb: 'bind', group, resource: plural, name, namespace })) return
  const wanted = roleRules(store, roleRef, namespace)
  if (wanted === undefined) throw notFound(resourceOf(plural), name)
  const held = rulesOf(store, user, namespace)
  const missing = wanted.filter((rule) => !covers(held, rule))
  if (missing.length === 0) return
  const groups = [...user.groups].map((one) => JSON.stringify(one)).join(' ')
  const why = `user "${user.user}" (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${missing.map(printRule).join('\n')}`
  throw forbidden(resourceOf('rolebindings'), textAt(binding, 'metadata', 'name'), why)
}

function printRule(rule: Rule): string {
  const parts = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['ResourceNames', rule.resourceNames],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['Verbs', rule.verbs],
  ] as const
  const shown = parts.filter(([, list]) => list.length > 0)
  return `{${shown.map(([field, list]) => `${field}:[${list.map((one) => JSON.stringify(one)).join(' ')}]`).join(', ')}}`
}

/** Answers a SubjectAccessReview (authorization.k8s.io/v1); `user` is who asks about themselves. */
export function reviewAccess(store: ObjectStore, review: unknown, self: User | undefined): unknown {
  const spec = objectAt(review, 'spec')
  const attributes = at(spec, 'resourceAttributes')
  const user = self ?? { user: textAt(spec, 'user'), groups: listAt(spec, 'groups').map(String) }
  if (self === undefined && user.user === '' && user.groups.length === 0) {
    throw apiError(
      422,
      'Invalid',
      'SubjectAccessReview.authorization.k8s.io "" is invalid: spec.user: Invalid value: "": at least one of user or group must be specified',
    )
  }
  const subresource = textAt(attributes, 'subresource')
  const allowed =
    isObject(attributes) &&
    isAllowed(store, user, {
      verb: textAt(attributes, 'verb'),
      group: textAt(attributes, 'group'),
      resource: `${textAt(attributes, 'resource')}${subresource === '' ? '' : `/${subresource}`}`,
      name: textAt(attributes, 'name'),
      namespace: textAt(attributes, 'namespace'),
    })
  return { ...objectAt(review), status: { allowed, ...(allowed ? { reason: 'RBAC: allowed' } : {}) } }
}
