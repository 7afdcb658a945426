import type { LoginFailed } from '#shared/contracts/events/login-failed.ts'
import type { TenantId } from '#shared/ids.ts'

/** One attempt that failed. `reason` is a word of ours, never what the caller sent. */
export type FailedLogin = {
  readonly tenantId: TenantId
  readonly credential: LoginFailed['credential']
  readonly id: string
  readonly reason: string
}

/** The failed attempts of one minute, added up. */
export type FailedLogins = {
  readonly minute: number
  readonly byCredential: ReadonlyMap<string, FailedLogin & { readonly reasons: ReadonlyMap<string, number> }>
}

const MINUTE_MS = 60_000
/** More credentials than that in a minute are a flood: the log has them, the fact would only add to it. */
const MOST_CREDENTIALS = 200

/** Which minute an instant belongs to. */
export function minuteOf(nowMs: number): number {
  return Math.floor(nowMs / MINUTE_MS)
}

/** The sums with one attempt more. */
export function withFailure(sums: FailedLogins, failed: FailedLogin): FailedLogins {
  const key = `${failed.tenantId} ${failed.credential} ${failed.id}`
  const known = sums.byCredential.get(key)
  if (known === undefined && sums.byCredential.size >= MOST_CREDENTIALS) return sums
  const reasons = new Map(known?.reasons)
  reasons.set(failed.reason, (reasons.get(failed.reason) ?? 0) + 1)
  return { ...sums, byCredential: new Map(sums.byCredential).set(key, { ...failed, reasons }) }
}

/** What is told of each credential. */
export function factsOf({
  minute,
  byCredential,
}: FailedLogins): readonly (LoginFailed & { tenantId: TenantId })[] {
  const from = new Date(minute * MINUTE_MS).toISOString()
  const to = new Date((minute + 1) * MINUTE_MS).toISOString()
  return [...byCredential.values()].map(({ tenantId, credential, id, reasons }) => ({
    tenantId,
    credential,
    id,
    count: [...reasons.values()].reduce((sum, count) => sum + count, 0),
    reasons: Object.fromEntries(reasons),
    from,
    to,
  }))
}
