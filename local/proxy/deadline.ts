export type Deadline = {
  /** Starts the time; later calls change nothing. */
  begin(): void
  expired(): boolean
  /** Replaces what happens when the time is over; at once if it already is. */
  onExpired(action: () => void): void
  clear(): void
}

/**
 * A span of real time that begins when told to. Real time on purpose: a test that moves the clock by a
 * month must not time out every request under way.
 */
export function startDeadline(spanMs: number): Deadline {
  let timer: NodeJS.Timeout | undefined
  let over = false
  let act: () => void = () => {}
  return {
    begin: () => {
      timer ??= setTimeout(() => {
        over = true
        act()
      }, spanMs)
    },
    expired: () => over,
    onExpired: (action) => {
      act = action
      if (over) action()
    },
    clear: () => clearTimeout(timer),
  }
}
