import { applyMask, type FieldMask } from '../field-mask.ts'
import type { UnaryHandler } from '../grpc.ts'
import { pageOf } from '../paging.ts'
import { durationMs, toTimestamp } from '../pubsub/wire.ts'
import { rpcError, status } from '../rpc-error.ts'
import { listMatches } from './list-filter.ts'
import type { Secret, SecretConfig } from './model.ts'
import type { SecretStore } from './store.ts'

export type SecretDeps = { readonly store: SecretStore; readonly now: () => number }

const UPDATABLE = new Set([
  'labels',
  'annotations',
  'topics',
  'expireTime',
  'ttl',
  'rotation',
  'versionAliases',
  'versionDestroyTtl',
])

/** The methods of SecretManagerService about secrets; those about versions are in versions.ts. */
export function secretHandlers(deps: SecretDeps): Readonly<Record<string, UnaryHandler>> {
  return {
    CreateSecret: (request: { parent: string; secretId: string; secret: SecretConfig | null }) =>
      createSecret(deps, request.parent, request.secretId, request.secret),
    GetSecret: (request: { name: string }) => getSecret(deps, request.name).config,
    UpdateSecret: (request: { secret: SecretConfig | null; updateMask: FieldMask }) =>
      updateSecret(deps, request.secret, request.updateMask),
    DeleteSecret: (request: { name: string; etag: string }) => {
      const secret = getSecret(deps, request.name)
      checkEtag(secret.config.etag, request.etag)
      deps.store.delete(request.name)
      return {}
    },
    ListSecrets: (request: { parent: string; pageSize: number; pageToken: string; filter: string }) => {
      checkParent(request.parent)
      const all = [...deps.store.all()]
        .map((secret) => secret.config)
        .filter((config) => config.name.startsWith(`${request.parent}/secrets/`) && !isExpired(deps, config))
        .filter((config) => listMatches(request.filter, config))
      const page = pageOf(all, (config) => config.name, request, 25_000)
      return { secrets: page.items, nextPageToken: page.nextPageToken, totalSize: all.length }
    },
  }
}

function createSecret(
  deps: SecretDeps,
  parent: string,
  id: string,
  given: SecretConfig | null,
): SecretConfig {
  checkParent(parent)
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(id)) throw invalid(`Invalid secret id: ${id}.`)
  if (given?.replication === null || given?.replication === undefined) {
    throw invalid('secret.replication must be provided.')
  }
  const name = `${parent}/secrets/${id}`
  const existing = deps.store.find(name)
  if (existing !== undefined && !isExpired(deps, existing.config)) {
    throw rpcError(status.ALREADY_EXISTS, `Secret [${name}] already exists.`)
  }
  const config = completeSecret(deps, {
    ...given,
    name,
    createTime: toTimestamp(deps.now()),
    versionAliases: given.versionAliases,
  })
  deps.store.save({ config, versions: [] })
  return config
}

/** Gives a secret its topics and rotation unless it has a rotation, and makes it if it is not there. */
export function declareSecret(
  deps: SecretDeps,
  name: string,
  declared: Pick<SecretConfig, 'topics' | 'rotation'>,
): void {
  const existing = deps.store.find(name)
  if (existing?.config.rotation) return
  const fresh: Secret['config'] = {
    name,
    labels: {},
    annotations: {},
    topics: [],
    replication: { automatic: {} },
    createTime: toTimestamp(deps.now()),
    etag: '',
    rotation: null,
    versionAliases: {},
  }
  const config = completeSecret(deps, { ...(existing?.config ?? fresh), ...declared })
  deps.store.save({ ...existing, config, versions: existing?.versions ?? [] })
}

/** Checks a secret as written, turns a ttl into the expiry it means, and gives it a new etag. */
function completeSecret(deps: SecretDeps, given: SecretConfig): SecretConfig {
  const { rotation, topics, ttl } = given
  for (const [key, value] of Object.entries(given.labels)) {
    if (!/^[\p{Ll}][\p{Ll}\p{N}_-]{0,62}$/u.test(key) || !/^[\p{Ll}\p{N}_-]{0,63}$/u.test(value)) {
      throw invalid(`Invalid label ${key}.`)
    }
  }
  if (Object.keys(given.labels).length > 64) throw invalid('A secret has at most 64 labels.')
  if (topics.length > 10) throw invalid('A secret has at most 10 topics.')
  for (const topic of topics) {
    if (!/^projects\/[^/]+\/topics\/[^/]+$/.test(topic.name)) throw invalid(`Invalid topic ${topic.name}.`)
  }
  if (rotation !== null && topics.length === 0) throw invalid('A rotation needs at least one topic.')
  if (rotation?.rotationPeriod && !rotation.nextRotationTime) {
    throw invalid('rotation.next_rotation_time must be set when rotation.rotation_period is.')
  }
  if (rotation?.rotationPeriod && durationMs(rotation.rotationPeriod) < 3_600_000) {
    throw invalid('rotation.rotation_period must be at least an hour.')
  }
  const expireTime = ttl ? toTimestamp(deps.now() + durationMs(ttl)) : given.expireTime
  return { ...given, ttl: null, expireTime: expireTime ?? null, etag: nextEtag() }
}

function updateSecret(deps: SecretDeps, update: SecretConfig | null, mask: FieldMask): SecretConfig {
  if (update === null) throw invalid('The secret of the update is missing.')
  const secret = getSecret(deps, update.name)
  checkEtag(secret.config.etag, update.etag)
  const config = completeSecret(deps, applyMask(secret.config, update, mask, UPDATABLE))
  for (const [alias, number] of Object.entries(config.versionAliases)) {
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(alias) || alias === 'latest') {
      throw invalid(`Invalid version alias ${alias}.`)
    }
    if (!secret.versions.some((version) => version.number === Number(number))) {
      throw rpcError(status.FAILED_PRECONDITION, `The alias ${alias} names no version of the secret.`)
    }
  }
  deps.store.save({ ...secret, config })
  return config
}

/** The secret; one whose time has come counts as deleted. */
export function getSecret(deps: SecretDeps, name: string): Secret {
  if (!/^projects\/[^/]+\/(locations\/[^/]+\/)?secrets\/[^/]+$/.test(name)) {
    throw invalid(`The name ${name} is not that of a secret.`)
  }
  const secret = deps.store.find(name)
  if (secret !== undefined && !isExpired(deps, secret.config)) return secret
  throw rpcError(status.NOT_FOUND, `Secret [${name}] not found.`)
}

function isExpired(deps: SecretDeps, config: SecretConfig): boolean {
  return config.expireTime ? durationMs(config.expireTime) <= deps.now() : false
}

function checkParent(parent: string): void {
  if (!/^projects\/[^/]+(\/locations\/[^/]+)?$/.test(parent)) throw invalid(`Invalid parent ${parent}.`)
}

/** An empty etag asks for no check. */
export function checkEtag(current: string, given: string): void {
  if (given === '' || given === current) return
  throw rpcError(status.FAILED_PRECONDITION, 'The provided etag does not match the current one.')
}

let etags = 0

/** Different at every change, also across restarts. */
export function nextEtag(): string {
  etags += 1
  return `"${process.hrtime.bigint().toString(16)}${etags.toString(16)}"`
}

const invalid = (details: string) => rpcError(status.INVALID_ARGUMENT, details)
