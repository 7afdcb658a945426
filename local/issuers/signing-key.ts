import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { exportJWK, type JWK, type JWTPayload, SignJWT } from 'jose'

/** An RS256 key pair and what its issuer needs from it. */
export type SigningKey = {
  readonly kid: string
  readonly jwks: { readonly keys: JWK[] }
  sign(claims: JWTPayload): Promise<string>
}

/**
 * Reads the key from `file`, or makes one and keeps it there, so that tokens outlive a restart.
 *
 * Without a file the key lives as long as the process.
 */
export async function openSigningKey(file?: string): Promise<SigningKey> {
  const privateKey = readOrCreate(file)
  const publicJwk = await exportJWK(createPublicKey(privateKey))
  const kid = createHash('sha256').update(`${publicJwk.n}`).digest('hex').slice(0, 40)
  return {
    kid,
    jwks: { keys: [{ ...publicJwk, kid, alg: 'RS256', use: 'sig' }] },
    sign: (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' }).sign(privateKey),
  }
}

function readOrCreate(file?: string): KeyObject {
  if (file !== undefined && existsSync(file)) return createPrivateKey(readFileSync(file, 'utf8'))
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  if (file !== undefined) {
    mkdirSync(dirname(file), { recursive: true })
    // A kill between the two leaves no half-written key behind.
    writeFileSync(`${file}.new`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  return privateKey
}
