import { parseJson } from '#shared/json.ts'
import type { TenantProjection } from '../../../functions/billing/domain/tenant-projection.ts'
import type { Mutant } from '../mutant.ts'

type Element = { subject?: string; tenantid?: string; data?: { tenantId?: string } }

/** An edge that believes what the payload says of its tenant, whatever the envelope says. */
export const tenantFromPayload: Mutant = {
  name: 'tenant from payload',
  edge: (edge) => (request, response) => {
    const body = JSON.parse(request.rawBody?.toString() ?? '{}')
    const json = parseJson(Buffer.from(body.message.data, 'base64'))
    const believed = (json.ok ? [json.value].flat() : []).map((raw) => {
      const event = raw as Element
      const named = event.data?.tenantId
      return named === undefined ? event : { ...event, subject: `tenants/${named}`, tenantid: named }
    })
    const data = json.ok && Array.isArray(json.value) ? believed : believed[0]
    const message = { ...body.message, data: Buffer.from(JSON.stringify(data)).toString('base64') }
    const rawBody = Buffer.from(JSON.stringify({ ...body, message }))
    return edge(Object.assign(request, { rawBody }), response)
  },
}

/** Remembers what is known of a tenant, and not of which. */
export const cacheWithoutTenant: Mutant = {
  name: 'cache without tenant in its key',
  billing: (deps, { clock }) => {
    let cached: { projection: TenantProjection; untilMs: number } | undefined
    return {
      ...deps,
      tenants: {
        ...deps.tenants,
        find: async (ctx) => {
          if (cached !== undefined && clock.now() < cached.untilMs) return cached.projection
          const projection = await deps.tenants.findFresh(ctx)
          if (projection !== undefined) cached = { projection, untilMs: clock.now() + 60_000 }
          return projection
        },
      },
    }
  },
}
