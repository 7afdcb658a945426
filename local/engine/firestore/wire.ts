import type { WireTimestamp } from './time.ts'

// The messages of google.firestore.v1 as the wire codec gives them: an absent field is missing.

export type WireValue = {
  nullValue?: string | null
  booleanValue?: boolean
  integerValue?: string
  doubleValue?: number
  timestampValue?: WireTimestamp
  stringValue?: string
  bytesValue?: Uint8Array
  referenceValue?: string
  geoPointValue?: { latitude?: number; longitude?: number }
  arrayValue?: { values?: WireValue[] }
  mapValue?: { fields?: WireFields }
}

export type WireFields = Record<string, WireValue>

export type WireDocument = {
  name?: string
  fields?: WireFields
  createTime?: WireTimestamp
  updateTime?: WireTimestamp
}

export type WireMask = { fieldPaths?: string[] }
export type WirePrecondition = { exists?: boolean; updateTime?: WireTimestamp }

export type WireFieldTransform = {
  fieldPath?: string
  setToServerValue?: string
  increment?: WireValue
  maximum?: WireValue
  minimum?: WireValue
  appendMissingElements?: { values?: WireValue[] }
  removeAllFromArray?: { values?: WireValue[] }
}

export type WireWrite = {
  update?: WireDocument
  delete?: string
  transform?: { document?: string; fieldTransforms?: WireFieldTransform[] }
  updateMask?: WireMask
  updateTransforms?: WireFieldTransform[]
  currentDocument?: WirePrecondition
}

export type WireWriteResult = { updateTime?: WireTimestamp; transformResults?: WireValue[] }

export type WireFilter = {
  compositeFilter?: { op?: string; filters?: WireFilter[] }
  fieldFilter?: { field?: { fieldPath?: string }; op?: string; value?: WireValue }
  unaryFilter?: { field?: { fieldPath?: string }; op?: string }
}

export type WireCursor = { values?: WireValue[]; before?: boolean }

export type WireQuery = {
  select?: { fields?: { fieldPath?: string }[] }
  from?: { collectionId?: string; allDescendants?: boolean }[]
  where?: WireFilter
  orderBy?: { field?: { fieldPath?: string }; direction?: string }[]
  startAt?: WireCursor
  endAt?: WireCursor
  offset?: number
  limit?: { value?: number }
  findNearest?: WireFindNearest
}

export type WireFindNearest = {
  vectorField?: { fieldPath?: string }
  queryVector?: WireValue
  distanceMeasure?: string
  limit?: { value?: number }
  distanceResultField?: string
  distanceThreshold?: { value?: number }
}

export type WireAggregation = {
  count?: { upTo?: { value?: string } }
  sum?: { field?: { fieldPath?: string } }
  avg?: { field?: { fieldPath?: string } }
  alias?: string
}

export type WireTransactionOptions = {
  readOnly?: { readTime?: WireTimestamp }
  readWrite?: { retryTransaction?: Uint8Array }
}

/** The ways a read names the moment it reads at. */
export type WireConsistency = {
  transaction?: Uint8Array
  newTransaction?: WireTransactionOptions
  readTime?: WireTimestamp
}

export type WireTarget = {
  query?: { parent?: string; structuredQuery?: WireQuery }
  documents?: { documents?: string[] }
  resumeToken?: Uint8Array
  readTime?: WireTimestamp
  targetId?: number
  once?: boolean
}

/** Every field of every unary or server-streaming request; each call uses its own few. */
export type WireRequest = WireConsistency & {
  database?: string
  name?: string
  parent?: string
  documents?: string[]
  collectionId?: string
  documentId?: string
  document?: WireDocument
  currentDocument?: WirePrecondition
  updateMask?: WireMask
  mask?: WireMask
  writes?: WireWrite[]
  options?: WireTransactionOptions
  structuredQuery?: WireQuery
  structuredAggregationQuery?: { structuredQuery?: WireQuery; aggregations?: WireAggregation[] }
  explainOptions?: { analyze?: boolean }
  partitionCount?: string
  pageSize?: number
  pageToken?: string
  orderBy?: string
  showMissing?: boolean
}

export type WireListenRequest = { database?: string; addTarget?: WireTarget; removeTarget?: number }

export type WireListenResponse = {
  targetChange?: {
    targetChangeType?: 'NO_CHANGE' | 'ADD' | 'REMOVE' | 'CURRENT' | 'RESET'
    targetIds?: number[]
    cause?: { code: number; message: string }
    resumeToken?: Uint8Array
    readTime?: WireTimestamp
  }
  documentChange?: { document: WireDocument; targetIds?: number[]; removedTargetIds?: number[] }
  documentDelete?: { document: string; readTime: WireTimestamp; removedTargetIds: number[] }
  documentRemove?: { document: string; readTime: WireTimestamp; removedTargetIds: number[] }
}
