import { ok, type Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { readTrace } from '#shared/trace.ts'
import type { Command } from '../../functions/tenant-events/domain/command.ts'
import { BODIES, parseCreateBody } from '../../functions/tenant-events/http/bodies.ts'
import { changeTenant } from '../../functions/tenant-events/operations/change-tenant.ts'
import { createTenant } from '../../functions/tenant-events/operations/create-tenant.ts'
import { orderCommand } from '../../functions/tenant-events/operations/order-command.ts'
import type { Ordered } from '../../functions/tenant-events/operations/request-command.ts'
import type { Answer, Run } from './command.ts'
import { operationLines, watched } from './tenant-operation.ts'

/** The tenant that the command line names, and the right to act on it. */
export function openTenant(run: Run): Promise<Result<TenantContext>> {
  return run.open(run.given.text('tenant') ?? '')
}

const OPTION_OF: Readonly<Record<string, string>> = {
  tenantId: 'tenant',
  displayName: 'name',
  deploymentModel: 'model',
  trialEndsAt: 'trial-ends',
  toTier: 'to',
  graceDays: 'grace-days',
}

/** What is wrong with a body, said of the options that it was made of. */
export function asOptions<T>(body: Result<T>): Result<T> {
  if (body.ok || body.hint === undefined) return body
  const hint = body.hint.replace(
    /(^|; )([A-Za-z]+): /g,
    (_fault, before: string, member: string) => `${before}--${OPTION_OF[member] ?? member}: `,
  )
  return { ...body, hint }
}

/** Orders something with a body that was checked as the HTTP API checks it. */
export async function order<T>(
  run: Run,
  body: Result<T>,
  commandOf: (body: T) => Command,
): Promise<Result<Answer>> {
  return body.ok ? ordered(run, commandOf(body.value)) : asOptions(body)
}

/** Gives a command, and answers with the operation that carries it out. */
export async function ordered(run: Run, command: Command): Promise<Result<Answer>> {
  const ctx = await openTenant(run)
  if (!ctx.ok) return ctx
  const deps = run.lifecycle()
  const taken = await orderCommand(deps, {
    ctx: ctx.value,
    command,
    audience: 'operator',
    claim: undefined,
    nowMs: run.nowMs,
    trace: readTrace(deps.ids),
  })
  return taken.ok ? answerOf(run, ctx.value, taken.value) : taken
}

export async function create(run: Run): Promise<Result<Answer>> {
  const { given, nowMs } = run
  const trialEndsAt = given.text('trial-ends')
  const body = parseCreateBody({
    tenantId: given.text('tenant'),
    displayName: given.text('name'),
    tier: given.text('tier'),
    deploymentModel: given.text('model') ?? 'multi_tenant',
    region: given.text('region'),
    ...(trialEndsAt === undefined ? {} : { trialEndsAt }),
  })
  if (!body.ok) return asOptions(body)
  const ctx = await openTenant(run)
  if (!ctx.ok) return ctx
  const deps = run.lifecycle()
  const trace = readTrace(deps.ids)
  const made = await createTenant(deps, { ctx: ctx.value, body: body.value, claim: undefined, nowMs, trace })
  return made.ok ? answerOf(run, ctx.value, made.value) : made
}

export async function rename(run: Run): Promise<Result<Answer>> {
  const body = BODIES.rename({ displayName: run.given.text('name') })
  if (!body.ok) return asOptions(body)
  const ctx = await openTenant(run)
  if (!ctx.ok) return ctx
  const { displayName } = body.value
  const hasSeen = () => ok(undefined)
  const changed = await changeTenant(run.lifecycle(), {
    ...{ ctx: ctx.value, displayName, hasSeen },
    claim: undefined,
  })
  if (!changed.ok) return changed
  return ok({ json: changed.value, lines: [`${changed.value.tenantId} is called ${displayName}`] })
}

async function answerOf(run: Run, ctx: TenantContext, taken: Ordered): Promise<Result<Answer>> {
  const { operationId, tenant } = taken
  if (operationId === null)
    return ok({ json: taken, lines: [`${tenant.tenantId} is ${tenant.state}; noted.`] })
  if (!run.given.flag('wait')) {
    const next = `npm run energent -- tenants operation --tenant ${tenant.tenantId} --operation ${operationId}`
    const lines = [`${tenant.tenantId} is ${tenant.state}; operation ${operationId}`, `Its steps: ${next}`]
    return ok({ json: taken, lines })
  }
  const over = await watched(run, ctx, operationId)
  if (!over.ok) return over
  const failed = over.value.status === 'failed'
  return ok({
    json: { ...taken, operation: over.value },
    lines: operationLines(over.value),
    ...(failed ? { failed } : {}),
  })
}
