import { crc32c } from '#shared/crc32c.ts'
import type { UnaryHandler } from '../grpc.ts'
import { pageOf } from '../paging.ts'
import { toTimestamp } from '../pubsub/wire.ts'
import { rpcError, status } from '../rpc-error.ts'
import { listMatches } from './list-filter.ts'
import type { Secret, Version, VersionState } from './model.ts'
import { checkEtag, getSecret, nextEtag, type SecretDeps } from './secrets.ts'

const MAX_PAYLOAD_BYTES = 65_536

type Payload = { data: Buffer; dataCrc32c?: string | null }
type Named = { name: string; etag: string }

/** The methods of SecretManagerService about versions. */
export function versionHandlers(deps: SecretDeps): Readonly<Record<string, UnaryHandler>> {
  return {
    AddSecretVersion: (request: { parent: string; payload: Payload | null }) =>
      addVersion(deps, request.parent, request.payload),
    GetSecretVersion: (request: { name: string }) => {
      const { secret, version } = findVersion(deps, request.name)
      return toWire(secret, version)
    },
    AccessSecretVersion: (request: { name: string }) => access(deps, request.name),
    ListSecretVersions: (request: {
      parent: string
      pageSize: number
      pageToken: string
      filter: string
    }) => {
      const secret = getSecret(deps, request.parent)
      const all = secret.versions
        .map((version) => toWire(secret, version))
        .filter((version) => listMatches(request.filter, version))
      // Newest first, so the page's sort key counts down.
      const rank = (name: string): string => String(1e9 - Number(name.slice(name.lastIndexOf('/') + 1)))
      const page = pageOf(all, (version) => rank(version.name), request, 25_000)
      return { versions: page.items, nextPageToken: page.nextPageToken, totalSize: all.length }
    },
    EnableSecretVersion: (request: Named) => changeState(deps, request, 'ENABLED'),
    DisableSecretVersion: (request: Named) => changeState(deps, request, 'DISABLED'),
    DestroySecretVersion: (request: Named) => changeState(deps, request, 'DESTROYED'),
  }
}

function addVersion(deps: SecretDeps, parent: string, payload: Payload | null): object {
  const secret = getSecret(deps, parent)
  if (payload === null) throw rpcError(status.INVALID_ARGUMENT, 'The payload is missing.')
  if (payload.data.length > MAX_PAYLOAD_BYTES) {
    throw rpcError(status.INVALID_ARGUMENT, `A payload has at most ${MAX_PAYLOAD_BYTES} bytes.`)
  }
  const checksum = payload.dataCrc32c
  const checksumGiven = checksum !== undefined && checksum !== null
  if (checksumGiven && Number(checksum) !== crc32c(payload.data)) {
    throw rpcError(status.INVALID_ARGUMENT, 'The payload does not match its CRC32C checksum.')
  }
  const version: Version = {
    number: secret.versions.length + 1,
    state: 'ENABLED',
    createTime: toTimestamp(deps.now()),
    destroyTime: null,
    etag: nextEtag(),
    checksumGiven,
    data: payload.data,
  }
  deps.store.save({ ...secret, versions: [...secret.versions, version] })
  return toWire(secret, version)
}

function access(deps: SecretDeps, name: string): object {
  const { secret, version } = findVersion(deps, name)
  if (version.state !== 'ENABLED' || version.data === null) {
    throw rpcError(
      status.FAILED_PRECONDITION,
      `Secret Version [${versionName(secret, version)}] is in ${version.state} state.`,
    )
  }
  return {
    name: versionName(secret, version),
    payload: { data: version.data, dataCrc32c: String(crc32c(version.data)) },
  }
}

function changeState(deps: SecretDeps, request: Named, state: VersionState): object {
  const { secret, version } = findVersion(deps, request.name)
  checkEtag(version.etag, request.etag)
  if (version.state === 'DESTROYED') {
    throw rpcError(
      status.FAILED_PRECONDITION,
      `Secret Version [${versionName(secret, version)}] is already in DESTROYED state.`,
    )
  }
  const changed: Version = {
    ...version,
    state,
    etag: nextEtag(),
    ...(state === 'DESTROYED' && { data: null, destroyTime: toTimestamp(deps.now()) }),
  }
  const versions = secret.versions.map((each) => (each.number === version.number ? changed : each))
  deps.store.save({ ...secret, versions })
  return toWire(secret, changed)
}

/** A version by number, by alias, or `latest`: the highest number, whatever its state. */
function findVersion(deps: SecretDeps, name: string): { secret: Secret; version: Version } {
  const split = /^(.+)\/versions\/([^/]+)$/.exec(name)
  if (split === null) throw rpcError(status.INVALID_ARGUMENT, `The name ${name} is not that of a version.`)
  const [, parent = '', reference = ''] = split
  const secret = getSecret(deps, parent)
  const number = numberOf(secret, reference)
  const version = secret.versions.find((candidate) => candidate.number === number)
  if (version !== undefined) return { secret, version }
  throw rpcError(status.NOT_FOUND, `Secret [${parent}] not found or has no version [${reference}].`)
}

function numberOf(secret: Secret, reference: string): number | undefined {
  if (reference === 'latest') return secret.versions.at(-1)?.number
  if (/^\d+$/.test(reference)) return Number(reference)
  const { versionAliases } = secret.config
  return Object.hasOwn(versionAliases, reference) ? Number(versionAliases[reference]) : undefined
}

const versionName = (secret: Secret, version: Version): string =>
  `${secret.config.name}/versions/${version.number}`

function toWire(secret: Secret, version: Version) {
  return {
    name: versionName(secret, version),
    createTime: version.createTime,
    destroyTime: version.destroyTime,
    state: version.state,
    replicationStatus: { automatic: {} },
    etag: version.etag,
    clientSpecifiedPayloadChecksum: version.checksumGiven,
  }
}
