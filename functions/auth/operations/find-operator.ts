import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Client } from '../domain/client.ts'
import { ownerUserIdOf } from '../domain/operator-owner.ts'
import type { ClientRegister } from '../ports/clients.ts'
import type { PepperStore } from '../ports.ts'

export type FindOperatorDeps = { readonly peppers: PepperStore; readonly clientRegister: ClientRegister }

/** A person among the operators. */
export type OperatorPerson = {
  /** Who they are in tokens and approvals. */
  readonly userId: string
  /** The clients they answer for. */
  readonly clients: readonly Client[]
}

/** As many as the operators' own tenant may have. */
const MOST_CLIENTS = 1_000

/**
 * The person behind an e-mail address, among the operators' clients. `ctx` opens the operators' own tenant.
 *
 * Their id follows from the pepper that was current when they came. It stays theirs: after a new pepper the
 * same person would otherwise be two, and what takes two people would take one.
 */
export async function findOperator(
  deps: FindOperatorDeps,
  ctx: TenantContext,
  email: string,
): Promise<OperatorPerson> {
  const [current, all, clients = []] = await Promise.all([
    deps.peppers.current(),
    deps.peppers.all([]),
    deps.clientRegister.list(ctx, MOST_CLIENTS, undefined),
  ])
  const ids = [...all.values()].map((pepper) => ownerUserIdOf(email, pepper))
  const known = clients.find(({ ownerUserId }) => ownerUserId !== null && ids.includes(ownerUserId))
  const userId = known?.ownerUserId ?? ownerUserIdOf(email, current.pepper)
  return { userId, clients: clients.filter(({ ownerUserId }) => ownerUserId === userId) }
}
