import { asRecord } from '#shared/json.ts'
import type { CloudAnswer, KeyVersion, KeyVersionState, KmsPort } from '../ports/cloud.ts'
import { type GoogleRest, type RestBody, textOf, unlessMissing } from './google-rest.ts'

export type TenantKeysOptions = {
  readonly rest: GoogleRest
  /** `projects/…/locations/…/keyRings/…`. */
  readonly keyRing: string
  /** How long a version waits between the order to destroy it and its end. Set when a key is made, never after. */
  readonly destroyAfterSeconds: number
}

const STATES: Readonly<Record<string, KeyVersionState>> = {
  ENABLED: 'enabled',
  DISABLED: 'disabled',
  DESTROY_SCHEDULED: 'destroy-scheduled',
  DESTROYED: 'destroyed',
  // Nothing came of these, and nothing can be sealed with them: they are deleted as destroyed ones are.
  GENERATION_FAILED: 'destroyed',
  IMPORT_FAILED: 'destroyed',
}
const MOST_PAGES = 100

/**
 * Tenants' keys in Cloud KMS over REST (guides "Destroy and restore key versions", "Enable and disable",
 * "Delete Cloud KMS resources").
 *
 * No rotation period: a key that KMS rotates by itself would get a fresh version after all of them were
 * destroyed. It wraps one data key, so that its age is no weakness.
 */
export function tenantKeys({ destroyAfterSeconds, keyRing, rest }: TenantKeysOptions): KmsPort {
  const nameOf = (tenantId: string): string => `${keyRing}/cryptoKeys/tenant-${tenantId}`
  return {
    find: async (tenantId, signal) => {
      const keyName = nameOf(tenantId)
      const key = unlessMissing(await rest({ method: 'GET', path: `/v1/${keyName}`, signal }))
      if (!key.ok || key.value === undefined) return key as CloudAnswer<undefined>
      const versions = await listVersions(rest, keyName, signal)
      if (!versions.ok) return versions
      const primary = textOf(asRecord(key.value['primary'])?.['name'])
      return {
        ok: true,
        value: { keyName, primary: primary === '' ? null : primary, versions: versions.value },
      }
    },
    create: async (tenantId, signal) => {
      const body = {
        purpose: 'ENCRYPT_DECRYPT',
        versionTemplate: { algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', protectionLevel: 'SOFTWARE' },
        destroyScheduledDuration: `${destroyAfterSeconds}s`,
        labels: { 'tenant-id': tenantId, 'managed-by': 'tenant-events' },
      }
      const path = `/v1/${keyRing}/cryptoKeys?cryptoKeyId=tenant-${tenantId}`
      const created = await rest({ method: 'POST', path, body, signal })
      const adopted = !created.ok && created.failure.code === 'cloud.already_exists'
      return adopted ? { ok: true, value: undefined } : done(created)
    },
    addPrimary: async (tenantId, signal) => {
      const path = `/v1/${nameOf(tenantId)}`
      const made = await rest({ method: 'POST', path: `${path}/cryptoKeyVersions`, body: {}, signal })
      if (!made.ok) return made
      const body = { cryptoKeyVersionId: textOf(made.value['name']).split('/').at(-1) }
      return done(await rest({ method: 'POST', path: `${path}:updatePrimaryVersion`, body, signal }))
    },
    setEnabled: async (version, enabled, signal) => {
      const body = { state: enabled ? 'ENABLED' : 'DISABLED' }
      return done(await rest({ method: 'PATCH', path: `/v1/${version}?updateMask=state`, body, signal }))
    },
    destroy: async (version, signal) => {
      const ordered = await rest({ method: 'POST', path: `/v1/${version}:destroy`, body: {}, signal })
      if (ordered.ok || ordered.failure.code !== 'cloud.failed_precondition') return done(ordered)
      const live = await rest({ method: 'GET', path: `/v1/${version}`, signal })
      if (!live.ok) return live
      const state = stateOf(live.value)
      return state === 'destroyed' || state === 'destroy-scheduled'
        ? { ok: true, value: undefined }
        : done(ordered)
    },
    deleteVersion: async (version, signal) =>
      done(unlessMissing(await rest({ method: 'DELETE', path: `/v1/${version}`, signal }))),
    deleteKey: async (tenantId, signal) =>
      done(unlessMissing(await rest({ method: 'DELETE', path: `/v1/${nameOf(tenantId)}`, signal }))),
    restore: async (version, signal) =>
      done(await rest({ method: 'POST', path: `/v1/${version}:restore`, body: {}, signal })),
  }
}

async function listVersions(
  rest: GoogleRest,
  keyName: string,
  signal: AbortSignal,
): Promise<CloudAnswer<readonly KeyVersion[]>> {
  const versions: KeyVersion[] = []
  let after = ''
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = `pageSize=100${after === '' ? '' : `&pageToken=${encodeURIComponent(after)}`}`
    const listed = await rest({ method: 'GET', path: `/v1/${keyName}/cryptoKeyVersions?${query}`, signal })
    if (!listed.ok) return listed
    const items: unknown = listed.value['cryptoKeyVersions']
    for (const item of Array.isArray(items) ? items : []) versions.push(versionOf(asRecord(item) ?? {}))
    after = textOf(listed.value['nextPageToken'])
    if (after === '') return { ok: true, value: versions }
  }
  throw new Error(`${keyName} has more versions than are read`)
}

function versionOf(body: RestBody): KeyVersion {
  const state = stateOf(body)
  const destroyAtMs = Date.parse(textOf(body['destroyTime']))
  return {
    name: textOf(body['name']),
    state,
    destroyAtMs: state === 'destroy-scheduled' && !Number.isNaN(destroyAtMs) ? destroyAtMs : null,
  }
}

function stateOf(body: RestBody): KeyVersionState {
  const state = textOf(body['state'])
  return Object.hasOwn(STATES, state) ? (STATES[state] ?? 'other') : 'other'
}

function done(answer: CloudAnswer<unknown>): CloudAnswer<void> {
  return answer.ok ? { ok: true, value: undefined } : answer
}
