import { REFUSAL_HELP } from '#shared/refusal-help.ts'
import { REFUSALS, type RefusalCode } from '#shared/refusals.ts'
import { OAUTH_ERRORS } from '../../functions/auth/oauth-reply.ts'
import { FAILURE_CODES } from '../../functions/tenant-events/domain/failure-codes.ts'
import { PLANS } from '../../functions/tenant-events/domain/plans.ts'
import { code, MADE, page, table } from './page.ts'

/** `docs/errors.md`: every public code, and the codes that operations show beside their steps. */
export function renderErrors(): string {
  return page([
    '# Errors',
    MADE,
    '',
    'Every answer other than 2xx is a problem (RFC 9457, `application/problem+json`) whose `code` stands',
    'here. OAuth endpoints answer OAuth errors (RFC 6749) instead; each code names its own below, and what',
    'has none there is `invalid_request`. A code never changes its meaning. The `requestId` finds the',
    'request in the log; `detail` says what to do where something can be said. A message that is refused',
    'for good is kept in quarantine under the same codes, and `rejected[].code` of `POST /v1/usage` is one',
    'of them too. A step of a lifecycle operation has [codes of its own](#steps-of-operations).',
    '',
    ...codeSections(),
    ...stepSections(),
  ])
}

function codeSections(): string[] {
  const codes = Object.entries(REFUSALS) as [RefusalCode, { status: number; title: string }][]
  return codes.flatMap(([name, { status, title }]) => {
    const { meaning, remedy } = REFUSAL_HELP[name]
    const oauth = OAUTH_ERRORS[name]
    return [
      `## ${name}`,
      '',
      `**${status}** ${title}.${oauth === undefined ? '' : ` In OAuth's words: \`${oauth}\`.`}`,
      '',
      meaning,
      '',
      `*What to do:* ${remedy}`,
      '',
    ]
  })
}

function stepSections(): string[] {
  const steps = Object.entries(PLANS).flatMap(([kind, plan]) =>
    plan.steps.map((step) => [kind, step.code, code(step.key), step.owesUndo ? 'yes' : '']),
  )
  const failures = Object.entries(FAILURE_CODES).map(([name, { meaning, remedy }]) => [
    code(name),
    meaning,
    remedy,
  ])
  return [
    '## Steps of operations',
    '',
    '`GET /v1/tenants/{tenantId}/operations/{operationId}` shows each step with its last error. A failure',
    'that may pass is tried again by itself, with growing pauses; one that will not turns the operation',
    'round: what its steps have made is undone, the last first, and the tenant ends in `PROVISION_FAILED`',
    'with the step and code in `failure`.',
    '',
    ...table(['Operation', 'Number', 'Step', 'Undone on failure'], steps),
    'Codes of the cluster are its own reasons in our spelling, and `cluster.status_` with the number where',
    'it gave no reason. What billing refuses has one of the codes above, such as `plan.tier_mismatch`.',
    '',
    ...table(['Code', 'What it means', 'What to do'], failures),
  ]
}
