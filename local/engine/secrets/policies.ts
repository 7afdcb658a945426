import { createHash } from 'node:crypto'
import type { UnaryHandler } from '../grpc.ts'
import { rpcError, status } from '../rpc-error.ts'
import type { Policy, PolicyBinding } from './model.ts'
import { getSecret, nextEtag, type SecretDeps } from './secrets.ts'

/** What a policy that was never written shows as its etag. */
const NEVER_WRITTEN = Buffer.from('0020', 'hex')
const MOST_MEMBERS = 1_500
const MEMBER =
  /^(?:allUsers|allAuthenticatedUsers|(?:user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer|deleted):\S+|principal(?:Set)?:\/\/iam\.googleapis\.com\/\S+)$/
const ROLE = /^(?:roles\/[A-Za-z0-9_.]+|(?:projects|organizations)\/[^/]+\/roles\/[A-Za-z0-9_.]+)$/

type WirePolicy = {
  readonly version: number
  readonly bindings: readonly PolicyBinding[]
  readonly etag: Buffer
}

/** The methods of SecretManagerService about IAM policies. They are kept and never asked: whoever calls may do all. */
export function policyHandlers(deps: SecretDeps): Readonly<Record<string, UnaryHandler>> {
  return {
    GetIamPolicy: (request: { resource: string; options: { requestedPolicyVersion: number } | null }) => {
      const policy = getSecret(deps, request.resource).policy
      return shown(policy, request.options?.requestedPolicyVersion ?? 0)
    },
    SetIamPolicy: (request: { resource: string; policy: WirePolicy | null }) => {
      const secret = getSecret(deps, request.resource)
      if (request.policy === null) throw invalid('The policy is missing.')
      const { bindings, etag, version } = request.policy
      // Without an etag whatever is there is overwritten.
      if (etag.length > 0 && !etag.equals(etagOf(secret.policy))) {
        throw rpcError(
          status.ABORTED,
          'There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.',
        )
      }
      const policy: Policy = {
        version,
        bindings: merged(bindings, version),
        etag: Buffer.from(nextEtag()).toString('base64'),
      }
      deps.store.save({ ...secret, policy })
      return shown(policy, 3)
    },
    TestIamPermissions: (request: { resource: string; permissions: readonly string[] }) => {
      getSecret(deps, request.resource)
      return { permissions: request.permissions }
    },
  }
}

function etagOf(policy: Policy | undefined): Buffer {
  return policy === undefined ? NEVER_WRITTEN : Buffer.from(policy.etag, 'base64')
}

/** To whoever asks for less than version 3, a conditional binding shows as a role that cannot be mistaken. */
function shown(policy: Policy | undefined, requested: number): WirePolicy {
  const conditional = policy?.bindings.some(({ condition }) => condition) === true
  return {
    version: conditional && requested >= 3 ? 3 : 1,
    etag: etagOf(policy),
    bindings: (policy?.bindings ?? []).map((binding) => {
      if (!binding.condition || requested >= 3) return binding
      const hash = createHash('sha256').update(JSON.stringify(binding.condition)).digest('hex').slice(0, 20)
      return { role: `${binding.role}_withcond_${hash}`, members: binding.members }
    }),
  }
}

/** Checks bindings as written and joins those of one role and condition, each member once. */
function merged(bindings: readonly PolicyBinding[], version: number): readonly PolicyBinding[] {
  const byRole = new Map<string, { role: string; members: Set<string>; condition?: unknown }>()
  for (const { condition, members, role } of bindings) {
    if (!ROLE.test(role)) throw invalid(`Role ${role} is not supported for this resource.`)
    const unknown = members.find((member) => !MEMBER.test(member))
    if (unknown !== undefined) throw invalid(`Invalid member: ${unknown}.`)
    if (condition && version < 3) throw invalid('A conditional role binding needs policy version 3.')
    const key = JSON.stringify([role, condition ?? null])
    const entry = byRole.get(key) ?? { role, members: new Set<string>(), ...(condition ? { condition } : {}) }
    for (const member of members) entry.members.add(member)
    byRole.set(key, entry)
  }
  const all = [...byRole.values()].filter(({ members }) => members.size > 0)
  const count = all.reduce((sum, { members }) => sum + members.size, 0)
  if (count > MOST_MEMBERS) {
    throw invalid(
      `The number of members in the policy (${count}) is larger than the maximum allowed size ${MOST_MEMBERS}.`,
    )
  }
  return all.map((entry) => ({ ...entry, members: [...entry.members] }))
}

const invalid = (details: string) => rpcError(status.INVALID_ARGUMENT, details)
