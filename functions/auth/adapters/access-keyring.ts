import { createPublicKey, type KeyObject } from 'node:crypto'
import { withDeadline } from '#shared/deadline.ts'
import { errorFields } from '#shared/log.ts'
import type { SecretStore } from '#shared/secrets.ts'
import type { RevocationMarks } from '#shared/tokens/revocation-marks.ts'
import type { Revocations } from '#shared/tokens/revocations.ts'
import type { KeySource } from '#shared/tokens/verify-access-token.ts'
import { ACCESS_KEYS_SECRET, EVENT_KEYS_SECRET, privateKeyOf } from '../domain/access-key.ts'
import {
  type KeyMaterial,
  type Keyring,
  publishedAt,
  type RingKey,
  rotateRing,
  rotationIsDue,
  signerAt,
  signersFrom,
  startRing,
} from '../domain/keyring.ts'
import type { AccessKeyring, KeyUpkeep } from '../ports.ts'
import { freshValue } from './fresh-value.ts'
import { keyUpkeep } from './keyring-upkeep.ts'
import { changeRing, findOrStart, type RingDocumentDeps } from './ring-document.ts'
import { addSigningKey, signingRing } from './signing-ring.ts'

const RING_AGE_MS = 60_000
/** How often at most an unknown key id makes us read the ring again: anybody can invent one. */
const UNKNOWN_KEY_AGE_MS = 2_000

const REFRESH_LIMIT_MS = 1_000

export type AccessKeyringDeps = RingDocumentDeps & {
  readonly secrets: SecretStore
  readonly revocations: Pick<Revocations, 'current' | 'fresh'>
}

/** A ring of ours: its document in `keyrings`, and the secret whose versions are its private keys. */
export type WhichRing = { readonly name: string; readonly secretName: string }

const ACCESS: WhichRing = { name: 'access', secretName: ACCESS_KEYS_SECRET }
/** Signs what we tell others (security event tokens); never an access token. */
export const EVENTS: WhichRing = { name: 'events', secretName: EVENT_KEYS_SECRET }

/**
 * The access ring: public keys and times in `keyrings/access`, private keys in Secret Manager.
 *
 * Kept in this process for a minute. Which key signs follows from the time alone, so all instances
 * change to the next one together, whenever each of them last read the ring.
 */
export function accessKeyring(
  deps: AccessKeyringDeps,
  { name, secretName }: WhichRing = ACCESS,
): AccessKeyring & { readonly keySource: KeySourceAt; readonly upkeep: KeyUpkeep } {
  const kind = signingRing(name)
  const rings = freshValue((nowMs) =>
    findOrStart(deps, kind, nowMs, () => firstRing(deps.secrets, secretName, nowMs)),
  )
  const privateKeys = new Map<string, Promise<KeyObject>>()

  const privateKey = (key: RingKey): Promise<KeyObject> => {
    const known = privateKeys.get(key.kid)
    if (known !== undefined) return known
    const loading = deps.secrets
      .access(secretName, key.secretVersion)
      .then((pem) => privateKeyOf(pem.toString('utf8'), key.kid))
    privateKeys.set(key.kid, loading)
    loading.catch(() => privateKeys.delete(key.kid))
    return loading
  }

  /** Loads the next signer's key beside the request that needs this one, so that a rotation costs nobody. */
  const prefetch = (ring: Keyring, nowMs: number): void => {
    const wanted = signersFrom(ring, nowMs)
    for (const kid of privateKeys.keys()) {
      if (!wanted.some((key) => key.kid === kid)) privateKeys.delete(kid)
    }
    for (const key of wanted) {
      if (privateKeys.has(key.kid)) continue
      privateKey(key).catch((error: unknown) =>
        deps.log.warn('standby key not loaded', { kid: key.kid, ...errorFields(error) }),
      )
    }
  }

  /** A ring that the feed tells a newer generation of is read again: within two seconds nobody signs by it. */
  const forgetOutdated = (marks: RevocationMarks): void => {
    const known = rings.last()
    if (known !== undefined && known.generation < marks.keyringGeneration(name)) rings.forget()
  }

  /** The ring for whoever only verifies: once there is one, a store that is slow or down delays nobody much. */
  const lastKnown = async (nowMs: number, maxAgeMs: number): Promise<Keyring> => {
    try {
      forgetOutdated(await withDeadline('revocation feed', REFRESH_LIMIT_MS, deps.revocations.current()))
    } catch {
      // Public keys are shown without the feed too; whoever verifies a token asks it once more.
    }
    const last = rings.last()
    const reading = rings.get(nowMs, maxAgeMs)
    if (last === undefined) return reading
    try {
      return await withDeadline('keyring refresh', REFRESH_LIMIT_MS, reading)
    } catch (error) {
      deps.log.warn('key ring not read; the last one is used', errorFields(error))
      return last
    }
  }

  return {
    signer: async (nowMs) => {
      forgetOutdated(await deps.revocations.fresh())
      const ring = await rings.get(nowMs, RING_AGE_MS)
      const key = signerAt(ring, nowMs)
      if (key === undefined) throw new Error('no key of the access ring is active')
      const signer = { kid: key.kid, key: await privateKey(key) }
      prefetch(ring, nowMs)
      return signer
    },
    publicKeys: async (nowMs) =>
      publishedAt(await lastKnown(nowMs, RING_AGE_MS), nowMs).map(({ kid, jwk }) => ({ kid, jwk })),
    rotate: async (messageId, nowMs) => {
      await rings.get(nowMs, RING_AGE_MS)
      const changed = await changeRing(deps, kind, nowMs, async (ring) =>
        rotationIsDue(ring, messageId, nowMs)
          ? rotateRing(ring, await addSigningKey(deps.secrets, secretName), messageId, nowMs)
          : undefined,
      )
      rings.forget()
      return changed === undefined ? 'not-due' : 'rotated'
    },
    keySource: verificationKeys(lastKnown),
    upkeep: keyUpkeep({ ...deps, ring: rings.get, forget: rings.forget }, kind, secretName),
  }
}

/** Like `KeySource`, with the time given. */
export type KeySourceAt = (kid: string, nowMs: number) => ReturnType<KeySource>

/** Public keys for verifying our own tokens inside auth, without a call to ourselves. */
function verificationKeys(ringAt: (nowMs: number, maxAgeMs: number) => Promise<Keyring>): KeySourceAt {
  const imported = new Map<string, Awaited<ReturnType<KeySource>>>()
  return async (kid, nowMs) => {
    for (const maxAgeMs of [RING_AGE_MS, UNKNOWN_KEY_AGE_MS]) {
      const published = publishedAt(await ringAt(nowMs, maxAgeMs), nowMs)
      const key = published.find((candidate) => candidate.kid === kid)
      if (key === undefined) continue
      const known = imported.get(kid)
      if (known !== undefined) return known
      const publicKey = createPublicKey({ key: { ...key.jwk }, format: 'jwk' })
      const cryptoKey = publicKey.toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify'])
      imported.set(kid, cryptoKey)
      return cryptoKey
    }
    return undefined
  }
}

async function firstRing(secrets: SecretStore, secretName: string, nowMs: number): Promise<Keyring> {
  const fresh = (): Promise<KeyMaterial> => addSigningKey(secrets, secretName)
  return startRing(await fresh(), await fresh(), nowMs)
}
