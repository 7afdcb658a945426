import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: a person has other roles than before. Ids and role names only. */
export type UserRolesChanged = {
  tenantId: string
  userId: string
  roles: string[]
  at: string
}

export const userRolesChanged = defineEvent<UserRolesChanged>(
  'ai.energent.auth.user-roles-changed.v1',
  z.object({
    tenantId: z.string(),
    userId: z.string().regex(/^usr_[0-9A-Z]{26}$/),
    roles: z.array(z.string().min(1).max(64)).max(64),
    at: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    userId: 'usr_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
    roles: ['admin'],
    at: '2026-11-23T09:00:00.000Z',
  },
)
