import { gzipSync } from 'node:zlib'
import { canonicalJson } from '#shared/json.ts'

/** A file of an archive, as its manifest lists it. */
export type ArchiveMember = {
  readonly path: string
  readonly sha256: string
  readonly bytes: number
  readonly rows: number
}

const BLOCK = 512
const MODE = '0000644'
const NO_ID = '0000000'
/** Two empty blocks end an archive (POSIX.1-2017, pax, ustar interchange format). */
const END = Buffer.alloc(2 * BLOCK)

/** Names the form: who verifies it looks at nothing of another. */
export const EXPORT_TYPE = 'energent.export/1'

/**
 * Some whole files of a `.tar.gz`. What is compressed by itself can be joined: gzip files one after the
 * other are one gzip file (RFC 1952 §2.2), so that no archive is ever held whole by anybody.
 */
export function packed(
  files: readonly { readonly path: string; readonly bytes: Uint8Array }[],
  folder: string,
  modifiedMs: number,
): Uint8Array {
  const parts = files.flatMap(({ path, bytes }) => [
    headerOf(`${folder}/${path}`, bytes.length, Math.floor(modifiedMs / 1000)),
    bytes,
    Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK),
  ])
  return gzipSync(Buffer.concat(parts))
}

/** What stands at the end of an archive. */
export function packedEnd(): Uint8Array {
  return gzipSync(END)
}

/** The list that is signed: every file with its digest, in the canonical form of RFC 8785. */
export function exportManifest(about: {
  readonly tenantId: string
  readonly operationId: string
  readonly scope: string
  readonly orderedAtMs: number
  readonly members: readonly ArchiveMember[]
}): string {
  const { tenantId, operationId, scope, orderedAtMs } = about
  return canonicalJson({
    type: EXPORT_TYPE,
    tenantId,
    operationId,
    scope,
    orderedAt: new Date(orderedAtMs).toISOString(),
    members: about.members.map(({ path, sha256, bytes, rows }) => ({ path, sha256, bytes, rows })),
  })
}

/** A header of the ustar format: the checksum is the sum of its bytes, with blanks in its own place. */
function headerOf(name: string, size: number, modifiedSeconds: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`${name} is too long for an archive`)
  const header = Buffer.alloc(BLOCK)
  const octal = (value: number, width: number): string => value.toString(8).padStart(width - 1, '0')
  header.write(name, 0)
  header.write(MODE, 100)
  header.write(NO_ID, 108)
  header.write(NO_ID, 116)
  header.write(octal(size, 12), 124)
  header.write(octal(modifiedSeconds, 12), 136)
  header.write(' '.repeat(8), 148)
  header.write('0', 156)
  header.write('ustar\0', 257)
  header.write('00', 263)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${octal(sum, 7)}\0 `, 148)
  return header
}
