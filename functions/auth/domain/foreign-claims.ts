import { z } from 'zod'
import { namespaceOf } from '#shared/contracts/events/tenant-fact.ts'
import { parseTenantId, type TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'

type Payload = Readonly<Record<string, unknown>>

/** A Kubernetes service account, as its cluster says, and the tenant whose namespace it is in. */
export type WorkloadIdentity = {
  readonly tenantId: TenantId
  readonly ns: string
  readonly sa: string
  readonly pod: string | undefined
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/
/** `wl:{ns}/{sa}` is a subject, which has at most 255 characters. */
const MOST_ACCOUNT_LENGTH = 180
const MOST_POD_LENGTH = 253

const parseProjected = parser(
  z.object({
    sub: z.string(),
    'kubernetes.io': z.object({
      namespace: z.string().regex(LABEL),
      serviceaccount: z.object({ name: z.string().max(MOST_ACCOUNT_LENGTH).regex(SUBDOMAIN) }),
      pod: z.object({ name: z.string().max(MOST_POD_LENGTH).regex(SUBDOMAIN) }).optional(),
    }),
  }),
  'token.invalid',
)

/**
 * Reads who a projected service-account token is about (Kubernetes, bound service account tokens).
 *
 * `sub` and the cluster's own claims must say the same, and the namespace must be that of a tenant: the
 * namespace is what makes it a tenant's, and only the platform makes namespaces of that name.
 */
export function readWorkload(payload: Payload): Result<WorkloadIdentity> {
  const parsed = parseProjected(payload)
  if (!parsed.ok) return parsed
  const { sub, 'kubernetes.io': kubernetes } = parsed.value
  const { namespace: ns, pod } = kubernetes
  const sa = kubernetes.serviceaccount.name
  if (sub !== `system:serviceaccount:${ns}:${sa}`) return refuse('token.invalid', 'sub is another account')
  const tenantId = parseTenantId(ns.replace(/^tenant-/, ''))
  if (!tenantId.ok || ns !== namespaceOf(tenantId.value)) {
    return refuse('token.invalid', 'not a namespace of a tenant')
  }
  return ok({ tenantId: tenantId.value, ns, sa, pod: pod?.name })
}

/** One audience, ours: a string, or a list of nothing else, as Kubernetes writes it. */
export function isFor(payload: Payload, audience: string): boolean {
  const { aud } = payload
  return aud === audience || (Array.isArray(aud) && aud.length === 1 && aud[0] === audience)
}

const parseAccount = parser(
  z.object({ email: z.string().min(3).max(255), email_verified: z.literal(true), sub: z.string().min(1) }),
  'token.invalid',
)

/** Reads the address of a Google account that Google has verified. */
export function readGoogleAccount(payload: Payload): Result<{ readonly email: string }> {
  const parsed = parseAccount(payload)
  return parsed.ok ? ok({ email: parsed.value.email }) : parsed
}

/** Google's service accounts, and no person's account: only Google makes addresses below this domain. */
export function isServiceAccountEmail(value: string): boolean {
  return value.length <= 255 && /^[a-z0-9][a-z0-9.-]*@(?:[a-z0-9-]+\.)+gserviceaccount\.com$/.test(value)
}
