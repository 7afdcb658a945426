import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { crc32c } from '#shared/crc32c.ts'
import { asRecord } from '#shared/json.ts'
import { bytesOf } from './crypto.ts'
import { requireState, versionName } from './keys.ts'
import { type KeyRecord, KmsError, type VersionRecord } from './model.ts'

const ALGORITHM = 'EC_SIGN_P256_SHA256'
const DIGEST_BYTES = 32
const P256_PRIVATE = { format: 'der', type: 'pkcs8' } as const

/** `:asymmetricSign`: a signature in DER over a digest that the caller computed. */
export function asymmetricSign(
  key: KeyRecord,
  version: VersionRecord,
  body: Readonly<Record<string, unknown>>,
): object {
  requireSigning(key)
  requireState(key, version, ['ENABLED'])
  const digest = bytesOf({ sha256: asRecord(body['digest'])?.['sha256'] }, 'sha256')
  if (digest.length !== DIGEST_BYTES)
    throw new KmsError('INVALID_ARGUMENT', 'The digest has the wrong length.')
  const sum = body['digestCrc32c']
  if (sum !== undefined && String(sum) !== String(crc32c(digest))) {
    throw new KmsError('INVALID_ARGUMENT', 'The checksum in digestCrc32c did not match the data in digest.')
  }
  const signature = signDigest(privateKey(version), digest)
  return {
    name: versionName(key, version.number),
    signature: signature.toString('base64'),
    signatureCrc32c: String(crc32c(signature)),
    ...(sum === undefined ? {} : { verifiedDigestCrc32c: true }),
    protectionLevel: 'SOFTWARE',
  }
}

/** `…/publicKey`, in PEM. */
export function publicKey(key: KeyRecord, version: VersionRecord): object {
  requireSigning(key)
  const enabled = { ...version, state: version.state === 'DISABLED' ? ('ENABLED' as const) : version.state }
  requireState(key, enabled, ['ENABLED'])
  const pem = createPublicKey(privateKey(version)).export({ format: 'pem', type: 'spki' }).toString()
  return {
    name: versionName(key, version.number),
    pem,
    pemCrc32c: String(crc32c(Buffer.from(pem))),
    algorithm: ALGORITHM,
    protectionLevel: 'SOFTWARE',
  }
}

/** The order of P-256 (FIPS 186-5, SP 800-186 §3.2.1.3). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** ECDSA (FIPS 186-5 §6.4.1) over a digest as it is: Node's own `sign` would hash it once more. */
function signDigest(key: KeyObject, digest: Buffer): Buffer {
  const secret = numberOf(Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url'))
  for (;;) {
    const once = createECDH('prime256v1')
    const point = once.generateKeys()
    const r = numberOf(point.subarray(1, 33)) % ORDER
    const s = (inverse(numberOf(once.getPrivateKey())) * (numberOf(digest) + r * secret)) % ORDER
    if (r !== 0n && s !== 0n) return derOf(r, s)
  }
}

/** By Fermat: the order is prime. */
function inverse(value: bigint): bigint {
  let [result, base, exponent] = [1n, value % ORDER, ORDER - 2n]
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % ORDER
    base = (base * base) % ORDER
  }
  return result
}

const numberOf = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`)

function derOf(...numbers: readonly bigint[]): Buffer {
  const integers = numbers.map((number) => {
    const bytes = Buffer.from(number.toString(16).padStart(64, '0'), 'hex')
    const first = bytes.findIndex((byte) => byte !== 0)
    const shortest = bytes.subarray(first)
    const value = (shortest[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), shortest]) : shortest
    return Buffer.concat([Buffer.of(0x02, value.length), value])
  })
  const body = Buffer.concat(integers)
  return Buffer.concat([Buffer.of(0x30, body.length), body])
}

function requireSigning(key: KeyRecord): void {
  if (key.purpose === 'ASYMMETRIC_SIGN') return
  throw new KmsError('INVALID_ARGUMENT', `${key.name} is not a key that signs.`)
}

function privateKey(version: VersionRecord): KeyObject {
  return createPrivateKey({ key: Buffer.from(version.material, 'base64'), ...P256_PRIVATE })
}
