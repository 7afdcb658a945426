import type { Tier } from '#shared/catalogue/tiers.ts'
import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import { authErased } from '#shared/contracts/events/auth-erased.ts'
import { billingErased } from '#shared/contracts/events/billing-erased.ts'
import { chargeRefused } from '#shared/contracts/events/charge-refused.ts'
import { charged } from '#shared/contracts/events/charged.ts'
import { EXPORT_REQUESTED, EXPORTED } from '#shared/contracts/events/export-requested.ts'
import { slotsDrained } from '#shared/contracts/events/slots-drained.ts'
import { subscriptionReady } from '#shared/contracts/events/subscription-ready.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import type { TopicName } from '#shared/contracts/topics.ts'
import { sha256Hex, type TenantId } from '#shared/ids.ts'
import { asRecord } from '#shared/json.ts'
import type { Message } from '../messages.ts'

/** When the period that runs at the beginning of every story ends. */
export const PERIOD_END_MS = Date.parse('2026-12-01T00:00:00Z')

/** What a tenant pays for: changed by operations, and taken back by the name of the operation. */
type Charge = { readonly operationId: string; readonly tier: Tier; readonly effective: string }
type Account = {
  holders: string[]
  charges: Charge[]
  /** For which operation no workflow may begin, and the tenant's last fact before that was asked for. */
  freeze: { readonly operationId: string; readonly after: bigint } | null
  /** Operations that are over, and the newest fact after which the tenant worked again. */
  over: string[]
  endedBy: bigint
}

/**
 * Auth and billing, as far as lifecycle hears of them: they answer each operation once, a copy of a
 * command with the same fact, and a command that a cancellation overtook not at all.
 */
export type Others = {
  readonly accounts: Map<string, Account>
  /** What was said to each operation's request, and the facts that ended one. */
  readonly answers: Map<string, Message | 'cancelled'>
  /** Tenants whose documents auth or billing still have. */
  readonly keeps: Map<string, Set<'auth' | 'billing'>>
  /** What billing refuses, by kind. */
  readonly refuses: { subscription?: string; charge?: string }
}

export function newOthers(): Others {
  return { accounts: new Map(), answers: new Map(), keeps: new Map(), refuses: {} }
}

/**
 * What they say to a command or a fact of lifecycle, given at `nowMs`. Of a tenant whose tombstone stands
 * they hear nothing but that it is gone, and let go of what a latecomer made.
 */
export function hear(
  others: Others,
  { topic, event }: Message,
  {
    nowMs,
    isGone,
    put,
  }: {
    readonly nowMs: number
    readonly isGone: boolean
    /** Into the bucket that is everybody's. */
    readonly put: (name: string, bytes: Uint8Array) => void
  },
): readonly Message[] {
  if (isGone) {
    if (topic === 'tenant-facts') forget(others, String(event.tenantid))
    return []
  }
  const data = asRecord(event.data) ?? {}
  const operationId = String(data['operationId'])
  const tenantId = event.tenantid as TenantId
  if (topic === 'tenant-facts') return hearFact(others, event, { tenantId, operationId, nowMs })
  const about = { tenantId, operationId, nowMs }
  const exporting = (['auth', 'billing'] as const).find((one) => event.type === EXPORT_REQUESTED[one].type)
  if (exporting !== undefined) {
    return answer(others, `${operationId} ${exporting}-exported`, () => exported(exporting, about, put))
  }
  const name = event.type.replace(/^ai\.energent\.billing\.(.*)\.v1$/, '$1')
  switch (name) {
    case 'subscription-requested':
      return answer(others, `${operationId} subscription`, () =>
        subscribe(others, about, data['tier'] as Tier),
      )
    case 'subscription-cancel-requested':
      others.answers.set(`${operationId} subscription`, 'cancelled')
      cancel(others, about)
      return []
    case 'tier-charge-requested':
      return answer(others, `${operationId} charge`, () => charge(others, about, data))
    case 'slots-freeze-requested':
      return answer(others, `${operationId} slots`, () => {
        freezeSlots(others.accounts.get(tenantId), operationId, BigInt(String(data['sequence'] ?? '0')))
        return say('billing-facts', slotsDrained.type, `slots-drained.${operationId}`, about, {
          at: new Date(nowMs).toISOString(),
        })
      })
    default:
      throw new TypeError(`nobody hears ${event.type}`)
  }
}

/** A part of one file, and the list of it. */
function exported(
  group: 'auth' | 'billing',
  about: About,
  put: (name: string, bytes: Uint8Array) => void,
): Message {
  const prefix = `exports/${about.tenantId}/${about.operationId}/${group}/`
  const part = Buffer.from(`{"kept by":"${group}"}\n`, 'utf8')
  const object = `${prefix}things-00001.ndjson`
  const member = {
    path: `${group}/things-00001.ndjson`,
    object,
    sha256: sha256Hex(part),
    bytes: part.length,
    rows: 1,
  }
  const list = Buffer.from(JSON.stringify({ members: [member] }), 'utf8')
  const manifest = `${prefix}manifest.json`
  put(object, part)
  put(manifest, list)
  return say(`${group}-facts`, EXPORTED[group].type, `exported.${group}.${about.operationId}`, about, {
    ...{ manifest, sha256: sha256Hex(list), members: 1, bytes: part.length },
    at: new Date(about.nowMs).toISOString(),
  })
}

function forget(others: Others, tenantId: string): void {
  others.keeps.delete(tenantId)
  others.accounts.delete(tenantId)
}

