import { asRecord } from '#shared/json.ts'

/** What is wrong with a specification, and where: one line, ready to be printed. */
type SpecError = Error & { readonly place: string }

/** Throws a `SpecError`. `place` is the path of keys to the faulty value, `paths./v1/x.get`. */
export function specError(place: string, problem: string): SpecError {
  return Object.assign(new Error(`api-spec.yaml: ${place}: ${problem}`), { place })
}

/** A value of the document together with where it stands, so that every complaint can name its place. */
export type SpecNode = { readonly place: string; readonly value: unknown }

type Fields = Record<string, unknown>

/** The value below a key; one that is missing is a node too, so that its reader can name the place. */
export function child(node: SpecNode, key: string): SpecNode {
  const place = node.place === '' ? key : `${node.place}.${key}`
  return { place, value: isFields(node.value) ? node.value[key] : undefined }
}

/** Whether a key is there with a value. */
export function has(node: SpecNode, key: string): boolean {
  return isFields(node.value) && node.value[key] !== undefined
}

/** The keys of an object; a value that is none is refused. */
export function keys(node: SpecNode): string[] {
  return Object.keys(fields(node))
}

function fields(node: SpecNode): Fields {
  if (isFields(node.value)) return node.value
  throw specError(node.place, `expected an object, found ${describe(node.value)}`)
}

/** The items of a list; a value that is none is refused. */
export function items(node: SpecNode): SpecNode[] {
  if (!Array.isArray(node.value))
    throw specError(node.place, `expected a list, found ${describe(node.value)}`)
  return node.value.map((value: unknown, index) => ({ place: `${node.place}[${index}]`, value }))
}

/** A text; anything else is refused. */
export function text(node: SpecNode): string {
  if (typeof node.value === 'string') return node.value
  throw specError(node.place, `expected a text, found ${describe(node.value)}`)
}

/** A text with something in it. */
export function nonEmptyText(node: SpecNode): string {
  const value = text(node).trim()
  if (value === '') throw specError(node.place, 'must not be empty')
  return value
}

/** A text with something in it, or nothing where the key is missing. */
export function optionalText(node: SpecNode): string | undefined {
  return node.value === undefined ? undefined : nonEmptyText(node)
}

/** True or false, or nothing where the key is missing. */
export function optionalFlag(node: SpecNode): boolean | undefined {
  if (node.value === undefined || typeof node.value === 'boolean') return node.value
  throw specError(node.place, `expected true or false, found ${describe(node.value)}`)
}

/** A number; anything else is refused. */
export function number(node: SpecNode): number {
  if (typeof node.value === 'number' && Number.isFinite(node.value)) return node.value
  throw specError(node.place, `expected a number, found ${describe(node.value)}`)
}

/** Refuses keys outside `known`: a misspelt extension would silently do nothing in the cloud. */
export function onlyKeys(node: SpecNode, known: readonly string[]): void {
  const stranger = keys(node).find((key) => !known.includes(key))
  if (stranger === undefined) return
  throw specError(node.place, `unknown key "${stranger}" (known: ${known.join(', ')})`)
}

function isFields(value: unknown): value is Fields {
  return asRecord(value) !== undefined
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `${typeof value} ${JSON.stringify(value)}`
}
