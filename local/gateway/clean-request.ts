import type { IncomingMessage } from 'node:http'
import {
  findHeader,
  type HeaderList,
  headerValues,
  withHeader,
  withoutHeaders,
} from '#local/proxy/header-list.ts'
import { readSoundRequest, type SoundRequest } from '#local/proxy/sound-request.ts'
import { normalizePath } from './request-path.ts'

const OVERRIDE = 'x-http-method-override'

/** What every later step works with, or `undefined` for a request that is malformed (400). */
export function cleanRequest(request: IncomingMessage): SoundRequest | undefined {
  const sound = readSoundRequest(request)
  if (!sound) return undefined
  // Some servers read a_b and a-b as one name; Envoy refuses the request (HEADERS_WITH_UNDERSCORES).
  if (request.rawHeaders.some((name, index) => index % 2 === 0 && name.includes('_'))) return undefined
  const path = normalizePath(sound.path)
  if (path === undefined) return undefined
  const method = findHeader(sound.headers, OVERRIDE) ?? sound.method
  return { ...sound, method, path, headers: joinAuthorization(withoutHeaders(sound.headers, [OVERRIDE])) }
}

// ESPv2 registers Authorization as an inline field, of which Envoy joins copies by a comma: two tokens
// become one that is none.
function joinAuthorization(headers: HeaderList): HeaderList {
  const values = headerValues(headers, 'authorization')
  return values.length < 2 ? headers : withHeader(headers, 'Authorization', values.join(','))
}
