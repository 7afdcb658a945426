import { z } from 'zod'
import type { Clock } from '#shared/clock.ts'
import { parser } from '#shared/json.ts'
import type { SecretStore } from '#shared/secrets.ts'
import type { Peppers } from '../domain/client-secret.ts'
import {
  currentPepperVersion,
  PEPPER_BYTES,
  PEPPER_SECRET,
  type PepperRing,
  pepperRotationIsDue,
  rotatePepperRing,
  startPepperRing,
} from '../domain/pepper-ring.ts'
import type { PepperStore } from '../ports.ts'
import { freshValue } from './fresh-value.ts'
import { changeRing, findOrStart, type RingDocumentDeps, type RingKind } from './ring-document.ts'
import { addSecretVersion } from './secret-versions.ts'

const RING_AGE_MS = 60_000
/** How often at most a version that another instance has just made lets us read the ring again. */
const UNKNOWN_VERSION_AGE_MS = 2_000

const KIND: RingKind<PepperRing> = {
  name: 'pepper',
  parse: parser<PepperRing>(
    z.object({
      peppers: z
        .array(
          z.object({
            version: z.number().int().positive(),
            secretVersion: z.string().regex(/^\d+$/),
            createdAt: z.number().int(),
          }),
        )
        .min(1),
      generation: z.number().int(),
      lastMessageId: z.string().nullable().default(null),
    }),
  ),
  fields: ({ peppers, generation, lastMessageId }) => ({ peppers, generation, lastMessageId }),
  versionsOf: (ring) => ring.peppers.map((pepper) => pepper.secretVersion),
  // Nobody outside has to do with a pepper.
  facts: () => [],
}

type Loaded = { readonly ring: PepperRing; readonly peppers: Peppers }

/** The peppers: which there are in `keyrings/pepper`, their bytes in Secret Manager, both kept a minute. */
export function pepperStore(
  deps: RingDocumentDeps & { readonly secrets: SecretStore; readonly clock: Clock },
): PepperStore {
  // A version's bytes never change, so a refresh of the ring only fetches what is new in it.
  const bytes = new Map<string, Uint8Array>()
  const pepperBytes = async (secretVersion: string): Promise<Uint8Array> => {
    const known = bytes.get(secretVersion)
    if (known !== undefined) return known
    const pepper = await deps.secrets.access(PEPPER_SECRET, secretVersion)
    if (pepper.length !== PEPPER_BYTES) throw new Error(`pepper version ${secretVersion} has a wrong length`)
    bytes.set(secretVersion, pepper)
    return pepper
  }
  const loaded = freshValue(async (nowMs): Promise<Loaded> => {
    const ring = await findOrStart(deps, KIND, nowMs, async () => {
      const secretVersion = await addSecretVersion(deps.secrets, PEPPER_SECRET, deps.ids.bytes(PEPPER_BYTES))
      return startPepperRing(secretVersion, nowMs)
    })
    const peppers = ring.peppers.map(
      async ({ version, secretVersion }) => [version, await pepperBytes(secretVersion)] as const,
    )
    return { ring, peppers: new Map(await Promise.all(peppers)) }
  })
  const load = (maxAgeMs = RING_AGE_MS): Promise<Loaded> => loaded.get(deps.clock.now(), maxAgeMs)
  return {
    all: async (needed) => {
      const { peppers } = await load()
      if (needed.every((version) => peppers.has(version))) return peppers
      return (await load(UNKNOWN_VERSION_AGE_MS)).peppers
    },
    current: async () => {
      const { ring, peppers } = await load()
      const version = currentPepperVersion(ring)
      const pepper = peppers.get(version)
      if (pepper === undefined) throw new Error(`pepper version ${version} is not loaded`)
      return { version, pepper }
    },
    rotate: async (messageId, nowMs) => {
      await load()
      const changed = await changeRing(deps, KIND, nowMs, async (ring) => {
        if (!pepperRotationIsDue(ring, messageId, nowMs)) return undefined
        const bytesOfNext = deps.ids.bytes(PEPPER_BYTES)
        const secretVersion = await addSecretVersion(deps.secrets, PEPPER_SECRET, bytesOfNext)
        return rotatePepperRing(ring, secretVersion, messageId, nowMs)
      })
      loaded.forget()
      return changed === undefined ? 'not-due' : 'rotated'
    },
  }
}
