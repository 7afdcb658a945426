import type { ApiKeyRule, JwtProvider, Location } from './spec.ts'
import {
  child,
  has,
  items,
  keys,
  nonEmptyText,
  onlyKeys,
  optionalText,
  type SpecNode,
  specError,
  text,
} from './spec-reader.ts'

/** What a security definition is to the gateway. Types it does not know are refused where they are used. */
type SecurityScheme =
  | { readonly kind: 'jwt'; readonly provider: JwtProvider }
  | { readonly kind: 'apiKey'; readonly location: Location }
  | { readonly kind: 'unsupported' }

type SecurityRule = {
  readonly jwtProviders: readonly JwtProvider[]
  readonly apiKey: ApiKeyRule | undefined
}

// Where Google looks when no location is declared (ESPv2, jwt_authn.go).
const DEFAULT_LOCATIONS: readonly Location[] = [
  { in: 'header', name: 'authorization', prefix: 'Bearer ' },
  { in: 'header', name: 'x-goog-iap-jwt-assertion', prefix: '' },
  { in: 'query', name: 'access_token' },
]

/** The security definitions by name: whose tokens, and which gateway keys, operations may require. */
export function readSecuritySchemes(root: SpecNode, serviceName: string): Map<string, SecurityScheme> {
  const schemes = new Map<string, SecurityScheme>()
  const node = child(root, 'securityDefinitions')
  if (node.value === undefined) return schemes
  const issuers = new Map<string, string>()
  for (const name of keys(node)) {
    const scheme = readScheme(child(node, name), name, serviceName)
    schemes.set(name, scheme)
    if (scheme.kind !== 'jwt') continue
    const other = issuers.get(scheme.provider.issuer)
    if (other !== undefined) {
      throw specError(
        `securityDefinitions.${name}`,
        `issuer "${scheme.provider.issuer}" is already that of "${other}"; each definition needs its own`,
      )
    }
    issuers.set(scheme.provider.issuer, name)
  }
  return schemes
}

/**
 * Reads a `security` list (operation, else root). Allowed as Google allows it: one API key and one JWT
 * together, a JWT or another JWT, and an empty requirement beside an API key, which makes it optional.
 */
export function readSecurity(node: SpecNode, schemes: ReadonlyMap<string, SecurityScheme>): SecurityRule {
  if (node.value === undefined) return { jwtProviders: [], apiKey: undefined }
  const alternatives = items(node).map((item) =>
    keys(item).map((name) => schemeOf(child(item, name), name, schemes)),
  )
  const used = alternatives.filter((names) => names.length > 0)
  const optional = used.length < alternatives.length
  const locations = used.flatMap((group) =>
    group.flatMap((one) => (one.kind === 'apiKey' ? [one.location] : [])),
  )
  const jwtProviders = used.flatMap((group) =>
    group.flatMap((one) => (one.kind === 'jwt' ? [one.provider] : [])),
  )
  if (used.some((group) => group.filter((one) => one.kind === 'jwt').length > 1)) {
    throw specError(node.place, 'two JWT definitions cannot be required together')
  }
  if (optional && jwtProviders.length > 0) {
    throw specError(node.place, 'an empty requirement cannot make a JWT optional')
  }
  const withoutKey = used.some((group) => !group.some((one) => one.kind === 'apiKey'))
  if (locations.length > 0 && withoutKey) {
    throw specError(node.place, 'an API key cannot be an alternative to something else')
  }
  return { jwtProviders, apiKey: locations.length > 0 ? { required: !optional, locations } : undefined }
}

function schemeOf(
  node: SpecNode,
  name: string,
  schemes: ReadonlyMap<string, SecurityScheme>,
): SecurityScheme {
  const scheme = schemes.get(name)
  if (!scheme) throw specError(node.place, `security definition "${name}" does not exist`)
  if (scheme.kind === 'unsupported') {
    throw specError(node.place, `"${name}" is neither an API key nor a definition with x-google-issuer`)
  }
  items(node)
  return scheme
}

function readScheme(node: SpecNode, id: string, serviceName: string): SecurityScheme {
  const type = nonEmptyText(child(node, 'type'))
  if (type === 'apiKey') return { kind: 'apiKey', location: readKeyLocation(node) }
  if (!has(node, 'x-google-issuer')) return { kind: 'unsupported' }
  const jwksUri = nonEmptyText(child(node, 'x-google-jwks_uri'))
  if (!URL.canParse(jwksUri))
    throw specError(child(node, 'x-google-jwks_uri').place, `"${jwksUri}" is not a URL`)
  const listed = optionalText(child(node, 'x-google-audiences'))
  const audiences = (listed ?? `https://${serviceName}`).split(',').map((audience) => audience.trim())
  return {
    kind: 'jwt',
    provider: {
      id,
      issuer: nonEmptyText(child(node, 'x-google-issuer')),
      jwksUri,
      audiences: audiences.filter((audience) => audience !== ''),
      locations: readJwtLocations(child(node, 'x-google-jwt-locations')),
    },
  }
}

function readKeyLocation(node: SpecNode): Location {
  const name = nonEmptyText(child(node, 'name'))
  const place = nonEmptyText(child(node, 'in'))
  if (place === 'header') return { in: 'header', name, prefix: '' }
  if (place === 'query') return { in: 'query', name }
  throw specError(child(node, 'in').place, `"${place}" is neither header nor query`)
}

function readJwtLocations(node: SpecNode): readonly Location[] {
  if (node.value === undefined) return DEFAULT_LOCATIONS
  return items(node).map((item): Location => {
    if (has(item, 'query')) {
      onlyKeys(item, ['query'])
      return { in: 'query', name: nonEmptyText(child(item, 'query')) }
    }
    onlyKeys(item, ['header', 'value_prefix'])
    const prefix = has(item, 'value_prefix') ? text(child(item, 'value_prefix')) : ''
    return { in: 'header', name: nonEmptyText(child(item, 'header')).toLowerCase(), prefix }
  })
}
