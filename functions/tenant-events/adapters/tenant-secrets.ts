import type { TenantId } from '#shared/ids.ts'
import type { CloudAnswer, IamPort, SecretsPort } from '../ports/cloud.ts'
import { unlessMissing } from './google-rest.ts'
import type { SecretCall } from './secret-client.ts'

const TENANT_LABEL = 'tenant-id'
const MANAGER_LABEL = 'managed-by'
const MANAGER = 'tenant-events'
/** Read the value of one secret, and nothing else. */
const READER = 'roles/secretmanager.secretAccessor'
/** Of a policy that somebody else writes at the same time. */
const MOST_TRIES = 4

const NOTHING = { ok: true, value: undefined } as const

/** Tenants' secrets in Secret Manager, found by their label. No value is ever read or written here. */
export function tenantSecrets(call: SecretCall, project: string): SecretsPort {
  const parent = `projects/${project}`
  return {
    list: async (tenantId, signal) => {
      const filter = `labels.${TENANT_LABEL}=${tenantId}`
      const listed = await call('secrets.list', signal, (client) => client.listSecrets({ parent, filter }))
      if (!listed.ok) return listed
      // The filter is looked over: what is listed here may be deleted.
      const own = listed.value[0].filter((secret) => secret.labels?.[TENANT_LABEL] === tenantId)
      const names = own.flatMap(({ name }) => (typeof name === 'string' ? [name] : []))
      return { ok: true, value: names.sort().map((name) => ({ name })) }
    },
    ensure: async (tenantId, secretId, signal) => {
      const labels = { [TENANT_LABEL]: tenantId, [MANAGER_LABEL]: MANAGER }
      const secret = { replication: { automatic: {} }, labels }
      const created = await call('secrets.create', signal, (client) =>
        client.createSecret({ parent, secretId, secret }),
      )
      if (created.ok) return NOTHING
      if (created.failure.code !== 'cloud.already_exists') return created
      const name = `${parent}/secrets/${secretId}`
      const found = await call('secrets.get', signal, (client) => client.getSecret({ name }))
      if (!found.ok) return found
      return found.value[0].labels?.[TENANT_LABEL] === tenantId ? NOTHING : foreign(secretId)
    },
    delete: async (name, signal) => {
      const deleted = unlessMissing(
        await call('secrets.delete', signal, (client) => client.deleteSecret({ name })),
      )
      return deleted.ok ? NOTHING : deleted
    },
  }
}

function foreign(secretId: string): CloudAnswer<void> {
  const text = `the secret ${secretId} exists and does not carry the tenant's label`
  return { ok: false, failure: { kind: 'refused', code: 'cloud.secret_foreign', text } }
}

type Binding = { role: string; members: string[]; condition?: unknown }
type Policy = { version: number; etag: Uint8Array | string | null; bindings: Binding[] }

/**
 * Policies of tenants' secrets. The workload is bound as the Kubernetes account it is, without an account
 * of Google's between (limit about 100 a project), and on its own secrets, whose policies name nobody
 * else's workloads: a project's policy would end at 1,500 members and be written by all tenants at once.
 */
export function tenantAccess(call: SecretCall, memberOf: (tenantId: TenantId) => string): IamPort {
  return {
    isBound: async (tenantId, secret, signal) => {
      const policy = unlessMissing(await readPolicy(call, secret, signal))
      if (!policy.ok) return policy
      return { ok: true, value: policy.value !== undefined && isNamed(policy.value, memberOf(tenantId)) }
    },
    bind: (tenantId, secret, signal) =>
      change(call, secret, signal, (policy) => withReader(policy, memberOf(tenantId))),
    unbind: async (tenantId, secret, signal) => {
      const changed = unlessMissing(
        await change(call, secret, signal, (policy) => without(policy, memberOf(tenantId))),
      )
      return changed.ok ? NOTHING : changed
    },
  }
}

/** Read, change, write with the etag that was read; again when somebody's change came between. */
async function change(
  call: SecretCall,
  resource: string,
  signal: AbortSignal,
  decide: (policy: Policy) => Policy | undefined,
): Promise<CloudAnswer<void>> {
  let last: CloudAnswer<void> = NOTHING
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const policy = await readPolicy(call, resource, signal)
    if (!policy.ok) return policy
    const changed = decide(policy.value)
    if (changed === undefined) return NOTHING
    const written = await call('secrets.setIamPolicy', signal, (client) =>
      client.setIamPolicy({ resource, policy: changed as never }),
    )
    if (written.ok) return NOTHING
    last = written
    if (written.failure.code !== 'cloud.aborted') return last
  }
  return last
}

/** Version 3 shows conditions: written back without them, a policy would give more than it did. */
async function readPolicy(
  call: SecretCall,
  resource: string,
  signal: AbortSignal,
): Promise<CloudAnswer<Policy>> {
  const read = await call('secrets.getIamPolicy', signal, (client) =>
    client.getIamPolicy({ resource, options: { requestedPolicyVersion: 3 } }),
  )
  if (!read.ok) return read
  const [{ bindings, etag, version }] = read.value
  const all = (bindings ?? []).map((binding) => ({
    role: binding.role ?? '',
    members: [...(binding.members ?? [])],
    ...(binding.condition ? { condition: binding.condition } : {}),
  }))
  return { ok: true, value: { version: version ?? 0, etag: etag ?? null, bindings: all } }
}

function isNamed(policy: Policy, member: string): boolean {
  return policy.bindings.some(({ members }) => members.includes(member))
}

/** Undefined when the policy says so already. */
function withReader(policy: Policy, member: string): Policy | undefined {
  const isOurs = ({ role, condition }: Binding): boolean => role === READER && condition === undefined
  const existing = policy.bindings.find(isOurs)
  if (existing?.members.includes(member)) return undefined
  const bindings =
    existing === undefined
      ? [...policy.bindings, { role: READER, members: [member] }]
      : policy.bindings.map((one) => (one === existing ? { ...one, members: [...one.members, member] } : one))
  return { ...policy, bindings }
}

function without(policy: Policy, member: string): Policy | undefined {
  if (!isNamed(policy, member)) return undefined
  const bindings = policy.bindings
    .map((binding) => ({ ...binding, members: binding.members.filter((other) => other !== member) }))
    .filter(({ members }) => members.length > 0)
  return { ...policy, bindings }
}
