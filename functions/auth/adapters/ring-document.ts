import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { CommitOutcome } from '#shared/firestore/commit.ts'
import { type Outbox, outboxFields, outboxRow } from '#shared/firestore/outbox.ts'
import { keyringNotice } from '#shared/firestore/revocations.ts'
import type { Write } from '#shared/firestore/scoped.ts'
import type { SystemFirestore, SystemScope } from '#shared/firestore/system.ts'
import type { Fields } from '#shared/firestore/values.ts'
import { type Ids, PLATFORM_TENANT } from '#shared/ids.ts'
import type { Parse } from '#shared/json.ts'
import type { Logger } from '#shared/log.ts'

const COLLECTION = 'keyrings'

export type RingDocumentDeps = {
  readonly system: SystemFirestore
  readonly outbox: Outbox
  readonly ids: Ids
  readonly log: Logger
}

/** One document in `keyrings`, and how it begins. */
export type RingKind<R> = {
  readonly name: string
  readonly parse: Parse<R>
  readonly fields: (ring: R) => Fields
  /** The numbers of the secret versions a ring names: the orphans, if another process was faster. */
  readonly versionsOf: (ring: R) => readonly string[]
  /** What others are told of a change: facts that leave with it. */
  readonly facts: (before: R | undefined, after: R, nowMs: number) => readonly CloudEvent[]
}

/**
 * The ring, or a first one made by `start`.
 *
 * Two processes may both find nothing and both make keys: the document is created by one, and the
 * other takes that one. The secret versions of the loser stay unused; the log names them.
 */
export async function findOrStart<R extends { readonly generation: number }>(
  deps: RingDocumentDeps,
  kind: RingKind<R>,
  nowMs: number,
  start: () => Promise<R>,
): Promise<R> {
  const known = await deps.system.find(COLLECTION, kind.name, kind.parse)
  if (known !== undefined) return known.value
  const ring = await start()
  const write = deps.system.create(COLLECTION, kind.name, kind.fields(ring))
  const { name } = kind
  const { generation } = ring
  const facts = kind.facts(undefined, ring, nowMs)
  const outcome = await commitWithFacts(deps, { name, generation }, write, facts, nowMs)
  const fields = { ring: kind.name, versions: kind.versionsOf(ring) }
  if (outcome.kind === 'committed') {
    deps.log.info('key ring started', fields)
    return ring
  }
  deps.log.warn('key ring was started elsewhere; secret versions unused', fields)
  const theirs = await deps.system.find(COLLECTION, kind.name, kind.parse)
  if (theirs === undefined) throw new Error(`key ring ${kind.name} was made and is not there`)
  return theirs.value
}

/**
 * Replaces the ring by what `change` makes of it, unless it changed meanwhile.
 *
 * `change` answers undefined when nothing is to be done. Throws when another process was faster: the
 * next delivery finds its work done.
 */
export async function changeRing<R extends { readonly generation: number }>(
  deps: RingDocumentDeps,
  kind: RingKind<R>,
  nowMs: number,
  change: (ring: R) => Promise<R | undefined>,
): Promise<R | undefined> {
  const known = await deps.system.find(COLLECTION, kind.name, kind.parse)
  if (known === undefined) throw new Error(`key ring ${kind.name} is not there`)
  const changed = await change(known.value)
  if (changed === undefined) return undefined
  if (changed.generation !== known.value.generation + 1)
    throw new TypeError('a ring changes by one generation')
  const write = deps.system.update(COLLECTION, known, kind.fields(changed))
  const facts = kind.facts(known.value, changed, nowMs)
  const { name } = kind
  const { generation } = changed
  const outcome = await commitWithFacts(deps, { name, generation }, write, facts, nowMs)
  if (outcome.kind === 'committed') return changed
  const unused = kind.versionsOf(changed).filter((version) => !kind.versionsOf(known.value).includes(version))
  deps.log.warn('key ring was changed elsewhere; secret versions unused', {
    ring: kind.name,
    versions: unused,
  })
  throw new Error(`key ring ${kind.name} changed while it was being changed`)
}

async function commitWithFacts(
  { system, outbox, ids }: RingDocumentDeps,
  ring: { readonly name: string; readonly generation: number },
  write: Write<SystemScope>,
  facts: readonly CloudEvent[],
  nowMs: number,
): Promise<CommitOutcome> {
  const rows = facts.map((event, at) => outboxRow({ topic: 'auth-facts', event }, PLATFORM_TENANT, at, nowMs))
  const rowWrites = rows.map((row) => system.create('auth_outbox', row.id, outboxFields(row)))
  const commitId = ids.uuid(nowMs)
  const notice = keyringNotice(ring.name, ring.generation, { noticeId: commitId, nowMs })
  const outcome = await system.commit([write, ...rowWrites, notice], commitId)
  if (outcome.kind === 'committed') await outbox.dispatch(rows)
  return outcome
}
