import { help, type RefusalHelp } from './refusal-help-text.ts'
import type { RefusalCode } from './refusals.ts'

/** What billing's own codes mean. */
export const BILLING_REFUSAL_HELP = {
  'plan.tier_mismatch': help(
    'A plan names exactly one tier, and the tenant has another.',
    'Choose a plan of the tier, or change the tier first.',
  ),
  'plan.unavailable': help(
    'No listed plan that is valid now is the default of the tenant’s tier.',
    'An operator makes one with `isDefault`, and not with `listed: false`.',
  ),
  'plan.version_conflict': help(
    'Versions of a plan are numbered without gaps and never changed: this number is not the next one.',
    'Read the plan, and send what should follow its newest version.',
  ),
  'plan.retired': help(
    'The plan was taken out of sale. Subscriptions on it go on.',
    'Choose another plan of the tier.',
  ),
  'plan.invalid': help(
    'The plan would not bill: a price does not fit its model or meter, or a currency lacks something. `detail` names it.',
    'Correct the plan.',
  ),
  'meter.version_conflict': help(
    'Versions of a meter are numbered without gaps and never changed: this number is not the next one.',
    'Read the meter, and send what should follow its newest version.',
  ),
  'meter.invalid': help(
    'The definition is not one that the meter’s events can be measured by. `detail` names the member.',
    'Correct the definition. What an event means never changes; that would be another meter.',
  ),
  'subscription.revision_conflict': help(
    'Somebody changed the subscription after the revision that the request names.',
    'Read it again, and decide on what it says now.',
  ),
  'subscription.invalid': help(
    'The change is not possible: the plan is not sold in that currency or not yet valid, or what may change only with a new period should change now. `detail` says which.',
    'Correct the request, or choose `period_end`.',
  ),
  'subscription.too_many_changes': help(
    'The history of the subscription is full.',
    'Ask the operators: a subscription changes some times a year, not a thousand times.',
  ),
  'credit.insufficient': help(
    'The plan is paid by credit, and what is left covers less than the change costs now.',
    'Grant credit first, or change with the next period.',
  ),
  'credit.voided': help('The grant was made void before.', 'Nothing is left to do.'),
  'credit.invalid': help(
    'Amount, instants, recurrence or scope of the grant contradict each other or the plan. `detail` names the member.',
    'Correct the grant.',
  ),
  'credit.limit_reached': help(
    'A tenant has at most 500 grants that are not over.',
    'Void some, or grant more at once.',
  ),
  'entitlement.restricted': help(
    'The tenant is suspended or leaving: no workflow begins and nothing is allowed.',
    'Settle the account, or ask the operators why.',
  ),
  'workflows.limit_reached': help(
    'As many workflows run as the tier allows. `Retry-After` says when the first slot is free if its run does not renew it.',
    'Wait, end another run, or change the tier.',
  ),
  'workflows.frozen': help(
    'A change of tier waits for the running workflows to end.',
    'Try again after `Retry-After`.',
  ),
  'workflows.not_held': help(
    'The run never had a slot, gave it back, or did not renew it in time and another may have it.',
    'Acquire a slot; a release that is answered so needs no repetition.',
  ),
  'usage.conflict': help(
    'The event id was sent before with other content. The one that counts is the same in whatever order they came: a collector’s before a tenant’s, then the larger value.',
    'A producer has to give every measurement its own id, and repeat it unchanged.',
  ),
  'usage.range_invalid': help(
    'The time range is empty, too long, or does not fit the window.',
    'Ask for a shorter range, or a larger window.',
  ),
  'usage.period_locked': help(
    'An event lies in a period whose invoice is final, and the plan refuses what comes late. Nothing of the request was taken.',
    'Leave those events out, or have the invoice billed again.',
  ),
  'usage.collector_only': help(
    'The event says something that only the platform can know, such as that a run failed because of it. It came through the API, where tenants report for themselves.',
    'Report the run with the outcome you saw; the platform’s collectors report its own failures.',
  ),
  'invoice.state': help(
    'A draft can be finalized once its period is over and all its usage is in; a finalized invoice can be made void while it is unpaid; one that a later invoice rests on stays. `detail` says which.',
    'Read the invoice, and do what its status allows. What was paid is corrected by `rebill`.',
  ),
  'invoice.revision_conflict': help(
    'The invoice was replaced, or the request names a revision that it never had.',
    'Read it again, and decide on what it says now.',
  ),
  'export.invalid': help(
    'The range is empty, lies in the future or is longer than 13 months.',
    'Choose another range.',
  ),
  'invoice.out_of_range': help(
    'A line or the total is beyond 2^53 − 1 of the currency’s smallest units, which JSON cannot state exactly. Nothing was billed.',
    'Look at the usage of the period for a value that cannot be, and have it corrected; then ask again.',
  ),
} as const satisfies Partial<Record<RefusalCode, RefusalHelp>>
