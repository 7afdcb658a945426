import { asRecord, digestOf } from '#shared/json.ts'
import { revisionIn, SPEC_REVISION } from './kubernetes-objects.ts'

type Body = Readonly<Record<string, unknown>>

/** What the server keeps about an object and nobody orders. */
const KEPT_BY_SERVER = new Set([
  'managedFields',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'uid',
  'selfLink',
])

/**
 * Whether applying would change anything: what there is against what a dry run says there would be.
 *
 * Both come from the server with its defaults filled in and with everybody's labels, so equal means equal.
 * Neither its book-keeping nor the status counts, nor which operation wrote the object last: one that had
 * no business with it left it at an older revision.
 */
export function wouldChange(live: Body, previewed: Body): boolean {
  return digestOf(comparable(live)) !== digestOf(comparable(previewed))
}

function comparable({ apiVersion: _version, kind: _kind, status: _status, metadata, ...rest }: Body): Body {
  const { annotations, ...about } = asRecord(metadata) ?? {}
  const kept = Object.entries(about).filter(([key]) => !KEPT_BY_SERVER.has(key))
  const { [SPEC_REVISION]: revision, ...others } = asRecord(annotations) ?? {}
  return {
    ...rest,
    metadata: Object.fromEntries(kept),
    annotations: others,
    fenced: revisionIn(revision) !== undefined,
  }
}
