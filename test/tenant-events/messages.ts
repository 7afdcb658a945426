import { manualClock } from '#shared/clock.ts'
import type { OutgoingEvent } from '../../functions/tenant-events/domain/facts.ts'

export type Message = OutgoingEvent
export type ManualClock = ReturnType<typeof manualClock>

export function manualClockAt(iso: string): ManualClock {
  return manualClock(Date.parse(iso))
}
