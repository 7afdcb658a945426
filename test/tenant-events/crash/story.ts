import { type Claim, requestClaim } from '#shared/firestore/claim.ts'
import type { Result } from '#shared/result.ts'
import type { Operation } from '../../../functions/tenant-events/domain/operation.ts'
import type { Tenant, TenantRequestBody } from '../../../functions/tenant-events/domain/tenant.ts'
import type { LifecycleDeps } from '../../../functions/tenant-events/ports.ts'
import type { Others } from './others.ts'
import type { Ground } from './world.ts'

/** Where a tenant and its operation were when a command was accepted. */
export type Point = string

/** One thing somebody asks for, until there is an answer. */
export type Ask = {
  readonly name: string
  /** When: once nothing is under way any more, or while what came before is. */
  readonly when: 'quiet' | 'meanwhile'
  readonly send: (deps: LifecycleDeps, claim: Claim) => Promise<Result<unknown>>
}

/** How a story begins: told once, in peace. */
export type Beginning = {
  readonly asks: readonly Ask[]
  readonly setting?: (ground: Ground) => void
}

/** A tenant's life, as those who ask for it see it. */
export type Story = {
  readonly name: string
  readonly begins?: Beginning
  readonly asks: readonly Ask[]
  readonly refuses?: Others['refuses']
  /** What is different in this world, beside how it begins. */
  readonly setting?: (ground: Ground) => void
  /** What a calm run must come to, so that a story that goes nowhere is noticed. */
  readonly ends: string
}

/** How a tenant stands at a moment; two runs that were asked at equal points come to the same. */
export function pointOf(tenant: Tenant | undefined, operation: Operation | undefined): Point {
  if (tenant === undefined) return '-'
  const { op, queue, state } = tenant
  const waiting = queue.map(({ kind }) => kind).join('+')
  const running = op === null ? '' : `${op.kind}/${op.step}/${operation?.status ?? '?'}`
  return `${state} ${running} ${waiting}`.trim()
}

export type { TenantRequestBody }

/** The claim of the `at`-th ask: whoever asks again is recognised. */
export function claimOfAsk(at: number, told: 'story' | 'beginning' = 'story'): Claim {
  return requestClaim('operator', `${told} ${at}`, 'key', `ask ${at}`)
}
