import { z } from 'zod'
import type { Clock } from '#shared/clock.ts'
import type { TenantState } from '#shared/contracts/events/tenant-fact.ts'
import { DependencyFailed } from '#shared/deadline.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { type Ids, PLATFORM_TENANT, type TenantId } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { errorFields, type Logger } from '#shared/log.ts'
import { ok } from '#shared/result.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import { DATA_KEY_BYTES, hashText, NONCE_BYTES, openText, sealText } from '../domain/personal-data.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import { type Kms, NoSuchKey } from '../ports/kms.ts'
import type { PersonalData } from '../ports/people.ts'

/** The tenant's data key, wrapped by its Cloud KMS key; or the grave of one, so that none comes after it. */
const PATH = ['auth_shred', 'dek']
/** For so long a process goes on with a key that was destroyed elsewhere. */
const KEPT_MS = 60_000
const MOST_KEPT = 10_000
/** States in which a tenant has no key any more, or never will. */
const KEYLESS: readonly TenantState[] = ['PURGING', 'PURGED', 'PROVISION_FAILED', 'REJECTED']

const parseShred = parser(
  z.discriminatedUnion('status', [
    z.object({
      status: z.literal('active'),
      wrapped: z.string(),
      kmsKeyVersion: z.string(),
      createdAt: z.number().int(),
    }),
    z.object({ status: z.literal('destroyed'), destroyedAt: z.number().int() }),
  ]),
)

