import { constants, createHash, type KeyObject, privateEncrypt } from 'node:crypto'

/** One part of the DigestInfo that RSASSA-PKCS1-v1_5 signs: SEQUENCE { SEQUENCE { OID, NULL }, OCTET STRING }. */
type Element = { readonly tag: number; readonly value: Buffer | readonly Element[] }

const SHA256_OID = Buffer.from('608648016503040201', 'hex')

function digestInfo(message: string): Element {
  const digest = createHash('sha256').update(message).digest()
  const algorithm = [
    { tag: 0x06, value: SHA256_OID },
    { tag: 0x05, value: Buffer.alloc(0) },
  ]
  return {
    tag: 0x30,
    value: [
      { tag: 0x30, value: algorithm },
      { tag: 0x04, value: digest },
    ],
  }
}

/** How one element is written; the plain way, or one of the wrong ones. */
type Write = (tag: number, value: Buffer) => Buffer

const bytes = (...values: readonly number[]): Buffer => Buffer.from(values)
const plain: Write = (tag, value) => Buffer.concat([bytes(tag, value.length), value])
const withLength =
  (length: (plainLength: number) => readonly number[]): Write =>
  (tag, value) =>
    Buffer.concat([bytes(tag, ...length(value.length)), value])
const withValue =
  (change: (value: Buffer) => Buffer): Write =>
  (tag, value) =>
    plain(tag, change(value))
const withTag =
  (change: (tag: number) => number): Write =>
  (tag, value) =>
    plain(change(tag), value)

