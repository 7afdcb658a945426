import type { Claim } from '#shared/firestore/claim.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { Command, CommandOrigin } from '../domain/command.ts'
import type { TenantView } from '../domain/views.ts'
import type { LifecycleDeps } from '../ports.ts'

export type CommandRequest = {
  readonly ctx: TenantContext
  readonly command: Command
  readonly origin: CommandOrigin
  /** From `Idempotency-Key`, or of the event. */
  readonly claim: Claim | undefined
  readonly nowMs: number
  readonly trace: Trace
  /** Whether the caller has seen the tenant as it is (`If-Match`). */
  readonly hasSeen?: (revision: number) => Result<void>
}

/** `operationId` is null for what needs none: a legal hold, and the first approval of a purge. */
export type Ordered = { readonly operationId: string | null; readonly tenant: TenantView }

/**
 * Takes a command: what it changes, its operation, the audit, the facts and the first continuation are one
 * commit. A command that has been carried out already is answered like the one that did it.
 */
export async function requestCommand(
  _deps: Pick<LifecycleDeps, 'store' | 'ids'>,
  _request: CommandRequest,
): Promise<Result<Ordered>> {
  throw new Error('not yet')
}