export type PersonalDataDeps = {
  readonly tenants: TenantFirestore
  readonly kms: Kms
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

type DataKey = Uint8Array | 'destroyed'

/** Each tenant's own data key, made with the first thing that is sealed and kept in this process a minute. */
export function personalData(deps: PersonalDataDeps): PersonalData {
  const kept = new Map<TenantId, { readonly atMs: number; readonly key: Promise<DataKey> }>()
  const dataKey = (ctx: TenantContext): Promise<DataKey> => {
    const nowMs = deps.clock.now()
    const known = kept.get(ctx.tenantId)
    if (known !== undefined && Math.abs(nowMs - known.atMs) < KEPT_MS) return known.key
    const key = loadKey(deps, ctx, nowMs)
    kept.delete(ctx.tenantId)
    kept.set(ctx.tenantId, { atMs: nowMs, key })
    key.catch(() => kept.delete(ctx.tenantId))
    const oldest = kept.size > MOST_KEPT ? kept.keys().next().value : undefined
    if (oldest !== undefined) kept.delete(oldest)
    return key
  }
  const usableKey = async (ctx: TenantContext): Promise<Uint8Array> => {
    const key = await dataKey(ctx)
    if (key === 'destroyed') throw new DependencyFailed("the tenant's data key is destroyed")
    return key
  }
  return {
    seal: async (ctx, text, purpose) =>
      sealText(await usableKey(ctx), deps.ids.bytes(NONCE_BYTES), ctx.tenantId, purpose, text),
    open: async (ctx, sealed, purpose) => {
      const key = await dataKey(ctx)
      return key === 'destroyed' ? undefined : openText(key, ctx.tenantId, purpose, sealed)
    },
    hash: async (ctx, text, purpose) => hashText(await usableKey(ctx), ctx.tenantId, purpose, text),
    destroy: async (ctx, nowMs) => {
      await destroyKey(deps, ctx, nowMs)
      kept.set(ctx.tenantId, { atMs: nowMs, key: Promise.resolve('destroyed') })
    },
  }
}

async function loadKey(deps: PersonalDataDeps, ctx: TenantContext, nowMs: number): Promise<DataKey> {
  const shred = await deps.tenants.withTenant(ctx, async (db) => (await db.find(PATH, parseShred))?.value)
  if (shred?.status === 'destroyed') return 'destroyed'
  const wrapped = shred?.wrapped ?? (await createKey(deps, ctx, nowMs))
  if (wrapped === 'destroyed') return 'destroyed'
  const bytes = Buffer.from(wrapped, 'base64url')
  const unwrapped = await deps.kms.decrypt(keyIdOf(ctx.tenantId), bytes, boundTo(ctx.tenantId))
  if (unwrapped === 'destroyed') return 'destroyed'
  const { plaintext: key, usedPrimary } = unwrapped
  if (key.length !== DATA_KEY_BYTES) throw new Error('a data key of a wrong length')
  if (!usedPrimary) await wrapAgain(deps, ctx, wrapped, key)
  return key
}

/**
 * Wraps the data key with the newest version of the tenant's key after that was rotated: with the old
 * version, somebody who tidies up would destroy all personal data. What fails is tried at the next load.
 */
async function wrapAgain(
  deps: PersonalDataDeps,
  ctx: TenantContext,
  old: string,
  key: Uint8Array,
): Promise<void> {
  try {
    const { ciphertext, keyVersion } = await wrap(deps, ctx, key)
    const wrapped = Buffer.from(ciphertext).toString('base64url')
    await deps.tenants.optimistic(ctx, undefined, async (db) => {
      const found = await db.find(PATH, parseShred)
      // Destroyed meanwhile, or wrapped again by another process.
      const stale = found?.value.status === 'active' && found.value.wrapped === old
      if (found === undefined || !stale) return ok({ value: undefined, writes: [] })
      const audit = [{ action: 'auth.data_key.wrapped_again', target: 'auth_shred/dek', outcome: keyVersion }]
      return ok({
        value: undefined,
        writes: [db.update(PATH, found, { wrapped, kmsKeyVersion: keyVersion })],
        audit,
      })
    })
  } catch (error) {
    deps.log.warn('data key not wrapped again', { tenantId: ctx.tenantId, ...errorFields(error) })
  }
}

/** Makes and stores a key; of two processes at once the slower one takes the other's. */
async function createKey(deps: PersonalDataDeps, ctx: TenantContext, nowMs: number): Promise<string> {
  const { ciphertext, keyVersion } = await wrap(deps, ctx, deps.ids.bytes(DATA_KEY_BYTES))
  const mine = Buffer.from(ciphertext).toString('base64url')
  const stored = await deps.tenants.optimistic(ctx, undefined, async (db) => {
    const found = await db.find(PATH, parseShred)
    if (found !== undefined) {
      return ok({ value: found.value.status === 'active' ? found.value.wrapped : 'destroyed', writes: [] })
    }
    const fields = { status: 'active', wrapped: mine, kmsKeyVersion: keyVersion, createdAt: nowMs }
    const audit = [{ action: 'auth.data_key.created', target: 'auth_shred/dek' }]
    return ok({ value: mine, writes: [db.create(PATH, fields)], audit })
  })
  if (!stored.ok || stored.value.duplicate) throw new Error('a data key was neither made nor found')
  return stored.value.value
}

/**
 * Provisioning makes a tenant's KMS key. The operators' own has nobody else to make it, and tenants from
 * before it did get theirs here; one that is leaving never does, or its key would outlive its purge.
 */
async function wrap(deps: PersonalDataDeps, ctx: TenantContext, key: Uint8Array) {
  const { tenantId } = ctx
  const { kms } = deps
  try {
    return await kms.encrypt(keyIdOf(tenantId), key, boundTo(tenantId))
  } catch (error) {
    if (!(error instanceof NoSuchKey) || !(await mayHaveKey(deps, ctx))) throw error
    await kms.ensureKey(keyIdOf(tenantId))
    return kms.encrypt(keyIdOf(tenantId), key, boundTo(tenantId))
  }
}

/** Of a tenant that auth knows nothing of, nobody can say that it is not gone. */
async function mayHaveKey({ tenants }: PersonalDataDeps, ctx: TenantContext): Promise<boolean> {
  if (ctx.tenantId === PLATFORM_TENANT) return true
  const state = await tenants.withTenant(ctx, (db) =>
    db.find(['auth_state', 'current'], parseTenantAuthState),
  )
  return state !== undefined && !KEYLESS.includes(state.value.status)
}

async function destroyKey(deps: PersonalDataDeps, ctx: TenantContext, nowMs: number): Promise<void> {
  await deps.tenants.optimistic(ctx, undefined, async (db) => {
    const found = await db.find(PATH, parseShred)
    if (found?.value.status === 'destroyed') return ok({ value: undefined, writes: [] })
    const grave = { status: 'destroyed', destroyedAt: nowMs }
    const writes =
      found === undefined
        ? [db.create(PATH, grave)]
        : [db.update(PATH, found, { ...grave, wrapped: '', kmsKeyVersion: '' })]
    return ok({
      value: undefined,
      writes,
      audit: [{ action: 'auth.data_key.destroyed', target: 'auth_shred/dek' }],
    })
  })
}

/** The name provisioning gives a tenant's key. */
export function keyIdOf(tenantId: TenantId): string {
  return `tenant-${tenantId}`
}

function boundTo(tenantId: TenantId): Buffer {
  return Buffer.from(`energent/data-key/v1\0${tenantId}`, 'utf8')
}
