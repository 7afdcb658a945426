import { z } from 'zod'
import { findCredential } from '#shared/firestore/credentials.ts'
import type { Database } from '#shared/firestore/database.ts'
import type { SystemFirestore } from '#shared/firestore/system.ts'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { timestamp } from '#shared/firestore/values.ts'
import { parser } from '#shared/json.ts'
import { ok, type Refusal, refuse } from '#shared/result.ts'
import { parseIssuedCode } from '../domain/authorization-code.ts'
import { type Connection, parseConnection } from '../domain/connection.ts'
import { MOST_DOMAINS, parseProvenDomain } from '../domain/proven-domain.ts'
import { parseSignInFlow, type SignInFlow } from '../domain/sign-in-flow.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { ConnectionStore, DomainStore, FlowStore, SignOnReader } from '../ports/sign-on.ts'
import { codeFields, codePath } from './code-store.ts'

const FLOWS = 'auth_flows'
const CONNECTIONS = 'auth_connections'
const DOMAINS = 'auth_domains'
const OWNERS = 'domainOwners'
const STATE = ['auth_state', 'current']
/** Counted in a document of its own: two requests at once cannot both take the last place. */
const COUNT = ['auth_limits', 'connections']
/** Far more than one session has on their way in a minute. */
const MOST_CODES = 50
/** More than any tier allows. */
const MOST_CONNECTIONS = 100

const parseCount = parser(z.object({ count: z.number().int().nonnegative() }))
const parseOwner = parser(z.object({ tenantId: z.string() }))

export function firestoreSignOnReader(database: Database): SignOnReader {
  return {
    findFlow: async (tenantId, flowId) => {
      const { state, credential } = await findCredential(database, tenantId, FLOWS, flowId, parseSignInFlow)
      return { state, flow: credential }
    },
    findConnection: async (tenantId, id) => {
      const { state, credential } = await findCredential(database, tenantId, CONNECTIONS, id, parseConnection)
      return { state, connection: credential }
    },
  }
}

export function firestoreFlowStore(tenants: TenantFirestore): FlowStore {
  return {
    begin: async (ctx, flow) => {
      await tenants.optimistic(ctx, undefined, async (db) =>
        ok({ value: undefined, writes: [db.create([FLOWS, flow.flowId], flowFields(flow))] }),
      )
    },
    claim: (ctx, flowId, nowMs) =>
      tenants.optimistic(ctx, undefined, async (db) => {
        const flow = await db.find([FLOWS, flowId], parseSignInFlow)
        if (flow === undefined || flow.value.usedAtMs !== null) return refuseUsed()
        return ok({ value: undefined, writes: [db.update([FLOWS, flowId], flow, { usedAtMs: nowMs })] })
      }),
    end: (ctx, flowId, nowMs, { code, audit }) =>
      tenants.optimistic(ctx, undefined, async (db) => {
        const flow = await db.find([FLOWS, flowId], parseSignInFlow)
        if (flow === undefined || flow.value.endedAtMs !== null) return refuseUsed()
        const writes = [db.update([FLOWS, flowId], flow, { endedAtMs: nowMs })]
        if (code !== undefined) writes.push(db.create(codePath(code.codeHash), codeFields(code)))
        return ok({ value: undefined, writes, audit })
      }),
    expireCodes: async (ctx, { connectionId, idpSid }, nowMs) => {
      await tenants.optimistic(ctx, undefined, async (db) => {
        const where = [
          ['connectionId', '==', connectionId],
          ['idpSid', '==', idpSid],
          ['usedAtMs', '==', null],
        ] as const
        const codes = await db.list(['auth_codes'], { where, limit: MOST_CODES }, parseIssuedCode)
        const live = codes.filter(({ value }) => value.expiresAtMs > nowMs)
        const writes = live.map((code) => db.update(codePath(code.id), code, { expiresAtMs: nowMs }))
        return ok({ value: undefined, writes })
      })
    },
  }
}

function refuseUsed(): Refusal {
  return refuse('callback.invalid', 'flow used before', 'This sign-in has ended already.')
}

function flowFields(flow: SignInFlow): Record<string, unknown> {
  return { ...flow, expireAt: timestamp(flow.expiresAtMs) }
}

