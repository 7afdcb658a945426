import type { EngineName } from '../../support/engines.ts'

/**
 * Where an engine is known not to do what Pub/Sub documents. Tests assert the difference, so that a new
 * emulator which closes it is noticed.
 */
const DIFFERENCES = {
  'filter.ignored': ['google'],
  'filter.invalid_accepted': ['google'],
  'retry_policy.ignored_on_nack': ['google'],
  'ordering.later_overtake_after_nack': ['google'],
  'publish.oversize_accepted': ['google'],
  'subscription.detach_unimplemented': ['google'],
  'topic.labels_not_updatable': ['google'],
  'subscription.short_ack_deadline_accepted': ['google'],
  'subscription.few_attempts_out_of_range': ['google'],
  'flow_control.ignored_by_server': ['google'],
  'dead_letter.no_error_message': ['google'],
  'schema.unimplemented': ['embedded'],
} as const satisfies Record<string, readonly EngineName[]>

export function differs(engine: EngineName, difference: keyof typeof DIFFERENCES): boolean {
  const engines: readonly EngineName[] = DIFFERENCES[difference]
  return engines.includes(engine)
}
