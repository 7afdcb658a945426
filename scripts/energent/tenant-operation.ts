import { pause } from '#shared/deadline.ts'
import type { Result } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { OperationView } from '../../functions/tenant-events/domain/views.ts'
import { readOperation } from '../../functions/tenant-events/operations/read-tenant.ts'
import { type Run, tableLines } from './command.ts'

const LOOK_EVERY_MS = 500

/** Waits until an operation is over, or has to wait for its day; tells of each step as it changes. */
export async function watched(
  run: Run,
  ctx: TenantContext,
  operationId: string,
): Promise<Result<OperationView>> {
  const told = new Map<string, string>()
  for (;;) {
    const read = await readOperation(run.lifecycle(), ctx, operationId, 'operator')
    if (!read.ok) return read
    for (const { code, key, status, waitingFor, lastError } of read.value.steps) {
      const said = [status, waitingFor, lastError?.code].filter(Boolean).join(', ')
      if (status !== 'pending' && told.get(key) !== said) run.note(`${code}  ${key}  ${said}`)
      told.set(key, said)
    }
    if (read.value.endedAt !== null || read.value.status === 'scheduled') return read
    // Real time on purpose: somebody sits and waits.
    await pause(LOOK_EVERY_MS)
  }
}

/** An operation for people: its steps as a table, then what is wrong and what to do about it. */
export function operationLines(operation: OperationView): readonly string[] {
  const { done, total } = operation.progress
  const rows = operation.steps.map(({ attempts, code, key, status, waitingFor, lastError }) => [
    code,
    key,
    status,
    String(attempts),
    waitingFor ?? lastError?.code ?? '',
  ])
  return [
    `${operation.operationId}  ${operation.kind}  ${operation.status}${operation.stuck ? ', STUCK' : ''}`,
    `  ${done} of ${total} steps, begun ${operation.startedAt}, ${endOf(operation)}`,
    ...tableLines(['step', 'what', 'status', 'tries', 'waits for, or last error'], rows),
    ...troubleLines(operation),
  ]
}

function endOf({ endedAt, resumesAt }: OperationView): string {
  if (endedAt !== null) return `ended ${endedAt}`
  return resumesAt === null ? 'not over' : `goes on ${resumesAt}`
}

function troubleLines({ steps, failure }: OperationView): string[] {
  const troubled = steps.flatMap(({ code, lastError, status }) =>
    lastError === null || status === 'done' ? [] : [{ code, lastError }],
  )
  return [
    ...troubled.flatMap(({ code, lastError }) => [
      `${code}: ${lastError.code}${lastError.text === undefined ? '' : `: ${lastError.text}`}`,
      ...helpLines(lastError.help),
    ]),
    ...(failure === null ? [] : [`Failed at ${failure.step}: ${failure.code}`, ...helpLines(failure.help)]),
  ]
}

function helpLines(help: { readonly meaning: string; readonly remedy: string } | undefined): string[] {
  return help === undefined ? [] : [`  ${help.meaning}`, `  What to do: ${help.remedy}`]
}
