import { z } from 'zod'
import { defineEvent, type EventContract } from '../define-event.ts'
import { operationIdSchema } from '../operation-id.ts'

/** The groups that write a part of their own to a tenant's export. */
export const EXPORTING_GROUPS = ['auth', 'billing'] as const
export type ExportingGroup = (typeof EXPORTING_GROUPS)[number]

/** Command: write what you keep of the tenant to the bucket, in parts, and say where they lie. */
export type ExportRequested = { tenantId: string; operationId: string }

/** Fact: the parts are written, and listed in a manifest of the group's own. */
export type Exported = {
  tenantId: string
  operationId: string
  /** Name of the object that lists the parts with their digests; its own digest. */
  manifest: string
  sha256: string
  members: number
  bytes: number
  at: string
}

const OPERATION = 'op_01JD8K2M5QV7N9X3C6R8W1Y4ZA'

export const EXPORT_REQUESTED: Readonly<Record<ExportingGroup, EventContract<ExportRequested>>> = {
  auth: requestedOf('auth'),
  billing: requestedOf('billing'),
}

export const EXPORTED: Readonly<Record<ExportingGroup, EventContract<Exported>>> = {
  auth: exportedOf('auth'),
  billing: exportedOf('billing'),
}

function requestedOf(group: ExportingGroup): EventContract<ExportRequested> {
  return defineEvent<ExportRequested>(
    `ai.energent.${group}.export-requested.v1`,
    z.object({ tenantId: z.string(), operationId: operationIdSchema }),
    { tenantId: 'acme', operationId: OPERATION },
  )
}

function exportedOf(group: ExportingGroup): EventContract<Exported> {
  return defineEvent<Exported>(
    `ai.energent.${group}.exported.v1`,
    z.object({
      tenantId: z.string(),
      operationId: operationIdSchema,
      manifest: z.string().min(1).max(500),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      members: z.number().int().nonnegative(),
      bytes: z.number().int().nonnegative(),
      at: z.iso.datetime(),
    }),
    {
      tenantId: 'acme',
      operationId: OPERATION,
      manifest: `exports/acme/${OPERATION}/${group}/manifest-0123456789abcdef.json`,
      sha256: 'ab'.repeat(32),
      members: 12,
      bytes: 812_000,
      at: '2026-11-23T09:00:00.000Z',
    },
  )
}
