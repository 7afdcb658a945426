import type { Tier } from '#shared/catalogue/tiers.ts'
import type { SuspensionMode, SuspensionReason } from './tenant.ts'

/** Everything that can be asked of a tenant that exists. Creating one is `acceptTenant`. */
export type Command =
  | {
      readonly name: 'tier-change'
      readonly toTier: Tier
      readonly effective: 'now' | 'period_end'
      readonly expectedRevision?: number | undefined
    }
  | { readonly name: 'suspend'; readonly mode: SuspensionMode; readonly reason: SuspensionReason }
  | { readonly name: 'resume'; readonly reason?: string | undefined }
  | { readonly name: 'offboard'; readonly graceDays: number; readonly export: boolean }
  | { readonly name: 'offboard-cancel' }
  | { readonly name: 'export'; readonly scope: ExportScope }
  /** One person's approval; the second one's starts the purge. */
  | { readonly name: 'purge'; readonly approver: string; readonly reason: string }
  | { readonly name: 'retry'; readonly operationId: string }
  | { readonly name: 'reconcile'; readonly scope?: string | undefined }
  | { readonly name: 'legal-hold'; readonly on: boolean; readonly reference: string }

export type CommandName = Command['name']

export const EXPORT_SCOPES = ['all', 'config', 'files'] as const
export type ExportScope = (typeof EXPORT_SCOPES)[number]

/** Who commands. Only billing commands by event, and numbers what it says. */
export type CommandOrigin =
  | { readonly by: 'operator' }
  | { readonly by: 'billing'; readonly commandSeq: bigint }
