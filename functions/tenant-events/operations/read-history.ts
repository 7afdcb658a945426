import { ok, type Result, refuse } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Audience } from '../domain/audience.ts'
import { isFor, type TimelineItem, timelineItem } from '../domain/timeline.ts'
import { type OperationView, operationView } from '../domain/views.ts'
import type { HistoryPage, TenantHistory } from '../ports/history.ts'
import type { SigningKey, StoredCertificate } from '../ports/purge.ts'
import type { LifecycleDeps } from '../ports.ts'

export type HistoryDeps = Pick<LifecycleDeps, 'store' | 'world'> & { readonly history: TenantHistory }

type Asked = {
  readonly ctx: TenantContext
  readonly audience: Audience
  readonly pageSize: number
  readonly after: string | undefined
}

/** A page of a tenant's operations, the newest first, each with its steps. */
export async function readOperations(
  deps: Pick<HistoryDeps, 'store' | 'history'>,
  { after, audience, ctx, pageSize }: Asked,
): Promise<Result<HistoryPage<OperationView>>> {
  if ((await deps.store.findTenant(ctx)) === undefined) return refuse('resource.not_found', 'no tenant')
  const { items, next } = await deps.history.operations(ctx, pageSize, after)
  return ok({ items: items.map((operation) => operationView(operation, audience)), next })
}

/**
 * A page of a tenant's timeline, the newest first: the facts that were told, and what was done. Operators
 * can read that of a purged tenant, too: its audit stays, and holds nothing but ids and hashes.
 */
export async function readTimeline(
  deps: HistoryDeps,
  { after, audience, ctx, pageSize }: Asked,
): Promise<Result<HistoryPage<TimelineItem>>> {
  const lives = (await deps.store.findTenant(ctx)) !== undefined
  const isKnown = lives || (audience === 'operator' && (await certificateOf(deps, ctx)) !== undefined)
  if (!isKnown) return refuse('resource.not_found', 'no tenant')
  const { items, next } = await deps.history.entries(ctx, pageSize, after)
  const shown = items.filter((entry) => isFor(entry, audience))
  return ok({ items: shown.map((entry) => timelineItem(entry, audience)), next })
}

/** A certificate as it is handed out; `certificate` is the very text that was signed. */
export type CertificateView = Omit<StoredCertificate, 'issuedAtMs'> & { readonly issuedAt: string }

/** The proof that a tenant was deleted; only of one that was purged is there any. */
export async function readCertificate(
  deps: Pick<HistoryDeps, 'world'>,
  ctx: TenantContext,
): Promise<Result<CertificateView>> {
  const found = await certificateOf(deps, ctx)
  if (found === undefined) return refuse('resource.not_found', 'no certificate')
  const { issuedAtMs, ...certificate } = found
  return ok({ ...certificate, issuedAt: new Date(issuedAtMs).toISOString() })
}

function certificateOf({ world }: Pick<HistoryDeps, 'world'>, { tenantId }: TenantContext) {
  return world.certificates.find(tenantId)
}

/** A key that certificates and archives are signed with, as JWK (RFC 7517). */
export type EvidenceKey = SigningKey['jwk'] & {
  readonly kid: string
  readonly alg: 'ES256'
  readonly use: 'sig'
}

/** All keys whose signatures are to be believed, the one that signs now first. */
export async function readEvidenceKeys({
  world,
}: Pick<HistoryDeps, 'world'>): Promise<readonly EvidenceKey[]> {
  const keys = await world.signer.keys()
  return keys.map(({ kid, jwk }) => ({ ...jwk, kid, alg: 'ES256', use: 'sig' }))
}
