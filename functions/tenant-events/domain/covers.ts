/**
 * Whether a live object says everything that was asked for: members of objects may be more, values
 * and lists must be equal member by member. What the server adds on its own does not count.
 *
 * Quantities are compared as text, so what is asked for must be spelled canonically.
 */
export function covers(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(live) &&
      live.length === wanted.length &&
      wanted.every((item, at) => covers(live[at], item))
    )
  }
  if (typeof wanted !== 'object' || wanted === null) return live === wanted
  if (typeof live !== 'object' || live === null || Array.isArray(live)) return false
  return Object.entries(wanted).every(
    ([key, value]) => Object.hasOwn(live, key) && covers((live as Record<string, unknown>)[key], value),
  )
}
