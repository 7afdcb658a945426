import { z } from 'zod'
import { TENANT_SCOPES } from '#shared/catalogue/scopes.ts'
import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import type { TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { ACCESS_BY_STATE } from '#shared/tokens/tenant-access.ts'
import { isServiceAccountEmail } from './foreign-claims.ts'
import type { TenantAuthState } from './tenant-state.ts'
import {
  type Binding,
  bindingIdOf,
  clientIdOfBinding,
  MOST_BINDINGS,
  subjectOfBinding,
} from './workload-binding.ts'

const scopes = z
  .array(z.enum(TENANT_SCOPES))
  .min(1)
  .transform((names) => TENANT_SCOPES.filter((scope) => names.includes(scope)))

/** What a caller wants bound: a service account of the tenant's own namespace, or one of Google's. */
export type NewBinding = z.infer<typeof wanted>

const wanted = z.union([
  z.strictObject({
    cluster: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/),
    serviceAccount: z
      .string()
      .max(180)
      .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/),
    scopes,
  }),
  z.strictObject({
    email: z.string().refine(isServiceAccountEmail, 'must be the address of a Google service account'),
    scopes,
  }),
])

export const parseNewBinding = parser<NewBinding>(wanted)

/**
 * The binding that is wanted. A workload is always one of the tenant's own namespace: nobody binds an
 * account that runs in another's.
 */
export function newBinding(tenantId: TenantId, asked: NewBinding, nowMs: number): Binding {
  const bound =
    'email' in asked
      ? { email: asked.email }
      : { cluster: asked.cluster, ns: namespaceOf(tenantId), sa: asked.serviceAccount }
  return { id: bindingIdOf(bound), ...bound, scopes: asked.scopes, createdAt: nowMs }
}

/** Whether the tenant may bind more now, and has not bound this. */
export function checkRoomForBinding(found: {
  readonly state: Pick<TenantAuthState, 'status'> | undefined
  readonly existing: Binding | undefined
  readonly count: number
}): Result<void> {
  if (found.state === undefined) return refuse('resource.not_found', 'auth knows no such tenant')
  if (ACCESS_BY_STATE[found.state.status].kind === 'none') {
    return refuse('tenant.state_conflict', `tenant is ${found.state.status}`, 'The tenant is not active.')
  }
  if (found.existing !== undefined) return refuse('binding.exists', 'bound already')
  if (found.count <= MOST_BINDINGS) return ok(undefined)
  return refuse('binding.limit_reached', 'bindings', `A tenant can bind ${MOST_BINDINGS} accounts.`)
}

/** A binding as it is shown. */
export type BindingView = {
  readonly bindingId: string
  readonly cluster?: string
  readonly namespace?: string
  readonly serviceAccount?: string
  readonly email?: string
  readonly scopes: readonly string[]
  /** `sub` of its tokens. */
  readonly subject: string
  /** `client_id` of its tokens where the workload is no client itself. */
  readonly clientId: string
  readonly createdAt: string
}

export function viewOfBinding(tenantId: TenantId, binding: Binding): BindingView {
  return {
    bindingId: binding.id,
    ...('email' in binding
      ? { email: binding.email }
      : { cluster: binding.cluster, namespace: binding.ns, serviceAccount: binding.sa }),
    scopes: binding.scopes,
    subject: subjectOfBinding(tenantId, binding),
    clientId: clientIdOfBinding(tenantId, binding.id),
    createdAt: new Date(binding.createdAt).toISOString(),
  }
}
