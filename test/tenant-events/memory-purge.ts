import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { crc32c } from '#shared/crc32c.ts'
import type { ObjectVersion } from '#shared/object-store.ts'
import type { PurgePorts, SigningKey, StoredCertificate } from '../../functions/tenant-events/ports/purge.ts'
import type { Link, MemoryDocuments } from './memory-store.ts'

type Version = ObjectVersion & { readonly data: Uint8Array }

/** What there is beside lifecycle's own documents. Values are never changed in place. */
export type MemoryLeaving = {
  /** Versions by name, the oldest first; the last of a name is live unless it was deleted. */
  readonly versions: Version[]
  /** Documents of others below tenants: `tenants/{t}/…` and whatever. */
  readonly below: Map<string, unknown>
  readonly certificates: Map<string, StoredCertificate>
}

export type MemoryPurge = PurgePorts & { readonly objects: NonNullable<PurgePorts['objects']> }

export function memoryLeaving(): MemoryLeaving {
  return { versions: [], below: new Map(), certificates: new Map() }
}

const PAIR = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const JWK = PAIR.publicKey.export({ format: 'jwk' }) as SigningKey['jwk']
export const MEMORY_KEY: SigningKey = {
  kid: 'evidence-1',
  keyName: 'projects/demo/locations/us/keyRings/r/cryptoKeys/evidence/cryptoKeyVersions/1',
  jwk: { kty: 'EC', crv: 'P-256', x: JWK.x, y: JWK.y },
}

const inTurn: Link = async (_what, effect) => {
  await Promise.resolve()
  return effect()
}

/** The ports of leaving in memory: a bucket that keeps old versions, documents of anybody, a real key. */
export function memoryPurge(
  documents: Pick<MemoryDocuments, 'operations' | 'audit'>,
  leaving: MemoryLeaving = memoryLeaving(),
  link: Link = inTurn,
): MemoryPurge {
  return {
    objects: memoryObjects(leaving, link),
    certificates: {
      find: (tenantId) => link('read certificate', () => leaving.certificates.get(tenantId)),
    },
    signer: {
      sign: (bytes) =>
        link('sign', () => ({
          alg: 'ES256' as const,
          kid: MEMORY_KEY.kid,
          value: sign('sha256', bytes, { key: PAIR.privateKey, dsaEncoding: 'ieee-p1363' }).toString(
            'base64url',
          ),
        })),
      key: () => link('read key', () => MEMORY_KEY),
      keys: () => link('read keys', () => [MEMORY_KEY]),
    },
    documents: {
      eraseSome: (ctx, operationId) =>
        link('erase documents', () => {
          const old = [...documents.operations.values()].filter(
            (operation) => operation.tenantId === ctx.tenantId && operation.operationId !== operationId,
          )
          for (const operation of old.slice(0, 2)) documents.operations.delete(operation.operationId)
          const erased = Math.min(old.length, 2)
          return erased === 0 ? {} : { lifecycle_operations: erased }
        }),
      countLeft: (ctx, operationId) =>
        link('count documents', () => {
          const counts: Record<string, number> = {}
          const own = [...documents.operations.values()].filter(
            (operation) => operation.tenantId === ctx.tenantId && operation.operationId !== operationId,
          )
          if (own.length > 0) counts['lifecycle_operations'] = own.length
          for (const path of leaving.below.keys()) {
            const [root, tenantId, collection = ''] = path.split('/')
            if (root === 'tenants' && tenantId === ctx.tenantId) {
              counts[collection] = (counts[collection] ?? 0) + 1
            }
          }
          return counts
        }),
      exportPage: (ctx, what) =>
        link('read own documents', () => {
          const operations = [...documents.operations.values()].filter(
            ({ tenantId }) => tenantId === ctx.tenantId,
          )
          const rows =
            what === 'operations'
              ? operations.map(({ operationId, kind }) => ({ id: operationId, kind }))
              : what === 'audit'
                ? documents.audit.map((entry) => ({ ...entry }))
                : [{ tenantId: ctx.tenantId }]
          return { rows, next: undefined }
        }),
      auditRoot: () =>
        link('read audit', () => ({
          root: createHash('sha256').update(JSON.stringify(documents.audit)).digest('hex'),
          segments: documents.audit.length,
        })),
    },
  }
}

/** Puts an object into the bucket in one moment, as a group that is not played here would. */
export function putObject({ versions }: MemoryLeaving, name: string, data: Uint8Array): void {
  if (versions.some((one) => one.name === name && one.live)) return
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32c(data))
  const generation = String(versions.reduce((most, one) => Math.max(most, Number(one.generation)), 0) + 1)
  const bytes = data.length
  const updatedAt = '2026-11-23T09:00:00.000Z'
  versions.push({ name, generation, bytes, crc32c: crc.toString('base64'), live: true, updatedAt, data })
}

function memoryObjects(leaving: MemoryLeaving, link: Link): MemoryPurge['objects'] {
  const { versions } = leaving
  const live = (name: string): Version | undefined => versions.find((one) => one.name === name && one.live)
  const write = (name: string, data: Uint8Array): void => putObject(leaving, name, data)
  return {
    bucket: 'memory',
    put: (name, bytes) => link('put object', () => write(name, bytes)),
    read: (name) => link('read object', () => live(name)?.data),
    find: (name) => link('find object', () => live(name)),
    compose: (name, parts) =>
      link('compose objects', () => {
        if (live(name) !== undefined) return
        if (parts.length === 0 || parts.length > 32) throw new Error('1 to 32 objects are composed')
        const data = parts.map((part) => {
          const found = live(part)
          if (found === undefined) throw new Error(`there is no ${part}`)
          return found.data
        })
        write(name, Buffer.concat(data))
      }),
    listVersions: (prefix, after) =>
      link('list versions', () => {
        const all = versions
          .filter(({ name }) => name.startsWith(prefix))
          .sort((left, right) => (placeOf(left) < placeOf(right) ? -1 : 1))
          .filter((version) => after === undefined || placeOf(version) > after)
        const page = all.slice(0, 3)
        const last = page.at(-1)
        return { versions: page, next: all.length > 3 && last !== undefined ? placeOf(last) : undefined }
      }),
    deleteVersion: (name, generation) =>
      link('delete version', () => {
        const at = versions.findIndex((one) => one.name === name && one.generation === generation)
        if (at !== -1) versions.splice(at, 1)
      }),
  }
}

function placeOf({ name, generation }: Version): string {
  return `${name}\0${generation.padStart(12, '0')}`
}
