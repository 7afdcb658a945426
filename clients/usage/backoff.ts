/**
 * How long to wait before the next attempt: full jitter below a bound that doubles, and never less than
 * what the service asked for, which is spread over a tenth more so that not all come back at once.
 */
export function retryDelayMs(
  attempt: number,
  bounds: { readonly firstMs: number; readonly mostMs: number },
  random: () => number,
  askedMs = 0,
): number {
  const boundMs = Math.min(bounds.mostMs, bounds.firstMs * 2 ** Math.min(attempt - 1, 30))
  const jitterMs = random() * boundMs
  return Math.ceil(askedMs <= 0 ? jitterMs : Math.max(jitterMs, askedMs * (1 + random() / 10)))
}

/** `Retry-After` in milliseconds: seconds or a date (RFC 9110 §10.2.3); undefined for anything else. */
export function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1_000
  const atMs = Date.parse(value)
  return Number.isFinite(atMs) ? Math.max(0, atMs - nowMs) : undefined
}