type About = { readonly tenantId: TenantId; readonly operationId: string; readonly nowMs: number }

function answer(others: Others, key: string, first: () => Message): readonly Message[] {
  const before = others.answers.get(key)
  if (before === 'cancelled') return []
  if (before !== undefined) return [before]
  const said = first()
  others.answers.set(key, said)
  return [said]
}

function subscribe(others: Others, about: About, tier: Tier): Message {
  const { tenantId, operationId } = about
  const refused = others.refuses.subscription
  if (refused !== undefined) return refusal(about, refused)
  const account = others.accounts.get(tenantId) ?? {
    ...{ holders: [], charges: [], freeze: null, over: [], endedBy: 0n },
  }
  if (account.holders.length > 0 && tierOf(account) !== tier) return refusal(about, 'plan.tier_mismatch')
  if (account.holders.length === 0) account.charges = [{ operationId, tier, effective: 'now' }]
  account.holders.push(operationId)
  others.accounts.set(tenantId, account)
  others.keeps.set(tenantId, new Set(['auth', 'billing']))
  return say('billing-facts', subscriptionReady.type, `subscription-ready.${operationId}.1`, about, {
    subscriptionId: `sub_${tenantId}`,
    planId: `example-${tier}`,
  })
}

function cancel(others: Others, { tenantId, operationId }: About): void {
  const account = others.accounts.get(tenantId)
  if (account === undefined) return
  account.holders = account.holders.filter((holder) => holder !== operationId)
  if (account.holders.length === 0) others.accounts.delete(tenantId)
}

function charge(others: Others, about: About, data: Readonly<Record<string, unknown>>): Message {
  const { tenantId, operationId, nowMs } = about
  const account = others.accounts.get(tenantId)
  const refused = others.refuses.charge ?? (account === undefined ? 'resource.not_found' : undefined)
  if (refused !== undefined || account === undefined) return refusal(about, refused ?? 'resource.not_found')
  const tier = data['tier'] as Tier
  const effective = String(data['effective'] ?? 'now')
  account.charges.push({ operationId, tier, effective })
  const atMs = effective === 'now' ? nowMs : Math.max(nowMs, PERIOD_END_MS)
  return say('billing-facts', charged.type, `charged.${operationId}`, about, {
    subscriptionId: `sub_${tenantId}`,
    planId: `example-${tier}`,
    planVersion: 1,
    tier,
    effectiveAt: new Date(atMs).toISOString(),
    charge: { amount: '1.00', minor: 100, currency: 'USD' },
  })
}

/** As billing does: a freeze of an operation that is over, or from before the tenant worked again, is none. */
function freezeSlots(account: Account | undefined, operationId: string, after: bigint): void {
  if (account === undefined || account.over.includes(operationId) || account.endedBy > after) return
  account.freeze = { operationId, after }
}

/** Facts that end an operation for which slots may be frozen; the first two take its charge back. */
const ENDS = ['tier-change-blocked', 'tier-change-failed', 'tier-changed']
const WORKS_AGAIN = ['resumed', 'offboarding-cancelled']

function hearFact(others: Others, event: CloudEvent, about: About): readonly Message[] {
  const kind = event.type.replace(/^ai\.energent\.tenant\.(.*)\.v1$/, '$1')
  const { tenantId, operationId } = about
  const account = others.accounts.get(tenantId)
  const end = ENDS.indexOf(kind)
  if (end !== -1 && account !== undefined) {
    if (end < 2) {
      others.answers.set(`${operationId} charge`, 'cancelled')
      account.charges = account.charges.filter((made) => made.operationId !== operationId)
    }
    account.over.push(operationId)
    if (account.freeze?.operationId === operationId) account.freeze = null
  }
  const sequence = BigInt(event.sequence ?? '0')
  const isActive = asRecord(event.data)?.['state'] === 'ACTIVE'
  if (WORKS_AGAIN.includes(kind) && isActive && account !== undefined && sequence > account.endedBy) {
    if (account.freeze !== null && account.freeze.after < sequence) account.freeze = null
    account.endedBy = sequence
  }
  if (kind !== 'purge-started') return []
  const at = new Date(about.nowMs).toISOString()
  const erased = (by: 'auth' | 'billing', type: string, more: object): readonly Message[] =>
    answer(others, `${operationId} ${by}-erased`, () => {
      others.keeps.get(tenantId)?.delete(by)
      if (by === 'billing') others.accounts.delete(tenantId)
      return say(`${by}-facts`, type, `erased.${by}.${operationId}`, about, {
        counts: { things: 3 },
        at,
        ...more,
      })
    })
  return [...erased('auth', authErased.type, {}), ...erased('billing', billingErased.type, { archived: 1 })]
}

/** The tier that is paid for once every change that waits for its day has had it. */
export function tierOf(account: Account): Tier | undefined {
  return account.charges.at(-1)?.tier
}

function refusal(about: About, reason: string): Message {
  return say('billing-facts', chargeRefused.type, `charge-refused.${about.operationId}`, about, { reason })
}

function say(topic: TopicName, type: string, id: string, about: About, data: object): Message {
  const { tenantId, operationId, nowMs } = about
  const source = topic === 'auth-facts' ? '//energent.ai/auth' : '//energent.ai/billing'
  return {
    topic,
    event: newEvent({ id, source, type, tenantId, nowMs, data: { tenantId, operationId, ...data } }),
  }
}
