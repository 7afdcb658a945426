import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** A certificate of its own authority for one address, with its key; both PEM. */
export type Certificate = { readonly certificate: string; readonly key: string }

const SEQUENCE = 0x30
const SET = 0x31
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_ID = 0x06
const UTF8_STRING = 0x0c
const GENERALIZED_TIME = 0x18
const BOOLEAN = 0x01

/** Object identifiers in DER: of the signature, of a common name, and of the two extensions used. */
const ECDSA_WITH_SHA256 = Buffer.from('2a8648ce3d040302', 'hex')
const COMMON_NAME = Buffer.from('550403', 'hex')
const BASIC_CONSTRAINTS = Buffer.from('551d13', 'hex')
const SUBJECT_ALT_NAME = Buffer.from('551d11', 'hex')
const YES = Buffer.from([0xff])
const LOOPBACK = Buffer.from([127, 0, 0, 1])

/**
 * Makes a certificate for 127.0.0.1 that vouches for itself (X.509 v3, RFC 5280; P-256 with SHA-256), as
 * a cluster's own authority does for its API server. It is good far beyond any time a test may move to.
 */
export function selfSignedCertificate(name: string): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const body = toBeSigned(name, publicKey)
  const signature = sign('sha256', body, privateKey)
  const whole = der(SEQUENCE, body, algorithm(), der(BIT_STRING, Buffer.from([0]), signature))
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? []
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function toBeSigned(name: string, publicKey: KeyObject): Buffer {
  const who = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, der(OBJECT_ID, COMMON_NAME), der(UTF8_STRING, Buffer.from(name)))),
  )
  // A serial number is positive: its first bit is clear.
  const serial = Buffer.concat([Buffer.from([0x01]), randomBytes(15)])
  const validity = der(
    SEQUENCE,
    der(GENERALIZED_TIME, Buffer.from('20000101000000Z')),
    der(GENERALIZED_TIME, Buffer.from('20991231235959Z')),
  )
  const extensions = der(
    SEQUENCE,
    extension(BASIC_CONSTRAINTS, der(SEQUENCE, der(BOOLEAN, YES))),
    // [7] is an IP address among the general names.
    extension(SUBJECT_ALT_NAME, der(SEQUENCE, der(0x87, LOOPBACK))),
  )
  return der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, serial),
    algorithm(),
    who,
    validity,
    who,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  )
}

function algorithm(): Buffer {
  return der(SEQUENCE, der(OBJECT_ID, ECDSA_WITH_SHA256))
}

function extension(id: Buffer, value: Buffer): Buffer {
  return der(SEQUENCE, der(OBJECT_ID, id), der(BOOLEAN, YES), der(OCTET_STRING, value))
}

/** One value in the distinguished encoding rules (X.690): its tag, its length, what it holds. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length < 128) return Buffer.concat([Buffer.from([tag, content.length]), content])
  const length = Buffer.from(content.length.toString(16).padStart(4, '0'), 'hex')
  const bytes = length[0] === 0 ? length.subarray(1) : length
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length]), bytes, content])
}
