import type { UsageEvent } from './types.ts'

/** The service takes no larger event (CloudEvents 1.0 §size limits). */
const MOST_BYTES = 64 * 1024
const SUBJECT = /^tenants\/([^/]+)$/

/** An event as it travels. Text, so that whoever recorded it may change their object. */
export type Written = {
  readonly json: string
  readonly bytes: number
  readonly tenantId: string
  readonly type: string
}

/** Writes an event down. Throws what its sender can mend: a missing member, or too much of everything. */
export function write(event: UsageEvent, room: number): Written {
  for (const member of ['id', 'source', 'type', 'subject', 'time'] as const) {
    if (typeof event?.[member] !== 'string' || event[member] === '') {
      throw new TypeError(`a usage event needs ${member}`)
    }
  }
  if (event.specversion !== '1.0') throw new TypeError("a usage event says specversion '1.0'")
  if (typeof event.data !== 'object' || event.data === null) throw new TypeError('a usage event needs data')
  const tenantId = SUBJECT.exec(event.subject)?.[1]
  if (tenantId === undefined) throw new TypeError('the subject of a usage event is tenants/{tenantId}')
  const json = JSON.stringify(event)
  const bytes = Buffer.byteLength(json)
  const most = Math.min(MOST_BYTES, room)
  if (bytes > most) throw new RangeError(`a usage event of ${bytes} bytes is larger than ${most}`)
  return { json, bytes, tenantId, type: event.type }
}

export function read(written: Written): UsageEvent {
  return JSON.parse(written.json) as UsageEvent
}
