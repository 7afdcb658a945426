import { randomUUID } from 'node:crypto'
import { systemClock } from '#shared/clock.ts'
import { asRecord } from '#shared/json.ts'
import type { Loopback } from '../bind-loopback.ts'
import { type FaultHook, underFault } from '../faults.ts'
import { faultAnswer } from '../google-service.ts'
import { openJournal } from '../journal.ts'
import { type Answer, type Call, HANG_UP, json, serveLoopback } from '../loopback.ts'
import { decrypt, encrypt } from './crypto.ts'
import { type KeyBook, keyBook, versionName } from './keys.ts'
import { listVersions, operationOf } from './listing.ts'
import { type KeyRecord, KmsError, type VersionRecord } from './model.ts'
import { asymmetricSign, publicKey } from './signing.ts'

type KmsOptions = {
  /** 0 or absent: any free port. */
  readonly port?: number
  /** Where keys are kept; in memory alone without it. */
  readonly file?: string
  readonly now?: () => number
  /** The one key ring there is. */
  readonly keyRing: string
  /** Whose access token it is; undefined refuses it. Everybody may come in without this. */
  readonly authenticate?: (token: string) => string | undefined
}

/** For `KMS_API_URL`, with the key ring for `KMS_KEY_RING`. */
export type KmsServer = Loopback & {
  readonly keyRing: string
  /** Asked before every call by the name of its method, such as `DestroyCryptoKeyVersion`. */
  setFault(hook: FaultHook<Call> | undefined): void
  /** The keys there are, with the state of each version; never what they are made of. Retired names are not among them. */
  dump(): readonly { readonly name: string; readonly versions: readonly VersionRecord['state'][] }[]
}

/** Serves keys that wrap keys and keys that sign, over a part of Cloud KMS' REST API, on the loopback interface. */
export async function startKms(options: KmsOptions): Promise<KmsServer> {
  const journal = openJournal(options.file)
  const book = keyBook(journal, options.keyRing, options.now ?? systemClock.now)
  let fault: FaultHook<Call> | undefined
  const answer = (call: Call): Answer => {
    try {
      authenticate(options, call)
      return json(200, route(options.keyRing, book, call))
    } catch (error) {
      if (!(error instanceof KmsError)) throw error
      const { httpStatus: code, message, status } = error
      return json(code, { error: { code, message, status } })
    }
  }
  const server = await serveLoopback(options.port ?? 0, (call) =>
    underFault(
      fault?.(operationOf(call), call),
      () => answer(call),
      (wrong) => (wrong.mode === 'error' ? faultAnswer(wrong) : HANG_UP),
    ),
  )
  return {
    ...server,
    keyRing: options.keyRing,
    setFault: (hook) => {
      fault = hook
    },
    dump: () =>
      book.names().map((name) => ({ name, versions: book.get(name).versions.map(({ state }) => state) })),
    close: async () => {
      await server.close()
      journal.close()
    },
  }
}

function authenticate(options: KmsOptions, call: Call): void {
  if (options.authenticate === undefined) return
  const token = /^Bearer (\S+)$/.exec(call.headers.authorization ?? '')?.[1]
  if (token !== undefined && options.authenticate(token) !== undefined) return
  throw new KmsError(
    'UNAUTHENTICATED',
    'Request had invalid authentication credentials. Expected OAuth 2 access token.',
  )
}

const PATH = /^\/v1\/(projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/:]+)\/cryptoKeys(?:\/(.+))?$/
const BELOW = /^([^/:]+)(?::(\w+)|\/cryptoKeyVersions(?:\/(\d+)(?::(\w+)|(\/publicKey))?)?)?$/

function route(keyRing: string, book: KeyBook, call: Call): object {
  const [, ring, below] = PATH.exec(decodeURI(call.url.pathname)) ?? []
  if (ring === undefined) throw new KmsError('NOT_FOUND', 'Not Found')
  if (ring !== keyRing) throw new KmsError('NOT_FOUND', `KeyRing ${ring} not found.`)
  if (below === undefined) {
    if (call.method !== 'POST') throw new KmsError('NOT_FOUND', 'Not Found')
    return keyView(book.create(call.url.searchParams.get('cryptoKeyId') ?? '', bodyOf(call)))
  }
  const [, keyId, verb, number, versionVerb, publicPart] = BELOW.exec(below) ?? []
  if (keyId === undefined) throw new KmsError('NOT_FOUND', 'Not Found')
  const key = book.get(`${keyRing}/cryptoKeys/${keyId}`)
  if (number !== undefined) return onVersion(book, key, Number(number), versionVerb ?? publicPart, call)
  return below.includes('/cryptoKeyVersions') ? onVersions(book, key, call) : onKey(book, key, verb, call)
}

