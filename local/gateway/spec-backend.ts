import type { Backend } from './spec.ts'
import {
  child,
  has,
  nonEmptyText,
  number,
  onlyKeys,
  optionalFlag,
  optionalText,
  type SpecNode,
  specError,
} from './spec-reader.ts'

const DEFAULT_DEADLINE_MS = 15_000
const KNOWN = ['address', 'jwt_audience', 'disable_auth', 'path_translation', 'deadline', 'protocol']

/**
 * Reads an `x-google-backend`. Stricter than Google in one point: `path_translation` must be written,
 * because its default differs between the root and an operation.
 */
export function readBackend(node: SpecNode): Backend {
  onlyKeys(node, KNOWN)
  const address = nonEmptyText(child(node, 'address'))
  const url = parseAddress(child(node, 'address'), address)
  checkProtocol(child(node, 'protocol'))
  return {
    address,
    protocol: url.protocol === 'https:' ? 'https:' : 'http:',
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
    host: url.host,
    basePath: url.pathname.replace(/\/$/, ''),
    translation: readTranslation(node),
    deadlineMs: readDeadline(child(node, 'deadline')),
    audience: readAudience(node, url),
  }
}

function parseAddress(node: SpecNode, address: string): URL {
  if (!URL.canParse(address)) throw specError(node.place, `"${address}" is not an address`)
  const url = new URL(address)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw specError(node.place, `"${address}" must begin with https:// or http://`)
  }
  if (url.search !== '' || url.hash !== '' || url.username !== '') {
    throw specError(node.place, `"${address}" must be scheme, host and path only`)
  }
  return url
}

function readTranslation(node: SpecNode): Backend['translation'] {
  if (!has(node, 'path_translation')) {
    throw specError(
      node.place,
      'path_translation is missing; its default depends on the level, so it must be written',
    )
  }
  const value = nonEmptyText(child(node, 'path_translation'))
  if (value === 'APPEND_PATH_TO_ADDRESS' || value === 'CONSTANT_ADDRESS') return value
  throw specError(
    child(node, 'path_translation').place,
    `"${value}" is neither APPEND_PATH_TO_ADDRESS nor CONSTANT_ADDRESS`,
  )
}

function readDeadline(node: SpecNode): number {
  if (node.value === undefined) return DEFAULT_DEADLINE_MS
  const seconds = number(node)
  return seconds > 0 ? seconds * 1000 : DEFAULT_DEADLINE_MS
}

function readAudience(node: SpecNode, url: URL): string | undefined {
  const audience = optionalText(child(node, 'jwt_audience'))
  const disabled = optionalFlag(child(node, 'disable_auth'))
  if (audience !== undefined && disabled !== undefined) {
    throw specError(node.place, 'jwt_audience and disable_auth exclude each other')
  }
  return disabled === true ? undefined : (audience ?? `${url.protocol}//${url.host}`)
}

function checkProtocol(node: SpecNode): void {
  const value = optionalText(node)
  if (value === undefined || value === 'http/1.1' || value === 'h2') return
  throw specError(node.place, `"${value}" is neither http/1.1 nor h2`)
}
