import type { Call } from '../loopback.ts'
import { type KeyRecord, KmsError, type VersionRecord } from './model.ts'

const USUAL_PAGE = 100

/** One page of a key's versions, by number; the token is the number that the next page begins after. */
export function listVersions(
  key: KeyRecord,
  query: URLSearchParams,
): { readonly page: readonly VersionRecord[]; readonly next: string | undefined } {
  const after = query.get('pageToken') ?? '0'
  const asked = Number(query.get('pageSize') ?? 0)
  if (!/^\d{1,9}$/.test(after)) throw new KmsError('INVALID_ARGUMENT', 'The page token is invalid.')
  const rest = key.versions.filter(({ number }) => number > Number(after))
  const page = rest.slice(0, asked > 0 ? Math.min(asked, 1_000) : USUAL_PAGE)
  return { page, next: page.length < rest.length ? `${page.at(-1)?.number}` : undefined }
}

/** The methods of the service, as faults name them. */
export const KMS_OPERATIONS = [
  'CreateCryptoKey',
  'GetCryptoKey',
  'Encrypt',
  'Decrypt',
  'UpdateCryptoKeyPrimaryVersion',
  'CreateCryptoKeyVersion',
  'ListCryptoKeyVersions',
  'GetCryptoKeyVersion',
  'UpdateCryptoKeyVersion',
  'DestroyCryptoKeyVersion',
  'RestoreCryptoKeyVersion',
  'AsymmetricSign',
  'GetPublicKey',
  'DeleteCryptoKeyVersion',
  'DeleteCryptoKey',
] as const
type Operation = (typeof KMS_OPERATIONS)[number]

const BY_SHAPE: readonly (readonly [RegExp, Operation])[] = [
  [/^POST [^:]*\/cryptoKeys$/, 'CreateCryptoKey'],
  [/^POST .*:encrypt$/, 'Encrypt'],
  [/^POST .*:decrypt$/, 'Decrypt'],
  [/^POST .*:updatePrimaryVersion$/, 'UpdateCryptoKeyPrimaryVersion'],
  [/^POST .*:destroy$/, 'DestroyCryptoKeyVersion'],
  [/^POST .*:restore$/, 'RestoreCryptoKeyVersion'],
  [/^POST .*:asymmetricSign$/, 'AsymmetricSign'],
  [/^POST .*\/cryptoKeyVersions$/, 'CreateCryptoKeyVersion'],
  [/^GET .*\/publicKey$/, 'GetPublicKey'],
  [/^GET .*\/cryptoKeyVersions$/, 'ListCryptoKeyVersions'],
  [/^GET .*\/cryptoKeyVersions\/\d+$/, 'GetCryptoKeyVersion'],
  [/^DELETE .*\/cryptoKeyVersions\/\d+$/, 'DeleteCryptoKeyVersion'],
  [/^DELETE .*\/cryptoKeys\/[^/]+$/, 'DeleteCryptoKey'],
  [/^PATCH .*\/cryptoKeyVersions\/\d+$/, 'UpdateCryptoKeyVersion'],
]

/** What the call asks of the service; what nobody knows reads as a look at a key, and gets its 404. */
export function operationOf(call: Call): Operation {
  const shape = `${call.method} ${call.url.pathname}`
  return BY_SHAPE.find(([pattern]) => pattern.test(shape))?.[1] ?? 'GetCryptoKey'
}
