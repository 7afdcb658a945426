import { AUDIT_DAYS } from '#shared/catalogue/tiers.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import type { TenantHandler } from '#shared/http/types.ts'
import { ok, refuse } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { formatPosition, parsePosition } from '../domain/audit-position.ts'
import { type AuditEvent, type AuditPage, listAuditEvents } from '../operations/list-audit-events.ts'
import { authPages } from './pages.ts'

const DAY_MS = 24 * 3_600_000

/** `GET /v1/tenants/{tenantId}/audit-events`: as far back as the caller's tier looks. */
export function auditHandlers(deps: AuthDeps): Pick<HandlersOf<'auth'>, 'listAuditEvents'> {
  return { listAuditEvents: handler(deps) }
}

function handler(deps: AuthDeps): TenantHandler {
  const pages = authPages(deps.platform)
  return async (request) => {
    const page = pages.read(request)
    if (!page.ok) return page
    const { pageSize: limit, after: text } = page.value
    const after = text === undefined ? undefined : parsePosition(text)
    if (text !== undefined && after === undefined) {
      return refuse('request.malformed', 'pageToken', 'pageToken: not one that this list gave out')
    }
    const { ctx, nowMs, token } = request
    const sinceMs = nowMs - AUDIT_DAYS[token.claims.tier] * DAY_MS
    const found = await listAuditEvents(deps, { ctx, after, limit, sinceMs })
    if (!found.ok) return found
    const { events, next, head } = found.value
    const position = next === undefined ? undefined : formatPosition(next)
    return ok({
      status: 200,
      headers: { 'cache-control': 'no-store' },
      json: { items: events.map(viewOf), nextPageToken: pages.next(request, position), head: headOf(head) },
    })
  }
}

function viewOf({ entry, segment, index, link }: AuditEvent) {
  const { at, actor, action, target, outcome } = entry
  return {
    id: `${segment.id}-${index}`,
    ...{ at, actor, action, target },
    ...(outcome === undefined ? {} : { outcome }),
    chain: {
      segmentId: segment.id,
      segmentRoot: segment.root,
      index,
      // Null until it is sealed, within minutes.
      link: link === undefined ? null : { seq: link.seq, hash: link.hash, prev: link.prev, root: link.root },
    },
  }
}

function headOf(head: AuditPage['head']) {
  if (head === undefined) return null
  const { end, signature } = head
  const sealedAt = new Date(end.sealedAtMs).toISOString()
  return { seq: end.seq, hash: end.hash, segments: end.segments, sealedAt, signature }
}
