import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JWK } from 'jose'

export type IdpKeys = { readonly jwks: { readonly keys: JWK[] }; readonly cookies: string[] }

/** The provider's keys, kept in the data folder: ID tokens and sessions' cookies outlive a restart. */
export function openKeys(dataDir: string): IdpKeys {
  const file = join(dataDir, 'idp-keys.json')
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as IdpKeys
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key: JWK = {
    ...privateKey.export({ format: 'jwk' }),
    kid: randomBytes(8).toString('hex'),
    alg: 'RS256',
    use: 'sig',
  }
  const keys: IdpKeys = { jwks: { keys: [key] }, cookies: [randomBytes(32).toString('base64url')] }
  mkdirSync(dataDir, { recursive: true })
  writeFileSync(`${file}.new`, JSON.stringify(keys), { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return keys
}
