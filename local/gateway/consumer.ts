import { findHeader, type HeaderList } from '#local/proxy/header-list.ts'
import { findQueryParameter } from './request-path.ts'
import type { ApiKeyRule, Location } from './spec.ts'

/** What Service Control knows of a gateway key. */
type ApiKey = {
  /** The project number that the key belongs to. */
  readonly consumerNumber: string
  readonly state:
    | 'active'
    | 'invalid'
    | 'notFound'
    | 'expired'
    | 'apiNotEnabled'
    | 'ipBlocked'
    | 'refererBlocked'
    | 'appBlocked'
    | 'targetBlocked'
}

/** The table of keys; a `Map` will do. A key that is not in it is invalid. */
export type ApiKeys = { get(key: string): ApiKey | undefined }

type ConsumerDecision =
  | { readonly consumer: string | undefined }
  | { readonly status: number; readonly message: string }

const REQUIRED =
  "UNAUTHENTICATED: Method doesn't allow unregistered callers (callers without established identity). " +
  'Please use API Key or other form of API consumer identity to call this API.'

// ESPv2, check_response_convert_utils.cc; the space after PERMISSION_DENIED is doubled in one of them there.
const REFUSALS: Readonly<
  Record<Exclude<ApiKey['state'], 'active' | 'apiNotEnabled'>, readonly [number, string]>
> = {
  invalid: [400, 'INVALID_ARGUMENT: API key not valid. Please pass a valid API key.'],
  notFound: [400, 'INVALID_ARGUMENT: API key not found. Please pass a valid API key.'],
  expired: [400, 'INVALID_ARGUMENT: API key expired. Please renew the API key.'],
  ipBlocked: [403, 'PERMISSION_DENIED: IP address blocked.'],
  refererBlocked: [403, 'PERMISSION_DENIED: Referer blocked.'],
  appBlocked: [403, 'PERMISSION_DENIED: Client application blocked.'],
  targetBlocked: [
    403,
    'PERMISSION_DENIED:  The API targeted by this request is invalid for the given API key.',
  ],
}

/** Which project calls, told by its gateway key. Without a rule there is no consumer and no refusal. */
export function checkConsumer(
  rule: ApiKeyRule | undefined,
  keys: ApiKeys,
  serviceName: string,
  headers: HeaderList,
  query: string,
): ConsumerDecision {
  if (!rule) return { consumer: undefined }
  const presented = findKey(rule.locations, headers, query)
  if (presented === undefined)
    return rule.required ? { status: 401, message: REQUIRED } : { consumer: undefined }
  const key = keys.get(presented)
  const state = key?.state ?? 'invalid'
  if (key && state === 'active') return { consumer: key.consumerNumber }
  if (state === 'apiNotEnabled') {
    return { status: 403, message: `PERMISSION_DENIED: API ${serviceName} is not enabled for the project.` }
  }
  const [status, message] = REFUSALS[state === 'active' ? 'invalid' : state]
  return { status, message }
}

// The query is looked at before the headers, each in the order declared.
function findKey(locations: readonly Location[], headers: HeaderList, query: string): string | undefined {
  for (const place of locations) {
    const value = place.in === 'query' ? findQueryParameter(query, place.name) : undefined
    if (value !== undefined && value !== '') return value
  }
  for (const place of locations) {
    const value = place.in === 'header' ? findHeader(headers, place.name) : undefined
    if (value !== undefined && value !== '') return value
  }
  return undefined
}
