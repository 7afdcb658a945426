import { errorFields } from '#shared/log.ts'
import type { SecretStore } from '#shared/secrets.ts'
import {
  compromise,
  hasForgettable,
  keysForCompromise,
  stateOf,
  type Upkeep,
  upkeepDue,
  withUpkeep,
} from '../domain/key-lifecycle.ts'
import type { KeyMaterial, Keyring } from '../domain/keyring.ts'
import type { KeyUpkeep, KeyView } from '../ports.ts'
import { changeRing, type RingDocumentDeps, type RingKind } from './ring-document.ts'
import { addSigningKey } from './signing-ring.ts'

export type KeyUpkeepDeps = RingDocumentDeps & {
  readonly secrets: SecretStore
  /** The ring as this process last read it; read anew when older than `maxAgeMs`. */
  readonly ring: (nowMs: number, maxAgeMs: number) => Promise<Keyring>
  /** Makes the process read the ring anew. */
  readonly forget: () => void
}

const RING_AGE_MS = 60_000
/** A version that no ring names is somebody's unfinished rotation for this long, and an orphan after it. */
const ORPHAN_AFTER_MS = 600_000

/**
 * What is done with the keys of a ring besides signing: emergency, tidying up, showing.
 *
 * Secret Manager first, then the ring: after a crash between the two the next run does the same
 * again, and finds it done.
 */
export function keyUpkeep(deps: KeyUpkeepDeps, kind: RingKind<Keyring>, secretName: string): KeyUpkeep {
  const { secrets } = deps
  return {
    compromise: async (kid, nowMs) => {
      let known = false
      await changeRing(deps, kind, nowMs, async (ring) => {
        const key = ring.keys.find((candidate) => candidate.kid === kid)
        known = key !== undefined
        if (key === undefined || key.compromisedAt !== null) return undefined
        const fresh: KeyMaterial[] = []
        while (fresh.length < keysForCompromise(ring, kid, nowMs)) {
          fresh.push(await addSigningKey(secrets, secretName))
        }
        return compromise(ring, kid, fresh, nowMs)
      })
      deps.forget()
      return known
    },
    tidy: async (nowMs) => {
      const ring = await deps.ring(nowMs, RING_AGE_MS)
      const due = upkeepDue(ring, nowMs)
      if (due.length === 0 && !hasForgettable(ring, nowMs)) return 0
      const done: Upkeep[] = []
      for (const upkeep of due) {
        await apply(secrets, secretName, upkeep)
        done.push(upkeep)
      }
      // Judged again by the ring as it stands: another process may have tidied up, or found a key compromised.
      const stillDue = (now: Keyring): Upkeep[] =>
        upkeepDue(now, nowMs).filter((upkeep) =>
          done.some((each) => each.kid === upkeep.kid && each.act === upkeep.act),
        )
      await changeRing(deps, kind, nowMs, async (now) => {
        const acts = stillDue(now)
        return acts.length === 0 && !hasForgettable(now, nowMs) ? undefined : withUpkeep(now, acts, nowMs)
      })
      deps.forget()
      for (const { kid, act } of done)
        deps.log.info('key version retired', { ring: kind.name, kid, outcome: act })
      return done.length
    },
    disableOrphans: async (nowMs) => {
      const ring = await deps.ring(nowMs, 0)
      const named = new Set(kind.versionsOf(ring))
      const orphans = (await secrets.versions(secretName)).filter(
        ({ version, state, createdAtMs }) =>
          state === 'ENABLED' && !named.has(version) && nowMs - createdAtMs >= ORPHAN_AFTER_MS,
      )
      for (const { version } of orphans) {
        try {
          await secrets.disableVersion(secretName, version)
          deps.log.warn('secret version without a key disabled', { ring: kind.name, versions: [version] })
        } catch (error) {
          deps.log.warn('secret version not disabled', {
            ring: kind.name,
            versions: [version],
            ...errorFields(error),
          })
        }
      }
      return orphans.length
    },
    show: async (nowMs) => {
      const ring = await deps.ring(nowMs, 0)
      const keys = ring.keys.map(
        (key): KeyView => ({
          kid: key.kid,
          state: stateOf(ring, key, nowMs),
          secretVersion: key.secretVersion,
          publishAt: key.publishAt,
          activateAt: key.activateAt,
          compromisedAt: key.compromisedAt,
          disabledAt: key.disabledAt,
          destroyedAt: key.destroyedAt,
        }),
      )
      return { ring: kind.name, generation: ring.generation, lastRotation: ring.lastRotation, keys }
    },
  }
}

function apply(secrets: SecretStore, secretName: string, { act, secretVersion }: Upkeep): Promise<void> {
  return act === 'disable'
    ? secrets.disableVersion(secretName, secretVersion)
    : secrets.destroyVersion(secretName, secretVersion)
}
