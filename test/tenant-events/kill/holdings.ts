import { dumpTenant } from '#local/stack/dump.ts'
import type { Stack } from '#local/stack/stack.ts'
import { canonicalJson } from '#shared/json.ts'

/** What there is of a tenant, in words that are equal for two tenants of one tier. */
export type Holdings = {
  /** Its objects in the cluster, each with all of its specification. */
  readonly objects: readonly string[]
  /** The facts that were said about it, in their order. */
  readonly facts: readonly string[]
  /** What it pays for. */
  readonly subscriptions: readonly string[]
  /** Its own document. */
  readonly tenant: readonly string[]
}

/** Looks into everything the stack holds of a tenant. */
export async function holdingsOf(stack: Stack, tenantId: string): Promise<Holdings> {
  const { documents, kubernetes } = await dumpTenant(stack.parts(), stack.info().project, tenantId)
  const said = (value: unknown): string => nameless(canonicalJson(plain(value)), tenantId)
  const at = (pattern: RegExp): unknown[] =>
    Object.entries(documents)
      .filter(([path]) => pattern.test(path))
      .map(([, data]) => data)
  const facts = at(/^lifecycle_outbox\//)
    .map((row) => JSON.parse(String((row as { body: string }).body)) as Fact)
    .filter(({ type }) => type.startsWith('ai.energent.tenant.') && !OF_THE_WAY.test(type))
    .filter(({ sequence }) => sequence !== undefined)
    .sort((left, right) => Number(left.sequence) - Number(right.sequence))
  return {
    objects: kubernetes.map(said).sort(),
    facts: facts.map(({ type }, index) => `${index} ${type}`),
    subscriptions: at(/^tenants\/[^/]+\/billing_subscriptions\/[^/]+$/)
      .map((data) => data as Record<string, unknown>)
      .map(({ status, tier, planId, subscriptionId }) => said({ status, tier, planId, subscriptionId })),
    tenant: at(/^tenants\/[^/]+$/).map(said),
  }
}

type Fact = { readonly type: string; readonly sequence?: string }

const OF_THE_WAY = /operation-stuck|drift-|step-c/

/** Of the moment, of the way there, or named by the server. */
const LEFT_OUT = new Set([
  ...['uid', 'resourceVersion', 'creationTimestamp', 'managedFields', 'generation', 'namespaceUid'],
  ...['revision', 'factSequence', 'fence', 'createdAtMs', 'commitId', 'operationId', 'volumeName'],
])

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Date || value instanceof Uint8Array) return 'a time'
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key]) => !LEFT_OUT.has(key))
  return Object.fromEntries(kept.map(([key, member]) => [key, plain(member)]))
}

function nameless(text: string, tenantId: string): string {
  return text
    .replaceAll(tenantId, 'T')
    .replaceAll(/\bop_[0-9A-Z]{26}\b/g, 'an operation')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'a time')
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'a uid')
}
