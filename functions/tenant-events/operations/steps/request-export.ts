import { EXPORT_REQUESTED } from '#shared/contracts/events/export-requested.ts'
import { newEvent } from '#shared/contracts/new-event.ts'
import { type OutgoingEvent, SOURCE } from '../../domain/facts.ts'
import { stepOf } from '../../domain/operation.ts'
import { billingCommand } from './billing-command.ts'
import { nothingToUndo, type Step, type StepWork } from './step.ts'

/** What an export is about: `all` of it; `config` without usage and invoices; `files` names what lies in the bucket. */
export function scopeOf({ operation }: Pick<StepWork, 'operation'>): string {
  return operation.request.scope ?? 'all'
}

/**
 * X01: asks auth and billing to write their parts to the bucket, and waits until both have said where they
 * lie. Lifecycle reads no document of theirs: it packs what they have written.
 */
export const requestExport: Step = {
  run: async (work) => {
    if (work.world.objects === undefined) {
      const text = 'STORAGE_BUCKET is not set'
      return { kind: 'failed', failure: { kind: 'refused', code: 'export.no_bucket', text } }
    }
    const { authExported, billingExported } = work.operation.answers
    const scope = scopeOf(work)
    const missing = [
      ...(scope === 'files' || authExported !== null ? [] : (['auth'] as const)),
      ...(scope !== 'all' || billingExported !== null ? [] : (['billing'] as const)),
    ]
    const [first] = missing
    if (first === undefined) return { kind: 'done' }
    if (stepOf(work.operation, 'request-export').evidence['asked'] !== undefined) {
      return { kind: 'waiting', waitingFor: first }
    }
    const events = missing.map((group) => (group === 'auth' ? askAuth(work) : askBilling(work)))
    return { kind: 'waiting', waitingFor: first, evidence: { asked: missing.join(' ') }, events }
  },
  undo: nothingToUndo,
}

function askBilling(work: StepWork): OutgoingEvent {
  return billingCommand(work, EXPORT_REQUESTED.billing, 'export-requested', {})
}

function askAuth({ nowMs, operation, trace }: StepWork): OutgoingEvent {
  const { operationId, tenantId } = operation
  return {
    topic: 'auth-events',
    event: newEvent({
      id: `${operationId}.auth-export-requested`,
      source: SOURCE,
      type: EXPORT_REQUESTED.auth.type,
      tenantId,
      nowMs,
      correlationId: operationId,
      trace,
      data: { tenantId, operationId },
    }),
  }
}
