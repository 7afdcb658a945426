import { asRecord } from '#shared/json.ts'
import type { CloudAnswer, ClusterState, MembershipsPort } from '../ports/cloud.ts'
import { type GoogleRest, textOf, unlessMissing } from './google-rest.ts'

export type FleetOptions = {
  readonly rest: GoogleRest
  readonly project: string
  readonly projectNumber: string
  /** Where the Connect gateway is. */
  readonly gatewayUrl: string
}

const STATES: Readonly<Record<string, ClusterState>> = {
  CREATING: 'provisioning',
  READY: 'running',
  UPDATING: 'running',
  SERVICE_UPDATING: 'running',
  DELETING: 'stopping',
}

/**
 * Customers' own clusters in the fleet (gkehub v1, REST). Their API servers are reached through the
 * Connect gateway, over the connection that the agent inside the cluster keeps to Google.
 */
export function fleetMemberships(options: FleetOptions): MembershipsPort {
  const { gatewayUrl, project, projectNumber, rest } = options
  const pathOf = (name: string): string => `/v1/projects/${project}/locations/global/memberships/${name}`
  return {
    find: async (name, signal) => {
      const found = unlessMissing(await rest({ method: 'GET', path: pathOf(name), signal }))
      if (!found.ok || found.value === undefined) return found as CloudAnswer<undefined>
      const code = textOf(asRecord(found.value['state'])?.['code'])
      const tenantId = textOf(asRecord(found.value['labels'])?.['tenant-id'])
      const url = `${gatewayUrl}/v1/projects/${projectNumber}/locations/global/memberships/${name}`
      return {
        ok: true,
        value: {
          name,
          state: Object.hasOwn(STATES, code) ? (STATES[code] ?? 'provisioning') : 'provisioning',
          tenantId: tenantId === '' ? null : tenantId,
          address: { url, caCertificate: null },
        },
      }
    },
    delete: async (name, signal) => {
      const deleted = unlessMissing(await rest({ method: 'DELETE', path: pathOf(name), signal }))
      return deleted.ok ? { ok: true, value: undefined } : deleted
    },
  }
}
