import type { ApiReply } from '#shared/http/types.ts'
import { REFUSALS, type RefusalCode } from '#shared/refusals.ts'
import type { Refusal } from '#shared/result.ts'

/** Our codes in the words of SCIM (RFC 7644 §3.12, table 9). */
const SCIM_TYPES: Partial<Record<RefusalCode, string>> = {
  'scim.filter_invalid': 'invalidFilter',
  'scim.path_invalid': 'invalidPath',
  'scim.no_target': 'noTarget',
  'scim.value_invalid': 'invalidValue',
  'scim.syntax_invalid': 'invalidSyntax',
  'request.malformed': 'invalidSyntax',
  'scim.immutable': 'mutability',
  'scim.not_unique': 'uniqueness',
  'scim.too_many': 'tooMany',
}

const SCIM_JSON = { 'content-type': 'application/scim+json' }

export function scimReply(status: number, resource: unknown, headers: Record<string, string> = {}): ApiReply {
  return { status, headers: { ...headers, ...SCIM_JSON }, json: resource }
}

/** A refusal as a SCIM error. Like the problem it stands for, a 404 says the same whatever is missing. */
export function scimErrorReply(refusal: Refusal): ApiReply {
  const { status, title } = REFUSALS[refusal.code]
  const scimType = SCIM_TYPES[refusal.code]
  return {
    status,
    headers: {
      ...SCIM_JSON,
      ...(status === 401 ? { 'www-authenticate': 'Bearer realm="scim"' } : {}),
      ...(status === 429 || status === 503 ? { 'retry-after': '1' } : {}),
    },
    json: {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
      status: String(status),
      ...(scimType === undefined ? {} : { scimType }),
      detail: (status === 404 ? undefined : refusal.hint) ?? title,
    },
  }
}
