import { invalid, rpcError, status } from '../rpc-error.ts'
import { fromWireFields } from './codec.ts'
import { checkDocument, MAX_TRANSFORMS } from './limits.ts'
import { isNamePath, parseDocumentName, parseFieldPath } from './paths.ts'
import { fromWireTimestamp, type Micros } from './time.ts'
import { applyTransforms, parseTransforms, type Transform } from './transforms.ts'
import { type Fields, sameFields, type Value, valueAt, withValueAt } from './values.ts'
import type { WireMask, WirePrecondition, WireWrite } from './wire.ts'

/** A document as it stands between two commits. */
export type DocumentState = {
  readonly fields: Fields
  readonly createTime: Micros
  readonly updateTime: Micros
}

type Precondition =
  | { kind: 'none' }
  | { kind: 'exists'; exists: boolean }
  | { kind: 'updateTime'; updateTime: Micros }

/** A write, checked as far as that goes without looking at the store. */
export type Write = {
  readonly database: string
  readonly path: string
  readonly precondition: Precondition
} & (
  | { readonly kind: 'delete' }
  | {
      readonly kind: 'update'
      readonly fields: Fields
      /** Without a mask the document is replaced. */
      readonly mask: readonly (readonly string[])[] | undefined
      readonly transforms: readonly Transform[]
    }
)

type WriteOutcome = {
  readonly state: DocumentState | undefined
  readonly results: readonly Value[]
}

/** Reads one write of a commit; one without an operation is refused. */
export function parseWrite(wire: WireWrite): Write {
  const precondition = parsePrecondition(wire.currentDocument)
  if (wire.delete !== undefined) return { kind: 'delete', ...parseDocumentName(wire.delete), precondition }
  if (wire.transform !== undefined) {
    const transforms = parseTransforms(wire.transform.fieldTransforms)
    const name = parseDocumentName(wire.transform.document ?? '')
    return { kind: 'update', ...name, precondition, fields: new Map(), mask: [], transforms }
  }
  if (wire.update === undefined) throw invalid('A write has no operation.')
  const transforms = parseTransforms(wire.updateTransforms)
  if (transforms.length > MAX_TRANSFORMS) {
    throw invalid(
      `A document has ${transforms.length} field transforms; at most ${MAX_TRANSFORMS} are allowed.`,
    )
  }
  return {
    kind: 'update',
    ...parseDocumentName(wire.update.name ?? ''),
    precondition,
    fields: fromWireFields(wire.update.fields),
    mask: parseMask(wire.updateMask),
    transforms,
  }
}

/**
 * What a write makes of a document. Throws NOT_FOUND, ALREADY_EXISTS or FAILED_PRECONDITION when its
 * precondition does not hold, INVALID_ARGUMENT when the outcome may not be stored.
 *
 * A write that changes nothing keeps the update time: a guard on that time still holds afterwards.
 */
export function applyWrite(current: DocumentState | undefined, write: Write, time: Micros): WriteOutcome {
  checkPrecondition(current, write)
  if (write.kind === 'delete') return { state: undefined, results: [] }
  const merged = merge(current?.fields, write.fields, write.mask)
  const { fields, results } = applyTransforms(merged, write.transforms, time)
  if (current !== undefined && sameFields(current.fields, fields)) return { state: current, results }
  checkDocument(write.path, fields)
  return { state: { fields, createTime: current?.createTime ?? time, updateTime: time }, results }
}

/** The field paths of a mask; nothing when there is none, which means all fields. */
export function parseMask(wire: WireMask | undefined): string[][] | undefined {
  if (wire === undefined || wire === null) return undefined
  // The name is no field: naming it asks for nothing.
  return (wire.fieldPaths ?? []).map(parseFieldPath).filter((path) => !isNamePath(path))
}

/** The fields a read mask or a projection leaves. */
export function project(fields: Fields, mask: readonly (readonly string[])[]): Fields {
  let result: Fields = new Map()
  for (const path of mask) {
    const value = valueAt(fields, path)
    if (value !== undefined) result = withValueAt(result, path, value)
  }
  return result
}

function parsePrecondition(wire: WirePrecondition | undefined): Precondition {
  if (wire?.exists !== undefined) return { kind: 'exists', exists: wire.exists }
  if (wire?.updateTime === undefined || wire.updateTime === null) return { kind: 'none' }
  return { kind: 'updateTime', updateTime: fromWireTimestamp(wire.updateTime) }
}

function checkPrecondition(current: DocumentState | undefined, write: Write): void {
  const { precondition, database, path } = write
  const name = `${database}/documents/${path}`
  if (precondition.kind === 'exists') {
    if (precondition.exists && current === undefined) {
      throw rpcError(status.NOT_FOUND, `No document to update: ${name}`)
    }
    if (!precondition.exists && current !== undefined) {
      throw rpcError(status.ALREADY_EXISTS, `Document already exists: ${name}`)
    }
  }
  if (precondition.kind === 'updateTime' && current?.updateTime !== precondition.updateTime) {
    throw rpcError(
      status.FAILED_PRECONDITION,
      current === undefined
        ? `No document to update: ${name}`
        : `The update time of ${name} (${current.updateTime}) does not match the required one (${precondition.updateTime}).`,
    )
  }
}

function merge(
  current: Fields | undefined,
  incoming: Fields,
  mask: Extract<Write, { kind: 'update' }>['mask'],
): Fields {
  if (mask === undefined) return incoming
  let result: Fields = current ?? new Map()
  for (const path of mask) result = withValueAt(result, path, valueAt(incoming, path))
  return result
}
