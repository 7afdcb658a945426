import { createHash } from 'node:crypto'
import { z } from 'zod'
import { TENANT_SCOPES, type TenantScope } from '#shared/catalogue/scopes.ts'
import type { TenantFact } from '#shared/contracts/events/tenant-fact.ts'
import { hashedId, type TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import type { ClientId } from './client-id.ts'

type Bound = {
  readonly id: string
  readonly scopes: readonly TenantScope[]
  readonly createdAt: number
}

/** Which Kubernetes service account may have a tenant's tokens, and with which scopes. */
export type WorkloadBinding = Bound & { readonly cluster: string; readonly ns: string; readonly sa: string }

/** Which Google service account may. */
export type GoogleBinding = Bound & { readonly email: string }

export type Binding = WorkloadBinding | GoogleBinding

/** The service account that provisioning makes in every tenant's namespace. */
export const DEFAULT_SERVICE_ACCOUNT = 'tenant-workload'
export const MOST_BINDINGS = 100

/**
 * What a workload needs: to run workflows, to report their usage, to learn of revocations, and to ask
 * whether a token or an API key that somebody shows it is good. It is told of its own tenant's alone.
 */
const DEFAULT_SCOPES: readonly TenantScope[] = [
  'workflows:use',
  'usage:write',
  'revocations:read',
  'introspect',
]

/** The binding that a tenant starts with. Its id follows from what it binds, so it is made once. */
export function defaultBinding(fact: TenantFact, nowMs: number): WorkloadBinding {
  const bound = { cluster: fact.cluster, ns: fact.namespace, sa: DEFAULT_SERVICE_ACCOUNT }
  return { id: bindingIdOf(bound), ...bound, scopes: DEFAULT_SCOPES, createdAt: nowMs }
}

/** What is bound names its binding, so that finding one is a single read. */
export function bindingIdOf(
  bound: Pick<WorkloadBinding, 'cluster' | 'ns' | 'sa'> | Pick<GoogleBinding, 'email'>,
): string {
  return 'email' in bound ? hashedId('google', bound.email) : hashedId(bound.cluster, bound.ns, bound.sa)
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/**
 * The client id in a bound workload's own tokens: that of the binding, which follows from its id. So a
 * binding is revoked, limited and audited as a client is. Nobody can choose an id, and 62^16 are too
 * many for one to be met by chance.
 */
export function clientIdOfBinding(tenantId: TenantId, bindingId: string): ClientId {
  const digest = createHash('sha256').update(`binding\0${tenantId}\0${bindingId}`).digest('hex')
  let rest = BigInt(`0x${digest}`)
  let suffix = ''
  for (let place = 0; place < 16; place += 1) {
    suffix += BASE62.charAt(Number(rest % 62n))
    rest /= 62n
  }
  return `cid_${tenantId}_${suffix}` as ClientId
}

/** Who a binding's tokens are about: a workload by namespace and account, a Google account by its binding. */
export function subjectOfBinding(tenantId: TenantId, binding: Binding): string {
  return 'email' in binding ? clientIdOfBinding(tenantId, binding.id) : `wl:${binding.ns}/${binding.sa}`
}

const isTenantScope = (scope: string): scope is TenantScope =>
  (TENANT_SCOPES as readonly string[]).includes(scope)

const bound = {
  scopes: z.array(z.string()).transform((scopes) => scopes.filter(isTenantScope)),
  createdAt: z.number().int(),
}

/** Reads a stored binding, whose id is that of its document. A scope that the catalogue no longer has is gone. */
export const parseBinding = parser<Omit<WorkloadBinding, 'id'> | Omit<GoogleBinding, 'id'>>(
  z.union([
    z.object({ cluster: z.string(), ns: z.string(), sa: z.string(), ...bound }),
    z.object({ email: z.string(), ...bound }),
  ]),
)
