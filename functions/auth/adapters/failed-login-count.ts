import { loginFailed } from '#shared/contracts/events/login-failed.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { type Outbox, outboxFields, outboxRow } from '#shared/firestore/outbox.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { Ids } from '#shared/ids.ts'
import { errorFields, type Logger } from '#shared/log.ts'
import { type FailedLogins, factsOf, minuteOf, withFailure } from '../domain/failed-logins.ts'
import type { FailedLoginCount } from '../ports/failures.ts'

type FailedLoginDeps = {
  readonly system: SystemFirestore
  readonly outbox: Outbox
  readonly ids: Ids
  readonly log: Logger
}

/**
 * Failed attempts of this instance, as facts once a minute.
 *
 * Nobody waits for it: a minute's sums leave when the first failure of a later minute comes, or with
 * the sweep. What an instance that ends had not told yet is lost here; each attempt has its log line.
 */
export function failedLoginCount(deps: FailedLoginDeps): FailedLoginCount {
  const empty = (minute: number): FailedLogins => ({ minute, byCredential: new Map() })
  let sums = empty(0)
  let instance: string | undefined
  const tell = async (over: FailedLogins, nowMs: number): Promise<number> => {
    instance ??= deps.ids.uuid(nowMs)
    const rows = factsOf(over).map((data, at) => {
      const id = `login-failed:${instance}:${over.minute}:${data.credential}:${data.id}`
      const { tenantId } = data
      const fields = { id, source: '//energent.ai/auth', type: loginFailed.type, tenantId, nowMs, data }
      return outboxRow({ topic: 'auth-facts', event: newEvent(fields) }, tenantId, at, nowMs)
    })
    const writes = rows.map((row) => deps.system.create('auth_outbox', row.id, outboxFields(row)))
    await deps.system.commit(writes, deps.ids.uuid(nowMs))
    await deps.outbox.dispatch(rows)
    return rows.length
  }
  const flush = async (nowMs: number): Promise<number> => {
    if (sums.byCredential.size === 0 || sums.minute >= minuteOf(nowMs)) return 0
    const over = sums
    sums = empty(minuteOf(nowMs))
    return tell(over, nowMs)
  }
  return {
    count: (failed, nowMs) => {
      flush(nowMs).catch((error: unknown) => deps.log.warn('failed log-ins not told', errorFields(error)))
      if (sums.byCredential.size === 0) sums = empty(minuteOf(nowMs))
      sums = withFailure(sums, failed)
    },
    flush,
  }
}
