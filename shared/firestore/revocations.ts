import { createHash } from 'node:crypto'
import type { Group } from '../catalogue/functions.ts'
import {
  latestExpiry,
  REVOCATION_KINDS,
  type Revocation,
  TOKEN_SKEW_SECONDS,
} from '../contracts/revocation.ts'
import { PLATFORM_TENANT, type TenantId } from '../ids.ts'
import { feedEntryPath } from './paths.ts'
import { type SystemScope, type Write, writeOf } from './scoped.ts'
import { commitTime, type Fields, timestamp } from './values.ts'

/**
 * The feed is spread over so many collections: Firestore takes about 500 writes a second of documents
 * whose indexed field only grows. Every verifier asks each of them every two seconds, so no more than
 * needed.
 */
export const FEED_SHARDS = ['0', '1', '2', '3'] as const

/** A whole tenant is one entry; what names more things than this at once should revoke something wider. */
const MOST_IN_ONE_COMMIT = 200

/**
 * The feed entries of a commit, written with the change itself: whoever can read the one can read the
 * other. Only auth revokes; a mistake in the values throws, because an entry that no verifier
 * understands would leave a token alive.
 */
export function feedWrites<S>(
  group: Group,
  tenantId: TenantId,
  {
    revocations = [],
    stateChanged = false,
  }: { readonly revocations?: readonly Revocation[]; readonly stateChanged?: boolean },
  { commitId, nowMs }: { readonly commitId: string; readonly nowMs: number },
): Write<S>[] {
  if (revocations.length === 0 && !stateChanged) return []
  if (group !== 'auth') throw new TypeError(`${group} revokes nothing`)
  if (revocations.length > MOST_IN_ONE_COMMIT) throw new RangeError('too many revocations in one commit')
  const write = (at: number, fields: Fields): Write<S> => {
    const entryId = `${commitId}-${at}`
    return writeOf<S>('create', {
      path: feedEntryPath(shardOf(entryId), entryId),
      fields: { at: commitTime(), tenantId, ...fields },
      once: false,
      tenantId,
    })
  }
  const told = revocations.map((revocation, at) => {
    requireSound(revocation, tenantId, Math.ceil(nowMs / 1000))
    const { kind, id, before } = revocation
    // As long as any verifier could take such a token: who names a shorter time may be mistaken.
    const latest = latestExpiry(kind === 'token' ? Math.ceil(nowMs / 1000) : before)
    const exp = kind === 'token' ? Math.min(revocation.exp, latest) : latest
    return write(at, { kind, id, before, exp: timestamp(exp * 1000), reason: revocation.reason })
  })
  const before = Math.floor(nowMs / 1000)
  const state = { kind: 'state', id: tenantId, before, exp: timestamp(latestExpiry(before) * 1000) }
  return stateChanged ? [...told, write(told.length, state)] : told
}

/** Says that one of our key rings has a new generation: processes that hold an older one read it again. */
export function keyringNotice(
  ring: string,
  generation: number,
  { noticeId, nowMs }: { readonly noticeId: string; readonly nowMs: number },
): Write<SystemScope> {
  const exp = timestamp(latestExpiry(Math.floor(nowMs / 1000)) * 1000)
  const about = { tenantId: PLATFORM_TENANT, kind: 'keyring', id: ring, before: generation }
  return writeOf<SystemScope>('create', {
    path: feedEntryPath(shardOf(noticeId), noticeId),
    fields: { at: commitTime(), ...about, exp },
    once: false,
    tenantId: undefined,
  })
}

/** By the entry and not by the tenant: one that revokes a great deal fills no shard alone. */
function shardOf(entryId: string): string {
  const byte = createHash('sha256').update(entryId, 'utf8').digest()[0] ?? 0
  return FEED_SHARDS[byte % FEED_SHARDS.length] ?? FEED_SHARDS[0]
}

function requireSound(
  { kind, id, before, exp, reason }: Revocation,
  tenantId: TenantId,
  nowSeconds: number,
): void {
  const sound =
    REVOCATION_KINDS.includes(kind) &&
    id.length > 0 &&
    id.length <= 256 &&
    (kind !== 'tenant' || id === tenantId) &&
    (kind !== 'signingKey' || tenantId === PLATFORM_TENANT) &&
    Number.isSafeInteger(before) &&
    Number.isSafeInteger(exp) &&
    before >= 0 &&
    // A watermark ahead of the time would refuse tokens that are not minted yet.
    before <= nowSeconds + TOKEN_SKEW_SECONDS &&
    exp > 0 &&
    (reason === undefined || /^[a-z0-9_.-]{1,64}$/.test(reason))
  if (!sound) throw new TypeError(`not a revocation: ${kind}`)
}
