import { createHash } from 'node:crypto'
import { isDemoProject, required } from '#shared/config.ts'
import { type Paging, paging } from '#shared/http/paging.ts'
import type { Platform } from '#shared/wiring.ts'

/** The paging of this API's lists. */
export function apiPages({ config, ids }: Pick<Platform, 'config' | 'ids'>): Paging {
  return paging(pageKey(config), ids)
}

/** Demo projects have nobody to keep a secret from, and no place where it would be kept. */
function pageKey(config: Platform['config']): Uint8Array {
  const { GOOGLE_CLOUD_PROJECT: project, PAGE_TOKEN_KEY: key } = config
  if (key === undefined && isDemoProject(project)) return createHash('sha256').update(project).digest()
  return required('PAGE_TOKEN_KEY', key)
}
