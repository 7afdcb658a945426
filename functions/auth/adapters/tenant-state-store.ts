import { z } from 'zod'
import type { TenantFirestore } from '#shared/firestore/tenant-store.ts'
import { parser } from '#shared/json.ts'
import { ok } from '#shared/result.ts'
import { parseTenantAuthState } from '../domain/tenant-state.ts'
import type { TenantStateStore } from '../ports.ts'

const STATE = ['auth_state', 'current']

const parseBinding = parser(z.object({ cluster: z.string(), ns: z.string() }))

export function firestoreTenantStates(tenants: TenantFirestore): TenantStateStore {
  return {
    change: (ctx, claim, decide) =>
      tenants.optimistic(ctx, claim, async (db) => {
        const known = await db.find(STATE, parseTenantAuthState)
        const { state, binding, audit = [], revocations = [] } = decide(known?.value)
        const writes = []
        if (state !== undefined) {
          writes.push(
            known === undefined ? db.create(STATE, { ...state }) : db.update(STATE, known, { ...state }),
          )
        }
        if (binding !== undefined) {
          const { id, ...fields } = binding
          const path = ['auth_bindings', id]
          const there = await db.find(path, parseBinding)
          if (there === undefined) writes.push(db.create(path, fields))
        }
        return ok({ value: undefined, writes, audit, revocations, stateChanged: state !== undefined })
      }),
  }
}