function onKey(book: KeyBook, key: KeyRecord, verb: string | undefined, call: Call): object {
  const asked = `${call.method} ${verb ?? ''}`
  if (asked === 'GET ') return keyView(key)
  if (asked === 'DELETE ') return deletion(key.name, book.remove(key))
  if (asked === 'POST encrypt') return encrypt(key, book, bodyOf(call))
  if (asked === 'POST decrypt') return decrypt(key, bodyOf(call))
  if (asked === 'POST updatePrimaryVersion') {
    return keyView(book.setPrimary(key, Number(bodyOf(call)['cryptoKeyVersionId'])))
  }
  throw new KmsError('NOT_FOUND', 'Not Found')
}

function onVersions(book: KeyBook, key: KeyRecord, call: Call): object {
  if (call.method === 'POST') return versionView(key, book.addVersion(key))
  if (call.method !== 'GET') throw new KmsError('NOT_FOUND', 'Not Found')
  const { next, page } = listVersions(key, call.url.searchParams)
  return {
    cryptoKeyVersions: page.map((version) => versionView(key, version)),
    ...(next === undefined ? {} : { nextPageToken: next }),
    totalSize: key.versions.length,
  }
}

function onVersion(
  book: KeyBook,
  key: KeyRecord,
  number: number,
  verb: string | undefined,
  call: Call,
): object {
  const version = book.versionOf(key, number)
  const asked = `${call.method} ${verb ?? ''}`
  if (asked === 'GET ') return versionView(key, version)
  if (asked === 'DELETE ') return deletion(versionName(key, number), book.removeVersion(key, version))
  if (asked === 'PATCH ') return versionView(key, book.setState(key, version, bodyOf(call)['state']))
  if (asked === 'GET /publicKey') return publicKey(key, version)
  if (asked === 'POST asymmetricSign') return asymmetricSign(key, version, bodyOf(call))
  if (asked === 'POST destroy') return versionView(key, book.destroy(key, version))
  if (asked === 'POST restore') return versionView(key, book.restore(key, version))
  throw new KmsError('NOT_FOUND', 'Not Found')
}

/** Deletions answer with an operation, which is done at once. */
function deletion(target: string, retired: string): object {
  const name = `${target.replace(/\/keyRings\/.*/, '')}/operations/${randomUUID()}`
  return { name, metadata: { retiredResource: retired }, done: true, response: {} }
}

function bodyOf(call: Call): Record<string, unknown> {
  try {
    return asRecord(JSON.parse(call.body.length === 0 ? '{}' : call.body.toString('utf8'))) ?? {}
  } catch {
    throw new KmsError('INVALID_ARGUMENT', 'Invalid JSON payload received.')
  }
}

function keyView(key: KeyRecord): object {
  const encrypts = key.purpose === undefined
  const primary = key.versions.find((version) => encrypts && version.number === key.primary)
  return {
    name: key.name,
    ...(primary === undefined ? {} : { primary: versionView(key, primary) }),
    purpose: key.purpose ?? 'ENCRYPT_DECRYPT',
    createTime: key.createTime,
    versionTemplate: { protectionLevel: 'SOFTWARE', algorithm: algorithmOf(key) },
    destroyScheduledDuration: `${key.destroyAfterSeconds}s`,
    ...(key.labels === undefined ? {} : { labels: key.labels }),
  }
}

function versionView(key: KeyRecord, version: VersionRecord): object {
  return {
    name: versionName(key, version.number),
    state: version.state,
    protectionLevel: 'SOFTWARE',
    algorithm: algorithmOf(key),
    createTime: version.createTime,
    ...(version.destroyAtMs === undefined
      ? {}
      : { [timeName(version)]: new Date(version.destroyAtMs).toISOString() }),
  }
}

/** What is to come, and what has been, have names of their own. */
function timeName({ state }: VersionRecord): string {
  return state === 'DESTROYED' ? 'destroyEventTime' : 'destroyTime'
}

function algorithmOf({ purpose }: KeyRecord): string {
  return purpose === undefined ? 'GOOGLE_SYMMETRIC_ENCRYPTION' : 'EC_SIGN_P256_SHA256'
}
