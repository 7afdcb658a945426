import { newEvent } from '#shared/contracts/new-event.ts'
import type { TenantId } from '#shared/ids.ts'
import { NOW, type World } from './world.ts'

type Command = { id: string; tenant?: string; operationId?: string }

export function aFreeze({
  id,
  tenant = 'acme',
  operationId = 'op_1',
  ...rest
}: Command & { sequence?: string; limitSeconds?: number }) {
  const data = { operationId, ...rest }
  return aCommand('slots-freeze-requested', { id, tenant }, data)
}

export function aTierCharge(
  fields: Command & {
    tier?: string
    effective?: 'now' | 'period_end'
    fromTier?: string
    nowMs?: number
  },
) {
  const { id, tenant = 'acme', operationId = 'op_1', tier = 'premium', effective, fromTier } = fields
  const data = {
    operationId,
    tier,
    ...(effective === undefined ? {} : { effective }),
    ...(fromTier === undefined ? {} : { fromTier }),
  }
  return aCommand('tier-charge-requested', { id, tenant }, data)
}

function aCommand(what: string, { id, tenant }: { id: string; tenant: string }, data: object) {
  const tenantId = tenant as TenantId
  return newEvent({
    id,
    source: '//energent.ai/tenant-events',
    type: `ai.energent.billing.${what}.v1`,
    tenantId,
    nowMs: NOW,
    commandSequence: 1n,
    data: { tenantId, ...data },
  })
}

type Published = { type: string; id: string; data: Record<string, unknown>; [name: string]: unknown }

/** The facts that were published, as they were. */
export function factsOf(world: World): Published[] {
  return published(world, 'billing-facts')
}

/** The units of work that were asked for since the last look. */
export function workUnits(world: World): Published[] {
  const units = published(world, 'billing-work')
  const rest = world.published.filter(({ topic }) => topic !== 'billing-work')
  world.published.splice(0, world.published.length, ...rest)
  return units
}

function published(world: World, topic: string): Published[] {
  return world.published
    .filter((message) => message.topic === topic)
    .map((message) => JSON.parse(Buffer.from(message.data).toString()) as Published)
}
