import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { asRecord } from '#shared/json.ts'
import type { Journal } from '../journal.ts'
import { type KeyRecord, KmsError, type VersionRecord, type VersionState } from './model.ts'

const THIRTY_DAYS_SECONDS = 30 * 86_400
/** In the place of a key that was deleted. */
const RETIRED = 'retired'
const KEY_ID = /^[a-zA-Z0-9_-]{1,63}$/

/** The keys of one key ring. Time moves versions that are scheduled for destruction to their end. */
export function keyBook(journal: Journal, keyRing: string, now: () => number) {
  const save = (key: KeyRecord): KeyRecord => {
    journal.set(key.name, key)
    return key
  }
  const get = (name: string): KeyRecord => {
    const key = journal.get(name) as KeyRecord | typeof RETIRED | undefined
    if (key === undefined || key === RETIRED) throw new KmsError('NOT_FOUND', `CryptoKey ${name} not found.`)
    const due = key.versions.some((version) => isDue(version, now()))
    return due ? save({ ...key, versions: key.versions.map((version) => destroyed(version, now())) }) : key
  }
  const versionOf = (key: KeyRecord, number: number): VersionRecord => {
    const version = key.versions.find((candidate) => candidate.number === number)
    const name = versionName(key, number)
    if (version === undefined) throw new KmsError('NOT_FOUND', `CryptoKeyVersion ${name} not found.`)
    return version
  }
  const replace = (key: KeyRecord, version: VersionRecord): VersionRecord => {
    save({ ...key, versions: key.versions.map((old) => (old.number === version.number ? version : old)) })
    return version
  }
  const newVersion = (number: number, purpose: KeyRecord['purpose']): VersionRecord => ({
    number,
    state: 'ENABLED',
    material: (purpose === undefined ? randomBytes(32) : signingKey()).toString('base64'),
    createTime: new Date(now()).toISOString(),
  })
  return {
    get,
    versionOf,
    create: (keyId: string, body: Readonly<Record<string, unknown>>): KeyRecord => {
      if (!KEY_ID.test(keyId))
        throw new KmsError('INVALID_ARGUMENT', `The crypto_key_id ${keyId} is invalid.`)
      const purpose = purposeOf(body)
      const labels = asRecord(body['labels'])
      const name = `${keyRing}/cryptoKeys/${keyId}`
      if (journal.get(name) !== undefined)
        throw new KmsError('ALREADY_EXISTS', `CryptoKey ${name} already exists.`)
      return save({
        name,
        ...(purpose === undefined ? {} : { purpose }),
        createTime: new Date(now()).toISOString(),
        ...(labels === undefined ? {} : { labels }),
        primary: 1,
        destroyAfterSeconds: secondsOf(body['destroyScheduledDuration']),
        versions: [newVersion(1, purpose)],
      })
    },
    names: (): string[] =>
      [...journal.entries()].flatMap(([name, value]) => (value === RETIRED ? [] : [name])),
    /** Only what is destroyed can be deleted. Its number is not given again. */
    removeVersion: (key: KeyRecord, version: VersionRecord): string => {
      if (version.state !== 'DESTROYED') {
        const name = versionName(key, version.number)
        throw new KmsError(
          'FAILED_PRECONDITION',
          `${name} is not destroyed, current state is: ${version.state}.`,
        )
      }
      save({ ...key, versions: key.versions.filter(({ number }) => number !== version.number) })
      return retiredName(versionName(key, version.number))
    },
    /** The name stays taken for ever. */
    remove: (key: KeyRecord): string => {
      if (key.versions.length > 0) {
        throw new KmsError('FAILED_PRECONDITION', `CryptoKey ${key.name} still has versions.`)
      }
      journal.set(key.name, RETIRED)
      return retiredName(key.name)
    },
    /** A new version, which does not become primary by itself. */
    addVersion: (key: KeyRecord): VersionRecord => {
      const version = newVersion(Math.max(0, ...key.versions.map(({ number }) => number)) + 1, key.purpose)
      save({ ...key, versions: [...key.versions, version] })
      return version
    },
    setPrimary: (key: KeyRecord, number: number): KeyRecord => {
      if (key.purpose !== undefined) {
        throw new KmsError('INVALID_ARGUMENT', 'Only keys that encrypt have a primary version.')
      }
      versionOf(key, number)
      return save({ ...key, primary: number })
    },
    setState: (key: KeyRecord, version: VersionRecord, state: unknown): VersionRecord => {
      if (state !== 'ENABLED' && state !== 'DISABLED') {
        throw new KmsError('INVALID_ARGUMENT', 'A version is only set to ENABLED or DISABLED.')
      }
      requireState(key, version, ['ENABLED', 'DISABLED'])
      return replace(key, { ...version, state })
    },
    destroy: (key: KeyRecord, version: VersionRecord): VersionRecord => {
      requireState(key, version, ['ENABLED', 'DISABLED'])
      const destroyAtMs = now() + key.destroyAfterSeconds * 1000
      return replace(key, { ...version, state: 'DESTROY_SCHEDULED', destroyAtMs })
    },
    /** Taken back, a version is disabled: somebody has to enable it. */
    restore: (key: KeyRecord, version: VersionRecord): VersionRecord => {
      requireState(key, version, ['DESTROY_SCHEDULED'])
      const { destroyAtMs: _gone, ...kept } = version
      return replace(key, { ...kept, state: 'DISABLED' })
    },
  }
}

function retiredName(name: string): string {
  return `${name.replace(/\/keyRings\/.*/, '')}/retiredResources/${randomUUID()}`
}

export type KeyBook = ReturnType<typeof keyBook>

export function versionName(key: KeyRecord, number: number): string {
  return `${key.name}/cryptoKeyVersions/${number}`
}

/** Says of a version in another state what Cloud KMS says. */
export function requireState(key: KeyRecord, version: VersionRecord, states: readonly VersionState[]): void {
  if (states.includes(version.state)) return
  const name = versionName(key, version.number)
  const wanted = states.includes('DESTROY_SCHEDULED') ? 'scheduled for destruction' : 'enabled'
  throw new KmsError('FAILED_PRECONDITION', `${name} is not ${wanted}, current state is: ${version.state}.`)
}

function isDue(version: VersionRecord, nowMs: number): boolean {
  return version.state === 'DESTROY_SCHEDULED' && (version.destroyAtMs ?? 0) <= nowMs
}

function destroyed(version: VersionRecord, nowMs: number): VersionRecord {
  return isDue(version, nowMs) ? { ...version, state: 'DESTROYED', material: '' } : version
}

function purposeOf(body: Readonly<Record<string, unknown>>): KeyRecord['purpose'] {
  if (body['purpose'] === 'ENCRYPT_DECRYPT') return undefined
  const algorithm = asRecord(body['versionTemplate'])?.['algorithm']
  if (body['purpose'] === 'ASYMMETRIC_SIGN' && algorithm === 'EC_SIGN_P256_SHA256') return 'ASYMMETRIC_SIGN'
  throw new KmsError('INVALID_ARGUMENT', 'The stand-in has keys that encrypt, or sign EC_SIGN_P256_SHA256.')
}

function signingKey(): Buffer {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'der',
  })
}

/** From 24 hours to 120 days; 30 days unless told. */
function secondsOf(duration: unknown): number {
  if (duration === undefined) return THIRTY_DAYS_SECONDS
  const seconds = Number(/^(\d+)s$/.exec(String(duration))?.[1])
  if (seconds >= 86_400 && seconds <= 120 * 86_400) return seconds
  throw new KmsError('INVALID_ARGUMENT', 'The destroy_scheduled_duration is out of range.')
}
