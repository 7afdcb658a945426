import { parseDocument } from 'yaml'
import { child, type SpecNode, specError } from './spec-reader.ts'

// API Gateway's own limit on YAML aliases.
const MAX_ALIASES = 200

/**
 * Fills in a specification as Terraform's `templatefile` does: `${name}` is a variable, `$${` a literal
 * `${`. Throws on a variable that is not given, and on template directives and expressions, which this
 * gateway does not evaluate.
 */
export function substitute(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(
    /(\$\$\{|%%\{)|%\{|\$\{([^}\n]*)(\}?)/g,
    (match, escaped, name, end, offset: number) => {
      if (typeof escaped === 'string') return escaped.slice(1)
      const line = `line ${text.slice(0, offset).split('\n').length}`
      if (match === '%{') throw specError(line, 'template directives (%{ … }) are not supported')
      if (end === '') throw specError(line, 'a variable that begins with "${" does not end')
      const variable = String(name).trim()
      if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(variable)) {
        throw specError(line, `"\${${name}}" is an expression; only plain variables are supported`)
      }
      const value = Object.hasOwn(variables, variable) ? variables[variable] : undefined
      if (value === undefined) throw specError(line, `unknown variable "${variable}"`)
      return value
    },
  )
}

/** Parses YAML and resolves what refers to other parts; throws a `SpecError` on anything unclear. */
export function parseYaml(text: string): SpecNode {
  const document = parseDocument(text, { uniqueKeys: true })
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem) {
    const line = problem.linePos?.[0].line ?? 0
    throw specError(
      `line ${line}`,
      (problem.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, ''),
    )
  }
  const root: SpecNode = { place: '', value: toPlain(document) }
  if (typeof root.value !== 'object' || root.value === null || Array.isArray(root.value)) {
    throw specError('document', 'expected an object at the top')
  }
  checkReferences(root, root)
  return root
}

function toPlain(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    throw specError('document', error instanceof Error ? error.message : String(error))
  }
}

/** The node, or what its `$ref` points at. */
export function resolve(root: SpecNode, node: SpecNode): SpecNode {
  const seen = new Set<string>()
  let current = node
  for (;;) {
    const reference = child(current, '$ref').value
    if (typeof reference !== 'string') return current
    if (seen.has(reference)) throw specError(node.place, `$ref "${reference}" refers to itself`)
    seen.add(reference)
    current = target(root, reference, current.place)
  }
}

function checkReferences(root: SpecNode, node: SpecNode): void {
  const { value } = node
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value)) {
    const inner = Array.isArray(value)
      ? { place: `${node.place}[${key}]`, value: value[Number(key)] as unknown }
      : child(node, key)
    // A property may be called "$ref" in a schema; a reference is always a text.
    if (key === '$ref' && typeof inner.value === 'string') target(root, inner.value, node.place)
    else checkReferences(root, inner)
  }
}

function target(root: SpecNode, reference: string, place: string): SpecNode {
  if (!reference.startsWith('#/')) {
    throw specError(place, `$ref "${reference}" points outside the document, which API Gateway refuses`)
  }
  let node = root
  for (const token of reference.slice(2).split('/')) {
    const key = decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~')
    node = Array.isArray(node.value)
      ? { place: `${node.place}[${key}]`, value: node.value[Number(key)] }
      : child(node, key)
    if (node.value === undefined) throw specError(place, `$ref "${reference}" cannot be resolved`)
  }
  return node
}
