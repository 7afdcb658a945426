import { crc32 } from 'node:zlib'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const LENGTH = 6

/**
 * The CRC-32 of `text` as six base-62 characters.
 *
 * It guards nothing secret: it lets secret scanners be sure, and lets us refuse a mistyped or invented
 * credential without a single read.
 */
export function checksumOf(text: string): string {
  let value = crc32(text)
  let digits = ''
  for (let place = 0; place < LENGTH; place += 1) {
    digits = BASE62.charAt(value % 62) + digits
    value = Math.floor(value / 62)
  }
  return digits
}

/** Splits `text` before its checksum; undefined when the checksum is not that of the rest. */
export function withoutChecksum(text: string): string | undefined {
  const body = text.slice(0, -LENGTH)
  return checksumOf(body) === text.slice(-LENGTH) ? body : undefined
}
