import type { PublishOutcome } from './publish-scenario.ts'
import type { TenantOutcome } from './tenant-scenario.ts'
import type { UsageOutcome } from './usage-scenario.ts'

/** What is wrong with an outcome, in words; nothing when every effect happened once. */
export function checkUsage({ sent, live, ledger, answered }: UsageOutcome): string[] {
  return [
    ...differs('live events', live.events, sent.events),
    ...differs('live sum', live.sum, sent.sum),
    ...differs('ledger events', ledger.events, sent.events),
    ...differs('ledger batches', ledger.batches, sent.events),
    ...differs('answered usage', answered, sent.sum),
  ]
}

/** One operation, one audit entry, one row for each event, and each event out with one body. */
export function checkTenants({ tenants }: TenantOutcome): string[] {
  return tenants.flatMap(({ tenantId, answered, operations, audits, rows, published }) => {
    const own = (faults: string[]): string[] => faults.map((fault) => `${tenantId}: ${fault}`)
    const types = rows.map(({ type }) => type).sort()
    return [
      ...own(differs('operations', operations, answered)),
      ...own(differs('audit entries', audits, 1)),
      ...own(
        differs('outbox rows', types, [
          'ai.energent.tenant.requested.v1',
          'ai.energent.tenant.step-continue.v1',
        ]),
      ),
      ...own(differs('rows not sent', rows.filter(({ status }) => status !== 'sent').length, 0)),
      ...own(differs('events on the wire', [...published.keys()].sort(), rows.map(({ id }) => id).sort())),
      ...[...published].flatMap(([id, { bodies }]) => own(differs(`bodies of ${id}`, bodies, 1))),
    ]
  })
}

/** Copies on the wire are allowed; a second effect is not. */
export function checkPublish({ sent, counted, messages, copies }: PublishOutcome): string[] {
  return [...differs('counted', counted, sent), ...differs('distinct messages', messages - copies, sent)]
}

function differs(what: string, found: unknown, expected: unknown): string[] {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)]
  return left === right ? [] : [`${what}: ${left} instead of ${right}`]
}
