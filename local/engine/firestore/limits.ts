import { invalid } from '../rpc-error.ts'
import { parseName } from './paths.ts'
import { type Fields, type Value, vectorOf } from './values.ts'

/** The largest document, in bytes by Firestore's own way of counting. */
const MAX_DOCUMENT_BYTES = 1_048_576
/** The most field transforms one document may get in one commit. */
export const MAX_TRANSFORMS = 500
const MAX_DEPTH = 20
const MAX_FIELD_NAME_BYTES = 1500
const MAX_VECTOR_DIMENSIONS = 2048
const DOCUMENT_OVERHEAD_BYTES = 32

/** INVALID_ARGUMENT when a document may not be stored: too large, too deep, a reserved field name. */
export function checkDocument(path: string, fields: Fields): void {
  checkFields(fields, 1)
  const size = documentSize(path, fields)
  if (size > MAX_DOCUMENT_BYTES) {
    throw invalid(
      `Document "${path}" cannot be written because its size (${size} bytes) exceeds the maximum allowed size of ${MAX_DOCUMENT_BYTES} bytes.`,
    )
  }
}

/** A document's size as Firestore counts it: its name, its fields and 32 bytes. */
function documentSize(path: string, fields: Fields): number {
  return nameSize(path) + fieldsSize(fields) + DOCUMENT_OVERHEAD_BYTES
}

function nameSize(path: string): number {
  const segments = path.split('/')
  return segments.reduce((sum, segment) => sum + textSize(segment), 16)
}

function fieldsSize(fields: Fields): number {
  let size = 0
  for (const [name, value] of fields) size += textSize(name) + valueSize(value)
  return size
}

function textSize(text: string): number {
  return Buffer.byteLength(text) + 1
}

function valueSize(value: Value): number {
  switch (value.kind) {
    case 'null':
    case 'boolean':
      return 1
    case 'string':
      return textSize(value.value)
    case 'bytes':
      return value.value.length
    case 'reference':
      return nameSize(value.value.slice(value.value.indexOf('/documents/') + 11))
    case 'geoPoint':
      return 16
    case 'array':
      return value.values.reduce((sum, item) => sum + valueSize(item), 0)
    case 'map':
      return fieldsSize(value.fields)
    default:
      return 8
  }
}

function checkFields(fields: Fields, depth: number): void {
  for (const [name, value] of fields) {
    if (name === '') throw invalid('A field name must not be empty.')
    if (/^__.*__$/s.test(name)) throw invalid(`Field name "${name}" is reserved.`)
    if (name.length > MAX_FIELD_NAME_BYTES / 3 && Buffer.byteLength(name) > MAX_FIELD_NAME_BYTES) {
      throw invalid(`Field name "${name.slice(0, 40)}…" is longer than ${MAX_FIELD_NAME_BYTES} bytes.`)
    }
    checkValue(value, depth, name)
  }
}

function checkValue(value: Value, depth: number, name: string): void {
  if (value.kind === 'map') {
    const vector = vectorOf(value)
    if (vector !== undefined) {
      checkVector(vector, value.fields.size, name)
      return
    }
    if (depth > MAX_DEPTH) throw invalid(`Property ${name} contains an invalid nested entity: too deep.`)
    checkFields(value.fields, depth + 1)
  }
  if (value.kind === 'array') {
    if (depth > MAX_DEPTH) throw invalid(`Property ${name} contains an invalid nested entity: too deep.`)
    for (const item of value.values) {
      if (item.kind === 'array') throw invalid(`Property ${name} holds an array within an array.`)
      checkValue(item, depth + 1, name)
    }
  }
  if (value.kind === 'reference') parseName(value.value)
}

function checkVector(numbers: readonly Value[], fieldCount: number, name: string): void {
  const fine =
    fieldCount === 2 &&
    numbers.length >= 1 &&
    numbers.length <= MAX_VECTOR_DIMENSIONS &&
    numbers.every((item) => item.kind === 'double' || item.kind === 'integer')
  if (!fine)
    throw invalid(`Property ${name} holds an invalid vector (1 to ${MAX_VECTOR_DIMENSIONS} numbers).`)
}
