import { createHash } from 'node:crypto'
import { isDemoProject, required } from '#shared/config.ts'
import { type Paging, paging } from '#shared/http/paging.ts'
import type { Platform } from '#shared/wiring.ts'

/** Lists of usage and invoices are read by machines: larger pages, fewer requests. */
const MOST_PAGE_SIZE = 500

/** The paging of every list of this group. */
export function billingPages({ config, ids }: Pick<Platform, 'config' | 'ids'>): Paging {
  return paging(pageKey(config), ids, MOST_PAGE_SIZE)
}

/** Demo projects have nobody to keep a secret from, and no place where it would be kept. */
function pageKey(config: Platform['config']): Uint8Array {
  const { GOOGLE_CLOUD_PROJECT: project, PAGE_TOKEN_KEY: key } = config
  if (key === undefined && isDemoProject(project)) return createHash('sha256').update(project).digest()
  return required('PAGE_TOKEN_KEY', key)
}