/** The names are Wycheproof's, whose vectors these are, made for each element of the structure. */
export const PADDING_FAULTS: Readonly<Record<string, Write>> = {
  lengthUsesLongFormEncoding: withLength((length) => [0x81, length]),
  lengthContainsALeading0: withLength((length) => [0x82, 0, length]),
  lengthIsOneMore: withLength((length) => [length + 1]),
  lengthIsOneLess: withLength((length) => [(length + 255) % 256]),
  uint32OverflowInLength: withLength((length) => [0x85, 1, 0, 0, 0, length]),
  uint64OverflowInLength: withLength((length) => [0x89, 1, 0, 0, 0, 0, 0, 0, 0, length]),
  lengthIs2to31sub1: withLength(() => [0x84, 0x7f, 0xff, 0xff, 0xff]),
  lengthIs2to31: withLength(() => [0x84, 0x80, 0, 0, 0]),
  lengthIs2to32sub1: withLength(() => [0x84, 0xff, 0xff, 0xff, 0xff]),
  lengthIs2to40sub1: withLength(() => [0x85, 0xff, 0xff, 0xff, 0xff, 0xff]),
  lengthIs2to64sub1: withLength(() => [0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  incorrectLength: withLength(() => [0xff]),
  indefiniteLengthWithoutTermination: withLength(() => [0x80]),
  removed: () => Buffer.alloc(0),
  lonelyTag: (tag) => bytes(tag),
  appending0s: withValue((value) => Buffer.concat([value, bytes(0, 0)])),
  prepending0s: withValue((value) => Buffer.concat([bytes(0, 0), value])),
  appendingUnused0s: (tag, value) => Buffer.concat([plain(tag, value), bytes(0, 0)]),
  appendingNullValue: withValue((value) => Buffer.concat([value, bytes(5, 0)])),
  prependingGarbage: withValue((value) => Buffer.concat([bytes(0x49, 0x81, 0x77), value])),
  appendingGarbage: withValue((value) => Buffer.concat([value, bytes(0x25, 0, 0x49, 0x81, 0x77)])),
  includingUndefinedTags: withValue((value) => Buffer.concat([bytes(0xaa, 0xbb, 0, 0xcd, 0), value])),
  truncatedLength: (tag, value) => Buffer.concat([bytes(tag, 0x81), value]),
  compositionWithIndefiniteLength: (tag, value) =>
    Buffer.concat([bytes(tag | 0x20, 0x80), plain(tag, value), bytes(0, 0)]),
  compositionWithWrongTag: (tag, value) =>
    Buffer.concat([bytes(tag | 0x20, 0x80), plain(0xaa, value), bytes(0, 0)]),
  replacedWithNull: () => bytes(5, 0),
  ...Object.fromEntries(
    [-2, -1, 1, 0x80, 0xa0].map((step) => [`tagChangedBy${step}`, withTag((tag) => (tag + step) & 0xff)]),
  ),
  droppedValue: (tag) => bytes(tag, 0),
  modifiedFirstByte: withValue((value) => Buffer.concat([bytes((value[0] ?? 0) ^ 2), value.subarray(1)])),
  modifiedLastByte: withValue((value) =>
    Buffer.concat([value.subarray(0, -1), bytes((value.at(-1) ?? 0) ^ 128)]),
  ),
  truncated: withValue((value) => value.subarray(0, -1)),
  truncatedAtItsBeginning: withValue((value) => value.subarray(1)),
  leadingFf: withValue((value) => Buffer.concat([bytes(0xff), value])),
}

/** Where the elements are, by name. */
export const ELEMENTS = ['sequence', 'algorithm', 'oid', 'null', 'digest'] as const
export type ElementName = (typeof ELEMENTS)[number]

/** The DigestInfo of a message with one element written wrongly. */
export function wrongDigestInfo(message: string, name: ElementName, fault: Write): Buffer {
  const path = { sequence: '', algorithm: '0', oid: '00', null: '01', digest: '1' }[name]
  const write = (element: Element, at: string): Buffer => {
    const value = Buffer.isBuffer(element.value)
      ? element.value
      : Buffer.concat(
          (element.value as readonly Element[]).map((inner, index) => write(inner, `${at}${index}`)),
        )
    return at === path ? fault(element.tag, value) : plain(element.tag, value)
  }
  return write(digestInfo(message), '')
}

export function rightDigestInfo(message: string): Buffer {
  return wrongDigestInfo(message, 'sequence', plain)
}

/** EMSA-PKCS1-v1_5 (RFC 8017 §9.2). */
export function padded(content: Buffer, size: number): Buffer {
  const filler = Buffer.alloc(size - content.length - 3, 0xff)
  return Buffer.concat([bytes(0, 1), filler, bytes(0), content])
}

/** Faults of the padding around a right DigestInfo. */
export const BLOCK_FAULTS: Readonly<Record<string, (content: Buffer, size: number) => Buffer>> = {
  blockType0: (content, size) => edited(padded(content, size), 1, 0),
  blockType2: (content, size) => edited(padded(content, size), 1, 2),
  firstByteNotZero: (content, size) => edited(padded(content, size), 0, 1),
  fillerWithAZero: (content, size) => edited(padded(content, size), 20, 0),
  fillerWithAnotherByte: (content, size) => edited(padded(content, size), 20, 0xfe),
  noSeparator: (content, size) => edited(padded(content, size), size - content.length - 1, 0xff),
  // What Bleichenbacher showed in 2006: short padding, and what is left over behind the digest.
  shortFillerAndGarbageBehind: (content, size) =>
    Buffer.concat([padded(content, content.length + 11), Buffer.alloc(size - content.length - 11)]),
  garbageBehind: (content, size) => padded(Buffer.concat([content, bytes(0, 0, 0, 0)]), size),
  noPadding: (content, size) => Buffer.concat([Buffer.alloc(size - content.length), content]),
  digestAlone: (content, size) => padded(content.subarray(-32), size),
  allZero: (_content, size) => Buffer.alloc(size),
  one: (_content, size) => edited(Buffer.alloc(size), size - 1, 1),
}

function edited(block: Buffer, at: number, value: number): Buffer {
  block[at] = value
  return block
}

/** The bare RSA operation on a block of the modulus' size. */
export function rawSign(block: Buffer, key: KeyObject): Buffer {
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, block)
}
