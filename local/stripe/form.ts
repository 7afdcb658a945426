import { asRecord } from '#shared/json.ts'

/** What a form body says, nested: text leaves, objects and lists. */
export type FormValue = string | FormValue[] | { [field: string]: FormValue }
export type Form = { [field: string]: FormValue }

/**
 * Decodes Stripe's form encoding: `metadata[tenant]=acme&items[0][price]=p&expand[]=customer`.
 *
 * An object whose keys are 0, 1, 2 … is a list.
 */
export function decodeForm(source: string): Form {
  const root: Form = {}
  for (const [key, value] of new URLSearchParams(source)) {
    const path = key.split('[').map((part) => (part.endsWith(']') ? part.slice(0, -1) : part))
    place(root, path, value)
  }
  return listsIn(root) as Form
}

function place(root: Form, path: readonly string[], value: string): void {
  let node: Form = root
  for (const [depth, part] of path.entries()) {
    const name = part === '' ? String(Object.keys(node).length) : part
    // No name of a caller's choosing may reach the prototype.
    if (name === '__proto__') return
    if (depth === path.length - 1) {
      node[name] = value
      return
    }
    const next = Object.hasOwn(node, name) ? node[name] : undefined
    const child: Form = isForm(next) ? next : {}
    node[name] = child
    node = child
  }
}

function listsIn(value: FormValue): FormValue {
  if (!isForm(value)) return value
  const entries = Object.entries(value)
  const children = entries.map(([, child]) => listsIn(child))
  if (entries.length > 0 && entries.every(([name], index) => name === String(index))) return children
  return Object.fromEntries(entries.map(([name], index) => [name, children[index] ?? '']))
}

/** Whether a value has fields of its own. */
export function isForm(value: unknown): value is Form {
  return asRecord(value) !== undefined
}
