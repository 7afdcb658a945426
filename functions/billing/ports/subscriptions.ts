import type { CloudEvent } from '#shared/contracts/cloud-event.ts'
import type { Claim } from '#shared/firestore/claim.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { OperationAnswer, Subscription } from '../domain/subscription.ts'
import type { GrantBook } from './contracts.ts'

export type SubscriptionChange = {
  readonly subscription?: Subscription
  readonly answer: OperationAnswer
  /** A fact to publish with the change. */
  readonly fact?: CloudEvent
  readonly audit?: string
}

/** A change that no operation asked for; without `subscription` all stays as it is. */
export type Amendment = { readonly subscription?: Subscription; readonly audit?: string }

export type Subscriptions = {
  find(ctx: TenantContext): Promise<Subscription | undefined>
  findAnswer(ctx: TenantContext, operationId: string): Promise<OperationAnswer | undefined>
  /**
   * Decides on the subscription as it stands and commits the change, the operation's answer, the
   * claim and the fact together. `decide` may run again; undefined means there is nothing to do.
   */
  change(
    ctx: TenantContext,
    claim: Claim | undefined,
    operationId: string,
    decide: (
      current: Subscription | undefined,
      answer: OperationAnswer | undefined,
    ) => SubscriptionChange | undefined,
  ): Promise<Result<unknown>>
  /** The same, where the decision rests on the tenant's credit too. */
  changeOnCredit(
    ctx: TenantContext,
    claim: Claim | undefined,
    operationId: string,
    decide: (
      current: Subscription | undefined,
      answer: OperationAnswer | undefined,
      credit: GrantBook,
    ) => SubscriptionChange | undefined,
  ): Promise<Result<unknown>>
  /** Changes what there is, for a caller of the API; refuses as `decide` does. */
  amend(
    ctx: TenantContext,
    claim: Claim | undefined,
    decide: (current: Subscription | undefined) => Result<Amendment>,
  ): Promise<Result<Subscription>>
  /** Publishes a fact again, byte for byte; rejects when it may not have left. */
  publishAgain(ctx: TenantContext, fact: string): Promise<void>
}
