import { isRpcError, status } from '../rpc-error.ts'
import { toWireFields, toWireValue } from './codec.ts'
import { isNamePath } from './paths.ts'
import type { CommitResult } from './store.ts'
import { type Micros, toWireTimestamp } from './time.ts'
import type { WireDocument, WireWriteResult } from './wire.ts'
import { type DocumentState, project } from './writes.ts'

/** A document as it goes over the wire; a mask or a projection leaves only its fields. */
export function toWireDocument(
  name: string,
  state: DocumentState,
  mask?: readonly (readonly string[])[],
): WireDocument {
  const fields =
    mask === undefined
      ? state.fields
      : project(
          state.fields,
          mask.filter((path) => !isNamePath(path)),
        )
  return {
    name,
    fields: toWireFields(fields),
    createTime: toWireTimestamp(state.createTime),
    updateTime: toWireTimestamp(state.updateTime),
  }
}

/** What each write of a commit came to, in the order of the writes. */
export function toWireResults(commit: CommitResult): WireWriteResult[] {
  return commit.results.map(({ updateTime, transforms }) => ({
    ...(updateTime === undefined ? {} : { updateTime: toWireTimestamp(updateTime) }),
    transformResults: transforms.map(toWireValue),
  }))
}

/** A `google.rpc.Status` of a write within a batch. */
export function toWireStatus(outcome: CommitResult | Error): { code: number; message: string } {
  if (!(outcome instanceof Error)) return { code: 0, message: '' }
  return { code: isRpcError(outcome) ? outcome.code : status.INTERNAL, message: outcome.message }
}

/** The moment an answer is true for. */
export function readTime(time: Micros): { readTime: { seconds: string; nanos: number } } {
  return { readTime: toWireTimestamp(time) }
}
