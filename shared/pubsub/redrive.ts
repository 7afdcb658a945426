import { type Claim, requestClaim } from '../firestore/claim.ts'
import type { TenantFirestore } from '../firestore/tenant-store.ts'
import { sha256Hex } from '../ids.ts'
import { ok, type Result, refuse } from '../result.ts'
import type { TenantContext } from '../tenancy/context.ts'
import type { DeadLetter, DeadLetterBox } from './dead-letters.ts'
import type { OutgoingMessage, Publisher } from './publisher.ts'
import type { Entry, QuarantineDesk } from './quarantine-desk.ts'

export type RedriveDeps = {
  readonly tenants: Pick<TenantFirestore, 'optimistic'>
  readonly publisher: Publisher
}

/** What an operator does with a message that was set aside. */
export type Verdict = 'redriven' | 'discarded'

/**
 * Sends a quarantined message to its topic again, or gives it up.
 *
 * Audited before anything happens, published before it is marked: whatever is cut off in between is
 * done again by the next run, with one audit entry, and copies on the wire have one effect, since the
 * event keeps its id. What is not waiting, or belongs to billing's own waiting usage, is refused.
 */
export async function settleEntry(
  deps: RedriveDeps & { readonly desk: QuarantineDesk },
  entry: Entry,
  verdict: Verdict,
  by: { readonly ctx: TenantContext; readonly nowMs: number },
): Promise<Result<Entry>> {
  const settleable = checkEntry(entry, verdict)
  if (!settleable.ok) return settleable
  // Read first: bytes that are damaged must not leave an audit of something that never happened.
  const message = verdict === 'redriven' ? await deps.desk.messageOf(entry) : undefined
  const action = `quarantine.${verdict}`
  const target = `quarantine/${entry.id}`
  const audited = await auditOnce(deps, by.ctx, action, target, String(entry.times), entry.code)
  if (!audited.ok) return audited
  if (message !== undefined) await deps.publisher.publish(message)
  const closed = await deps.desk.close(entry.id, verdict, by.nowMs)
  return closed
    ? ok(entry)
    : refuse('tenant.state_conflict', 'closed by somebody else', 'It was settled by somebody else meanwhile.')
}

/** Whether an entry can be settled like that, and if not, in words for whoever asked. */
export function checkEntry(entry: Entry, verdict: Verdict): Result<Entry> {
  if (entry.status === 'awaiting-tenant') {
    const hint = 'Usage of a tenant that is not active yet: billing applies it by itself once it is.'
    return refuse('tenant.state_conflict', entry.status, hint)
  }
  if (entry.status !== 'waiting') {
    return refuse('tenant.state_conflict', entry.status, `It is ${entry.status} already.`)
  }
  if (verdict === 'redriven' && entry.evidenceOnly) {
    return refuse(
      'tenant.state_conflict',
      'evidence only',
      'Only that it came was kept; there is nothing to send.',
    )
  }
  return ok(entry)
}

/**
 * Sends a dead letter to its topic again, or gives it up. Published before it is acknowledged: a run that
 * is cut off leaves the letter where it was. With the caller's own claim, its repetition is answered
 * `answer`; the claim is taken with the audit, so that both are there before anything is sent.
 */
export async function settleLetter(
  deps: RedriveDeps & { readonly box: DeadLetterBox },
  letter: DeadLetter,
  verdict: Verdict,
  about: {
    readonly topic: string
    readonly ctx: TenantContext
    readonly claim?: Claim | undefined
    readonly answer?: unknown
  },
): Promise<Result<void>> {
  const target = `dead-letters/${about.topic}/${letter.messageId}`
  const { subscription: outcome } = letter
  const own = about.claim === undefined ? undefined : { claim: about.claim, answer: about.answer }
  const action = `dead-letter.${verdict}`
  const audited = await auditOnce(deps, about.ctx, action, target, sha256Hex(letter.data), outcome, own)
  if (!audited.ok) return audited
  if (verdict === 'redriven') await deps.publisher.publish(messageOf(letter, about.topic))
  await deps.box.acknowledge([letter])
  return ok(undefined)
}

function messageOf(letter: DeadLetter, topic: string): OutgoingMessage {
  const { attributes, data, orderingKey } = letter
  return { topic, data, attributes, ...(orderingKey === '' ? {} : { orderingKey }) }
}

/** One entry for one verdict on one message, however often the run is repeated. */
async function auditOnce(
  deps: RedriveDeps,
  ctx: TenantContext,
  action: string,
  target: string,
  occasion: string,
  outcome: string | undefined,
  own?: { readonly claim: Claim; readonly answer: unknown },
): Promise<Result<void>> {
  const claim = own?.claim ?? requestClaim(ctx.actor, action, `${target}#${occasion}`, occasion)
  const entry = { action, target, ...(outcome === undefined ? {} : { outcome }) }
  const written = await deps.tenants.optimistic(ctx, claim, async () =>
    ok({ value: own?.answer ?? action, writes: [], audit: [entry] }),
  )
  return written.ok ? ok(undefined) : written
}
