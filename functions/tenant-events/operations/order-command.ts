import { type Result, refuse } from '#shared/result.ts'
import type { Audience } from '../domain/audience.ts'
import type { LifecycleDeps } from '../ports.ts'
import { type CommandRequest, type Ordered, requestCommand } from './request-command.ts'

export type OrderCommand = Omit<CommandRequest, 'origin'> & {
  /** A purged tenant is nothing to its own people, and a state to operators. */
  readonly audience: Audience
}

/**
 * Takes a command from a person or their program. Of a tenant that was purged operators are told so: they
 * can read its certificate, and an id that is simply not there would have them look for a mistake.
 */
export async function orderCommand(
  deps: Pick<LifecycleDeps, 'store' | 'ids' | 'world'>,
  { audience, ...request }: OrderCommand,
): Promise<Result<Ordered>> {
  const ordered = await requestCommand(deps, { ...request, origin: { by: 'operator' } })
  if (ordered.ok || ordered.code !== 'resource.not_found' || audience === 'tenant') return ordered
  const certificate = await deps.world.certificates.find(request.ctx.tenantId)
  if (certificate === undefined) return ordered
  const hint = 'The tenant was purged. Nothing leads back from there; its deletion certificate can be read.'
  return refuse('tenant.state_conflict', 'purged', hint)
}
