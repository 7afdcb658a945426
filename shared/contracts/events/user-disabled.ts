import { z } from 'zod'
import { defineEvent } from '../define-event.ts'

/** Fact of auth: a person may sign in no longer, and their tokens are dead. Ids only, never a name. */
export type UserDisabled = {
  tenantId: string
  userId: string
  reason: 'disabled' | 'deleted'
  at: string
}

export const userDisabled = defineEvent<UserDisabled>(
  'ai.energent.auth.user-disabled.v1',
  z.object({
    tenantId: z.string(),
    userId: z.string().regex(/^usr_[0-9A-Z]{26}$/),
    reason: z.enum(['disabled', 'deleted']),
    at: z.iso.datetime(),
  }),
  {
    tenantId: 'acme',
    userId: 'usr_01JD8K2M5QV7N9X3C6R8W1Y4ZA',
    reason: 'disabled',
    at: '2026-11-23T09:00:00.000Z',
  },
)
