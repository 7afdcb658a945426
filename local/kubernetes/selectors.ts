import type { KubeObject } from './json.ts'
import { textAt } from './json.ts'
import { badRequest } from './status.ts'

type Test = (object: KubeObject) => boolean

/** Parses `labelSelector`: `a=b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`, joined by commas. */
export function parseLabelSelector(text: string): Test {
  const tests = splitOutsideParentheses(text).map(parseRequirement)
  return (object) => tests.every((test) => test(object))
}

function splitOutsideParentheses(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function parseRequirement(part: string): Test {
  const key = '([A-Za-z0-9][-A-Za-z0-9_./]*)'
  const labelOf = (object: KubeObject, label: string): string | undefined => object.metadata.labels?.[label]
  const set = new RegExp(`^${key}\\s+(in|notin)\\s*\\(([^()]*)\\)$`).exec(part)
  if (set !== null) {
    const [, label = '', operator, list = ''] = set
    const values = list.split(',').map((value) => value.trim())
    return (object) => {
      const value = labelOf(object, label)
      return operator === 'in'
        ? value !== undefined && values.includes(value)
        : !values.includes(value ?? '\0')
    }
  }
  const equality = new RegExp(`^${key}\\s*(==|=|!=)\\s*([-A-Za-z0-9_.]*)$`).exec(part)
  if (equality !== null) {
    const [, label = '', operator, value] = equality
    return (object) => (labelOf(object, label) === value) === (operator !== '!=')
  }
  const existence = new RegExp(`^(!?)\\s*${key}$`).exec(part)
  if (existence === null) throw badRequest(`unable to parse requirement: found '${part}'`)
  const [, not, label = ''] = existence
  return (object) => (labelOf(object, label) === undefined) === (not === '!')
}

/** Parses `fieldSelector` for the fields the server indexes on our kinds. */
export function parseFieldSelector(text: string): Test {
  const known = ['metadata.name', 'metadata.namespace', 'status.phase', 'spec.nodeName']
  const tests = splitOutsideParentheses(text).map((part): Test => {
    const [, field = '', operator, value] = /^([\w.]+)(==|=|!=)(.*)$/.exec(part) ?? []
    if (!known.includes(field)) throw badRequest(`field label not supported: ${field}`)
    return (object) => (textAt(object, ...field.split('.')) === value) === (operator !== '!=')
  })
  return (object) => tests.every((test) => test(object))
}
