import type { Claim } from '#shared/firestore/claim.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import type { Export } from '../domain/export/export.ts'

/** Exports that were asked for, and how far they came. */
export type Exports = {
  /** Keeps the job and asks for its first unit of work, in one commit; a repeated request gets its job. */
  request(ctx: TenantContext, claim: Claim | undefined, job: Export, trace: Trace): Promise<Result<string>>
  find(ctx: TenantContext, exportId: string): Promise<Export | undefined>
  /**
   * Keeps how far it came. False when somebody else got further since `before`. With `next`, the rest is
   * another unit's.
   */
  advance(
    ctx: TenantContext,
    before: Export,
    after: Export,
    next?: { nowMs: number; trace: Trace },
  ): Promise<boolean>
}

/** Where exports lie. */
export type ObjectStore = {
  readonly bucket: string
  /** Writes an object that is never changed: one of this name is left as it is. */
  put(name: string, bytes: Uint8Array, contentType: string): Promise<void>
}

export type ExportDeps = {
  readonly exports: Exports
  /** Undefined where there is no bucket. */
  readonly objects: ObjectStore | undefined
}
