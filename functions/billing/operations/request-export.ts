import type { Claim } from '#shared/firestore/claim.ts'
import { hashedId } from '#shared/ids.ts'
import { parseJson } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Trace } from '#shared/trace.ts'
import { type Export, exportJson, parseWantedExport, type WantedExport } from '../domain/export/export.ts'
import type { BillingDeps } from '../ports.ts'

type Deps = Pick<BillingDeps, 'exports' | 'objects'>

/** Reads what is asked for; refuses it where there is no bucket to write to. */
export function parseExportRequest(deps: Deps, body: Uint8Array, nowMs: number): Result<WantedExport> {
  const json = parseJson(body)
  if (!json.ok) return json
  const wanted = parseWantedExport(json.value, nowMs)
  if (!wanted.ok) return wanted
  const hint = 'No bucket for exports is set up.'
  return deps.objects === undefined ? refuse('export.invalid', 'no bucket', hint) : wanted
}

/** Keeps a job and asks for its work; what is exported is what is there when it is done. */
export async function requestExport(
  deps: Deps,
  request: {
    readonly ctx: TenantContext
    readonly wanted: WantedExport
    readonly claim: Claim | undefined
    readonly requestId: string
    readonly nowMs: number
    readonly trace: Trace
  },
): Promise<Result<Record<string, unknown>>> {
  const { ctx, wanted, claim, requestId, nowMs, trace } = request
  const job: Export = {
    ...wanted,
    exportId: hashedId('export', ctx.tenantId, requestId, String(nowMs)),
    status: 'pending',
    requestedAtMs: nowMs,
    parts: [],
    cursor: undefined,
    totals: {},
    manifest: undefined,
  }
  const kept = await deps.exports.request(ctx, claim, job, trace)
  return kept.ok ? getExport(deps, ctx, kept.value) : kept
}

/** A job as it stands. */
export async function getExport(
  deps: Deps,
  ctx: TenantContext,
  exportId: string,
): Promise<Result<Record<string, unknown>>> {
  const job = /^h[\w-]{43}$/.test(exportId) ? await deps.exports.find(ctx, exportId) : undefined
  if (job === undefined) return refuse('resource.not_found', 'no such export')
  return ok(exportJson(deps.objects?.bucket ?? '', ctx.tenantId, job))
}
