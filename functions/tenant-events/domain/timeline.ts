import type { Audience } from './audience.ts'

/** One thing that happened to a tenant, as its audit has it. */
export type AuditedEntry = {
  /** The segment of the audit and the place in it. */
  readonly id: string
  readonly at: string
  readonly actor: string
  readonly action: string
  readonly target: string
  readonly outcome: string | undefined
}

/** One line of a tenant's timeline. */
export type TimelineItem = {
  readonly id: string
  readonly at: string
  /** A fact was told to all who listen; an action was done to the tenant or in one of its operations. */
  readonly kind: 'fact' | 'action'
  /** The fact's kind, such as `suspended`, or the action, such as `step.done`. */
  readonly name: string
  readonly operationId: string | null
  readonly step: string | null
  /** Of a fact: the tenant's revision with it. */
  readonly revision: number | null
  readonly outcome: string | null
  readonly actor: string
}

const FACT = 'fact.'

/** What a tenant is not told before it comes to pass: that somebody wants it kept, or purged. */
const UNTOLD: readonly string[] = ['tenant.legal-hold', 'tenant.purge']

export function isFor({ action }: AuditedEntry, audience: Audience): boolean {
  return audience === 'operator' || !UNTOLD.includes(action)
}

/** An entry of the audit as a line of the timeline. Which operator it was is not for the tenant. */
export function timelineItem(entry: AuditedEntry, audience: Audience): TimelineItem {
  const { action, at, id, outcome, target } = entry
  const isFact = action.startsWith(FACT)
  const [, operationId = null, step = null] = /^operations\/([^/]+)(?:\/([^/]+))?$/.exec(target) ?? []
  const revision = /^facts\/(\d+)\.\d+$/.exec(target)?.[1]
  return {
    ...{ id, at, operationId, step },
    kind: isFact ? 'fact' : 'action',
    name: isFact ? action.slice(FACT.length) : action,
    revision: revision === undefined ? null : Number(revision),
    outcome: outcome ?? null,
    actor: actorFor(entry.actor, audience),
  }
}

function actorFor(actor: string, audience: Audience): string {
  if (audience === 'operator') return actor
  if (actor.startsWith('operator:')) return 'operator'
  return actor.startsWith('event:') ? 'system' : actor
}
