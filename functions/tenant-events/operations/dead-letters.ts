import type { TopicName } from '#shared/contracts/topics.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import {
  type DeadLetterDesk,
  type DeadLetterId,
  formatDeadLetterId,
  parseDeadLetterId,
} from '#shared/pubsub/dead-letter-desk.ts'
import { type DeadLetter, payloadOf } from '#shared/pubsub/dead-letters.ts'
import { type RedriveDeps, settleLetter, type Verdict } from '#shared/pubsub/redrive.ts'
import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'

export type DeadLetterDeps = RedriveDeps & { readonly deadLetters: DeadLetterDesk }

/** A dead letter in a list: what it claims to be, and who gave up on it. */
export type DeadLetterView = {
  readonly id: string
  readonly topic: string
  readonly messageId: string
  /** What its attributes say; nobody has checked it. */
  readonly type: string | null
  readonly tenantId: string | null
  readonly publishedAt: string
  readonly subscription: string | null
  readonly deliveries: number | null
  readonly bytes: number
}

/** With its attributes and bytes, which may hold personal data. */
export type DeadLetterDetail = DeadLetterView & {
  readonly attributes: Readonly<Record<string, string>>
  readonly orderingKey: string
} & ReturnType<typeof payloadOf>

export type DeadLetterPage = {
  readonly items: readonly DeadLetterView[]
  readonly next: string | undefined
  /** False when there are more than one request looks at: those come into sight as others are settled. */
  readonly complete: boolean
}

/** One page of a topic's dead letters, the oldest first. Nothing is taken. */
export async function listDeadLetters(
  deps: Pick<DeadLetterDeps, 'deadLetters'>,
  asked: {
    readonly topic: TopicName
    readonly pageSize: number
    readonly after: string | undefined
    readonly signal: AbortSignal
  },
): Promise<DeadLetterPage> {
  const { after, pageSize, topic } = asked
  const { letters, complete } = await deps.deadLetters.list(topic, asked.signal)
  const behind = letters.filter((letter) => after === undefined || positionOf(letter) > after)
  const page = behind.slice(0, pageSize)
  const last = behind.length > pageSize ? page.at(-1) : undefined
  return {
    items: page.map((letter) => viewOf(topic, letter)),
    next: last && positionOf(last),
    complete,
  }
}

/** One dead letter with all that is known of it; it stays where it is. */
export async function readDeadLetter(
  deps: Pick<DeadLetterDeps, 'deadLetters'>,
  id: string | undefined,
  signal: AbortSignal,
): Promise<Result<DeadLetterDetail>> {
  const known = parseDeadLetterId(id)
  if (known === undefined) return NO_ID
  let shown: DeadLetterDetail | undefined
  await deps.deadLetters.take(known, signal, async (letter) => {
    const { attributes, data, orderingKey } = letter
    shown = { ...viewOf(known.topic, letter), attributes, orderingKey, ...payloadOf(data) }
    return 'back'
  })
  return shown === undefined ? notFound(known) : ok(shown)
}

export type SettleDeadLetter = {
  /** Of whoever decides: their name stands in the operators' own audit, since no letter proves whose it is. */
  readonly ctx: TenantContext
  readonly id: string | undefined
  readonly verdict: Verdict
  /** From `Idempotency-Key`, if the caller sent one. */
  readonly claim: Claim | undefined
  readonly signal: AbortSignal
}

export type SettledDeadLetter = { readonly id: string; readonly topic: string; readonly verdict: Verdict }

/**
 * Sends a dead letter to its topic again, or gives it up.
 *
 * Audited, then published, then acknowledged: cut off anywhere, the letter is still there, and a copy has
 * no effect, since the event keeps its id. With a key the same request again finishes what was cut off
 * and gets the first answer; of two people who settle one letter at once, one is told that it is not there.
 */
export async function settleDeadLetter(
  deps: DeadLetterDeps,
  request: SettleDeadLetter,
): Promise<Result<SettledDeadLetter>> {
  const { claim, ctx, signal, verdict } = request
  const known = parseDeadLetterId(request.id)
  if (known === undefined) return NO_ID
  const answer: SettledDeadLetter = { id: formatDeadLetterId(known), topic: known.topic, verdict }
  const repeated = claim === undefined ? ok(false) : await isRepeated(deps, ctx, claim)
  if (!repeated.ok) return repeated
  let refused: Refusal | undefined
  const found = await deps.deadLetters.take(known, signal, async (letter, box) => {
    const about = { topic: known.topic, ctx, claim, answer }
    const settled = await settleLetter({ ...deps, box }, letter, verdict, about)
    if (settled.ok) return 'gone'
    refused = settled
    return 'back'
  })
  if (refused !== undefined) return refused
  return found || repeated.value ? ok(answer) : notFound(known)
}

/** Whether the same request was taken before; another one under its key is refused. */
async function isRepeated(
  { tenants }: Pick<DeadLetterDeps, 'tenants'>,
  ctx: TenantContext,
  claim: Claim,
): Promise<Result<boolean>> {
  const seen = await tenants.optimistic(ctx, claim, async () => refuse('resource.not_found', 'a new key'))
  if (seen.ok) return ok(true)
  return seen.code === 'resource.not_found' ? ok(false) : seen
}

const NO_ID = refuse('dead_letter.not_found', 'not the id of a dead letter')

function notFound({ topic, messageId }: DeadLetterId): Refusal {
  return refuse('dead_letter.not_found', `${topic}: no dead letter ${messageId} to be had`)
}

function viewOf(topic: TopicName, letter: DeadLetter): DeadLetterView {
  const { attributes, data, deliveries, messageId, publishedAtMs, subscription } = letter
  return {
    id: formatDeadLetterId({ topic, messageId }),
    ...{ topic, messageId },
    type: attributes['type'] ?? null,
    tenantId: attributes['tenantid'] ?? null,
    publishedAt: new Date(publishedAtMs).toISOString(),
    subscription: subscription ?? null,
    deliveries: deliveries ?? null,
    bytes: data.length,
  }
}

/** Sorts as the list does. */
function positionOf({ messageId, publishedAtMs }: DeadLetter): string {
  return `${String(publishedAtMs).padStart(15, '0')}.${messageId}`
}
