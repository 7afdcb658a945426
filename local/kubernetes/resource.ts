import { any, atomicStruct, bool, int, list, map, type Schema, struct, text } from './schema.ts'
import type { About } from './status.ts'

/** One kind of object the server keeps. */
export type Resource = About & {
  readonly version: string
  readonly namespaced: boolean
  readonly schema: Schema
  /** `metadata.generation` counts changes of the spec for these kinds. */
  readonly counted: boolean
}

const ownerReference = atomicStruct({
  apiVersion: text,
  kind: text,
  name: text,
  uid: text,
  controller: bool,
  blockOwnerDeletion: bool,
})

export const metadata = struct({
  name: text,
  generateName: text,
  namespace: text,
  labels: map(text),
  annotations: map(text),
  finalizers: list(text, 'set'),
  ownerReferences: list(ownerReference, ['uid']),
  uid: text,
  resourceVersion: text,
  generation: int,
  creationTimestamp: text,
  deletionTimestamp: text,
  deletionGracePeriodSeconds: int,
  selfLink: text,
  managedFields: any,
})

type Fields = Readonly<Record<string, Schema>>

/** Describes a kind. The status is the controllers' and is not looked into. */
export function resource(
  groupVersion: string,
  kind: string,
  plural: string,
  fields: Fields,
  options: { readonly clusterWide?: true; readonly counted?: true } = {},
): Resource {
  const [first = '', second] = groupVersion.split('/')
  return {
    group: second === undefined ? '' : first,
    version: second ?? first,
    kind,
    plural,
    namespaced: options.clusterWide !== true,
    counted: options.counted === true,
    schema: struct({ apiVersion: text, kind: text, metadata, ...fields, status: any }),
  }
}

export const clusterWide = { clusterWide: true } as const
export const counted = { counted: true } as const