export function firestoreConnectionStore(tenants: TenantFirestore): ConnectionStore {
  return {
    find: (ctx, id) =>
      tenants.withTenant(ctx, async (db) => {
        const found = (await db.find([CONNECTIONS, id], parseConnection))?.value
        return found?.status === 'deleted' ? undefined : found
      }),
    list: (ctx) =>
      tenants.withTenant(ctx, async (db) => {
        const there = [['status', 'in', ['active', 'disabled']] as const]
        const all = await db.list([CONNECTIONS], { where: there, limit: MOST_CONNECTIONS }, parseConnection)
        return all.map(({ value }) => value)
      }),
    change: (ctx, claim, connectionId, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const path = [CONNECTIONS, connectionId]
        const provenOnly = { where: [['status', '==', 'proven']] as const, limit: MOST_DOMAINS }
        const [state, known, count, domains] = await Promise.all([
          db.find(STATE, parseTenantAuthState),
          db.find(path, parseConnection),
          db.find(COUNT, parseCount),
          db.list([DOMAINS], provenOnly, parseProvenDomain),
        ])
        const number = count?.value.count ?? 0
        const decided = decide({
          state: state?.value,
          connection: known?.value,
          count: number,
          proven: domains.map(({ value }) => value.domain),
        })
        if (!decided.ok) return decided
        const { value, connection, events = [], audit = [] } = decided.value
        const writes = []
        if (connection !== undefined) {
          const fields = connectionFields(connection)
          writes.push(known === undefined ? db.create(path, fields) : db.update(path, known, fields))
          const by = placesOf(connection) - placesOf(known?.value)
          const counted = { count: Math.max(0, number + by) }
          if (by !== 0)
            writes.push(count === undefined ? db.create(COUNT, counted) : db.update(COUNT, count, counted))
          // A tenant that was suspended or became smaller in between must not get one.
          if (state !== undefined) writes.push(db.verify(STATE, state))
        }
        const outgoing = events.map((event) => ({ topic: 'auth-facts' as const, event }))
        return ok({ value, writes, events: outgoing, audit })
      }),
  }
}

function placesOf(connection: Connection | undefined): number {
  return connection === undefined || connection.status === 'deleted' ? 0 : 1
}

function connectionFields(connection: Connection): Record<string, unknown> {
  return { ...connection, metadata: { ...connection.metadata }, claimMap: { ...connection.claimMap } }
}

export function firestoreDomainStore(tenants: TenantFirestore, system: SystemFirestore): DomainStore {
  return {
    list: (ctx) =>
      tenants.withTenant(ctx, async (db) => {
        const all = await db.list([DOMAINS], { limit: MOST_DOMAINS }, parseProvenDomain)
        return all.map(({ value }) => value)
      }),
    find: (ctx, id) =>
      tenants.withTenant(ctx, async (db) => (await db.find([DOMAINS, id], parseProvenDomain))?.value),
    findOrCreate: async (ctx, wanted, check) => {
      const made = await tenants.optimistic(ctx, undefined, async (db) => {
        const path = [DOMAINS, wanted.domainId]
        const [state, known, all] = await Promise.all([
          db.find(STATE, parseTenantAuthState),
          db.find(path, parseProvenDomain),
          db.list([DOMAINS], { limit: MOST_DOMAINS }, parseProvenDomain),
        ])
        const allowed = check(state?.value)
        if (!allowed.ok) return allowed
        if (known !== undefined) return ok({ value: known.value, writes: [] })
        if (all.length >= MOST_DOMAINS) {
          return refuse('domain.invalid', 'too many', `A tenant has at most ${MOST_DOMAINS} domains.`)
        }
        const audit = [{ action: 'auth.domain.claimed', target: wanted.domainId }]
        return ok({ value: wanted, writes: [db.verify(STATE, state), db.create(path, { ...wanted })], audit })
      })
      if (!made.ok) return made
      return ok(made.value.duplicate ? wanted : made.value.value)
    },
    prove: async (ctx, domainId, nowMs) => {
      const proven = await tenants.optimistic(ctx, undefined, async (db) => {
        const path = [DOMAINS, domainId]
        const [known, owner] = await Promise.all([
          db.find(path, parseProvenDomain),
          system.find(OWNERS, domainId, parseOwner),
        ])
        if (known === undefined) return refuse('resource.not_found', 'no such domain')
        if (owner !== undefined && owner.value.tenantId !== ctx.tenantId) {
          return refuse('domain.taken', 'proven by another tenant')
        }
        if (known.value.status === 'proven') return ok({ value: known.value, writes: [] })
        const value = { ...known.value, status: 'proven' as const, provenAt: nowMs }
        const writes = [db.update(path, known, { status: 'proven', provenAt: nowMs })]
        if (owner === undefined) {
          writes.push(db.createSystem(OWNERS, domainId, { tenantId: ctx.tenantId, provenAt: nowMs }))
        } else {
          // Given up in this moment, it may be another tenant's in the next.
          writes.push(db.verifySystem(OWNERS, domainId, owner))
        }
        return ok({ value, writes, audit: [{ action: 'auth.domain.proven', target: domainId }] })
      })
      if (!proven.ok) return proven
      return proven.value.duplicate
        ? refuse('domain.taken', 'proven by another tenant')
        : ok(proven.value.value)
    },
  }
}
