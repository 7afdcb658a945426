import { createHash, createPublicKey } from 'node:crypto'
import { z } from 'zod'
import { crc32c } from '#shared/crc32c.ts'
import { CALL_DEADLINE_MS, DependencyFailed, signalAfter } from '#shared/deadline.ts'
import { parser } from '#shared/json.ts'
import type { AccessTokenSource } from '#shared/metadata-token.ts'
import type { Signer, SigningKey } from '../ports/purge.ts'

export type EvidenceSignerOptions = {
  readonly apiUrl: string
  /** `projects/…/locations/…/keyRings/…`. */
  readonly keyRing: string
  readonly tokens: AccessTokenSource
}

/** The key that signs what leaves us as evidence. Made when it is first needed; nothing ever destroys a version. */
export const EVIDENCE_KEY = 'lifecycle-evidence'
const ALGORITHM = 'EC_SIGN_P256_SHA256'
const NUMBER_BYTES = 32
const NOT_FOUND = 404
const ALREADY_EXISTS = 409

const parseVersions = parser(
  z.object({
    cryptoKeyVersions: z.array(z.object({ name: z.string(), state: z.string() })).default([]),
  }),
)
const parsePublicKey = parser(
  z.object({ pem: z.string(), pemCrc32c: z.string(), algorithm: z.literal(ALGORITHM) }),
)
const parseSignature = parser(
  z.object({
    name: z.string(),
    signature: z.string(),
    signatureCrc32c: z.string(),
    verifiedDigestCrc32c: z.literal(true),
  }),
)

/**
 * Signs with the newest enabled version of one Cloud KMS key: ES256, as JOSE writes it.
 *
 * A version that was disabled, after a new one, still vouches for what it signed: its public key stays
 * published. The keys are read once per process, and anew after a failure.
 */
export function evidenceSigner(options: EvidenceSignerOptions): Signer {
  const key = `${options.keyRing}/cryptoKeys/${EVIDENCE_KEY}`
  let known: Promise<readonly SigningKey[]> | undefined
  const keys = (): Promise<readonly SigningKey[]> => {
    known ??= readKeys(options, key).catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }
  const current = async (): Promise<SigningKey> => {
    const [first] = await keys()
    if (first === undefined) throw new DependencyFailed('the evidence key has no version that signs')
    return first
  }
  return {
    keys,
    key: current,
    sign: async (bytes) => {
      const { keyName, kid } = await current()
      const digest = createHash('sha256').update(bytes).digest()
      const body = { digest: { sha256: digest.toString('base64') }, digestCrc32c: String(crc32c(digest)) }
      const signed = await call(options, 'POST', `${keyName}:asymmetricSign`, body).catch(
        (error: unknown) => {
          // Perhaps the version is out of use by now: the next try asks which one signs.
          known = undefined
          throw error
        },
      )
      const answer = parseSignature(signed)
      if (!answer.ok) throw new DependencyFailed(`Cloud KMS answered no signature: ${answer.detail}`)
      const signature = Buffer.from(answer.value.signature, 'base64')
      if (answer.value.name !== keyName || answer.value.signatureCrc32c !== String(crc32c(signature))) {
        throw new DependencyFailed('Cloud KMS answered a damaged signature')
      }
      return { alg: 'ES256', kid, value: joseOf(signature).toString('base64url') }
    },
  }
}

/** The newest enabled version first, then whatever else ever signed. */
async function readKeys(options: EvidenceSignerOptions, key: string): Promise<readonly SigningKey[]> {
  const path = `${key}/cryptoKeyVersions?pageSize=100`
  const found = await call(options, 'GET', path, undefined, [NOT_FOUND])
  if (found === undefined) await makeKey(options)
  const listed = parseVersions(found ?? (await call(options, 'GET', path)))
  if (!listed.ok) throw new DependencyFailed(`Cloud KMS answered no versions: ${listed.detail}`)
  const versions = listed.value.cryptoKeyVersions
    .filter(({ state }) => state === 'ENABLED' || state === 'DISABLED')
    .map(({ name, state }) => ({ name, state, number: Number(name.split('/').at(-1)) }))
    .sort((left, right) => rankOf(right) - rankOf(left))
  if (versions[0]?.state !== 'ENABLED')
    throw new DependencyFailed('no version of the evidence key is enabled')
  return Promise.all(versions.map(({ name, number }) => readKey(options, name, number)))
}

/** Another instance may be faster: one key is made all the same. */
async function makeKey(options: EvidenceSignerOptions): Promise<void> {
  const versionTemplate = { algorithm: ALGORITHM, protectionLevel: 'SOFTWARE' }
  const path = `${options.keyRing}/cryptoKeys?cryptoKeyId=${EVIDENCE_KEY}`
  await call(options, 'POST', path, { purpose: 'ASYMMETRIC_SIGN', versionTemplate }, [ALREADY_EXISTS])
}

function rankOf({ state, number }: { readonly state: string; readonly number: number }): number {
  return (state === 'ENABLED' ? 1e9 : 0) + number
}

async function readKey(options: EvidenceSignerOptions, name: string, number: number): Promise<SigningKey> {
  const answer = parsePublicKey(await call(options, 'GET', `${name}/publicKey`))
  if (!answer.ok) throw new DependencyFailed(`Cloud KMS answered no public key: ${answer.detail}`)
  const { pem, pemCrc32c } = answer.value
  if (pemCrc32c !== String(crc32c(Buffer.from(pem)))) throw new DependencyFailed('a damaged public key')
  const { x = '', y = '' } = createPublicKey(pem).export({ format: 'jwk' })
  return { kid: `${EVIDENCE_KEY}-${number}`, keyName: name, jwk: { kty: 'EC', crv: 'P-256', x, y } }
}

async function call(
  { apiUrl, tokens }: EvidenceSignerOptions,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
  expected: readonly number[] = [],
): Promise<unknown> {
  const signal = signalAfter(CALL_DEADLINE_MS)
  const authorization = `Bearer ${await tokens.token(signal)}`
  const response = await fetch(`${apiUrl}/v1/${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'error',
    signal,
  })
  if (response.status === 401) tokens.forget()
  if (response.status !== 200) {
    await response.body?.cancel()
    if (expected.includes(response.status)) return undefined
    throw new DependencyFailed(`Cloud KMS answered ${response.status} to ${method} of the evidence key`)
  }
  return response.json()
}

/** From `SEQUENCE { INTEGER r, INTEGER s }` to the 64 bytes of RFC 7518 §3.4. */
function joseOf(der: Buffer): Buffer {
  const lengthOfR = der[3] ?? 0
  const r = der.subarray(4, 4 + lengthOfR)
  const s = der.subarray(6 + lengthOfR)
  return Buffer.concat([r, s].map(fixedWidth))
}

function fixedWidth(integer: Buffer): Buffer {
  const trimmed = integer.subarray(Math.max(0, integer.length - NUMBER_BYTES))
  return Buffer.concat([Buffer.alloc(NUMBER_BYTES - trimmed.length), trimmed])
}
