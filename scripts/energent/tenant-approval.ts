import { PLATFORM_TENANT } from '#shared/ids.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { parseOperatorEmail } from '../../functions/auth/domain/operator-owner.ts'
import { findOperator } from '../../functions/auth/operations/find-operator.ts'
import { hashedApprover } from '../../functions/tenant-events/http/authority.ts'
import { BODIES } from '../../functions/tenant-events/http/bodies.ts'
import type { Answer, Run } from './command.ts'
import { asOptions, ordered } from './tenant-orders.ts'

/**
 * Approves a purge as the person who runs the command. They count as the same as their operator's client
 * does over HTTP, so that nobody is two people by using both.
 */
export async function approvePurge(run: Run): Promise<Result<Answer>> {
  const body = BODIES.purge({ reason: run.given.text('reason') })
  if (!body.ok) return asOptions(body)
  const approver = await approverOf(run)
  if (!approver.ok) return approver
  return ordered(run, { name: 'purge', approver: approver.value, ...body.value })
}

async function approverOf(run: Run): Promise<Result<string>> {
  const person = await run.person()
  const claimed = run.given.text('email')
  if (person !== 'demo' && claimed !== undefined) {
    return refuse('request.malformed', 'email', 'You are who Google says: --email is for demo projects.')
  }
  const email = parseOperatorEmail(person === 'demo' ? claimed : person)
  if (!email.ok) {
    const hint =
      person === 'demo'
        ? 'Name the operator who approves with --email.'
        : 'Google names no person: sign in with gcloud auth application-default login.'
    return refuse('purge.person_unknown', 'no verified address', hint)
  }
  const operators = await run.open(PLATFORM_TENANT)
  if (!operators.ok) return operators
  const { userId, clients } = await findOperator(run.deps, operators.value, email.value)
  const mayPurge = clients.some(
    ({ scopes, status }) => status === 'active' && scopes.includes('platform:purge'),
  )
  return mayPurge
    ? ok(hashedApprover(userId))
    : refuse('purge.person_unknown', 'no operator', 'You are no operator with platform:purge.')
}
