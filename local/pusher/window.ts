/** How many messages may be out at once. */
type PushWindow = {
  readonly size: number
  succeeded(): void
  failed(): void
}

/**
 * One more for each success, a quarter less for each failure, as push subscriptions feel their way: an
 * endpoint that is down meets a trickle, and one that recovers is soon at full speed again.
 */
export function createWindow(largest: number, start = Math.min(20, largest)): PushWindow {
  let size = start
  return {
    get size() {
      return Math.max(1, Math.floor(size))
    },
    succeeded: () => {
      size = Math.min(largest, size + 1)
    },
    failed: () => {
      size = Math.max(1, size * 0.75)
    },
  }
}
