import { z } from 'zod'
import { crc32c } from '#shared/crc32c.ts'
import { CALL_DEADLINE_MS, DependencyFailed, signalAfter } from '#shared/deadline.ts'
import { parser } from '#shared/json.ts'
import type { AccessTokenSource } from '#shared/metadata-token.ts'
import { type Kms, NoSuchKey } from '../ports/kms.ts'

export type CloudKmsOptions = {
  readonly apiUrl: string
  /** `projects/…/locations/…/keyRings/…`. */
  readonly keyRing: string
  readonly tokens: AccessTokenSource
}

/** How often bytes that were damaged on the way are asked for again, as the guide for CRC32C has it. */
const MOST_TRIES = 3
const DESTROYED = /current state is: DESTROY(?:ED|_SCHEDULED)\b/

const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/)
const parseEncrypted = parser(
  z.object({
    name: z.string(),
    ciphertext: base64,
    ciphertextCrc32c: z.string(),
    verifiedPlaintextCrc32c: z.literal(true),
    verifiedAdditionalAuthenticatedDataCrc32c: z.literal(true),
  }),
)
const parseDecrypted = parser(
  z.object({ plaintext: base64, plaintextCrc32c: z.string(), usedPrimary: z.boolean().default(false) }),
)
const parseFailure = parser(
  z.object({ error: z.object({ message: z.string(), status: z.string().optional() }) }),
)

/**
 * Cloud KMS over REST, with the function's own account.
 *
 * Both ways are checked with CRC32C: KMS checks what it was sent, we check what came back, and a
 * mismatch is asked again. A data key damaged on its way to be wrapped would take all personal data
 * of a tenant with it.
 */
export function cloudKms(options: CloudKmsOptions): Kms {
  const nameOf = (keyId: string): string => `${options.keyRing}/cryptoKeys/${keyId}`
  return {
    encrypt: (keyId, plaintext, bound) =>
      untilSound(async () => {
        const answer = await call(options, `${nameOf(keyId)}:encrypt`, {
          plaintext: encode(plaintext),
          plaintextCrc32c: checksum(plaintext),
          additionalAuthenticatedData: encode(bound),
          additionalAuthenticatedDataCrc32c: checksum(bound),
        })
        if (answer.status === 404) throw new NoSuchKey(keyId)
        if (answer.status !== 200) throw failure('encrypt', answer)
        const parsed = parseEncrypted(answer.body)
        if (!parsed.ok) return undefined
        const ciphertext = Buffer.from(parsed.value.ciphertext, 'base64')
        if (parsed.value.ciphertextCrc32c !== checksum(ciphertext)) return undefined
        // The guide asks to look whether the key that answered is the key that was asked.
        if (!parsed.value.name.startsWith(`${nameOf(keyId)}/cryptoKeyVersions/`)) return undefined
        return { ciphertext, keyVersion: parsed.value.name }
      }),
    decrypt: (keyId, ciphertext, bound) =>
      untilSound(async () => {
        const answer = await call(options, `${nameOf(keyId)}:decrypt`, {
          ciphertext: encode(ciphertext),
          ciphertextCrc32c: checksum(ciphertext),
          additionalAuthenticatedData: encode(bound),
          additionalAuthenticatedDataCrc32c: checksum(bound),
        })
        const told = parseFailure(answer.body)
        if (answer.status === 400 && told.ok && DESTROYED.test(told.value.error.message)) return 'destroyed'
        if (answer.status !== 200) throw failure('decrypt', answer)
        const parsed = parseDecrypted(answer.body)
        if (!parsed.ok) return undefined
        const plaintext = Buffer.from(parsed.value.plaintext, 'base64')
        if (parsed.value.plaintextCrc32c !== checksum(plaintext)) return undefined
        return { plaintext, usedPrimary: parsed.value.usedPrimary }
      }),
    ensureKey: async (keyId) => {
      const answer = await call(options, `${options.keyRing}/cryptoKeys?cryptoKeyId=${keyId}`, {
        purpose: 'ENCRYPT_DECRYPT',
        versionTemplate: { algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', protectionLevel: 'SOFTWARE' },
      })
      if (answer.status !== 200 && answer.status !== 409) throw failure('create', answer)
    },
  }
}

type Answer = { readonly status: number; readonly body: unknown }

async function call({ apiUrl, tokens }: CloudKmsOptions, path: string, body: object): Promise<Answer> {
  const signal = signalAfter(CALL_DEADLINE_MS)
  try {
    const response = await fetch(`${apiUrl}/v1/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await tokens.token(signal)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal,
    })
    if (response.status === 401) tokens.forget()
    return { status: response.status, body: await response.json() }
  } catch (error) {
    throw new DependencyFailed('Cloud KMS does not answer', { cause: error })
  }
}

async function untilSound<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const sound = await attempt()
    if (sound !== undefined) return sound
  }
  throw new DependencyFailed('Cloud KMS answered damaged bytes')
}

/** The words of KMS name keys and states, never what is encrypted. */
function failure(what: string, { status, body }: Answer): DependencyFailed {
  const told = parseFailure(body)
  return new DependencyFailed(
    `Cloud KMS ${what}: ${status} ${told.ok ? told.value.error.message.slice(0, 300) : ''}`,
  )
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** An int64 in JSON is a string of decimals. */
function checksum(bytes: Uint8Array): string {
  return String(crc32c(bytes))
}
