import type { Backend, GatewaySpec, Operation } from './spec.ts'
import { readBackend } from './spec-backend.ts'
import { readMetricCosts, readQuotaLimits } from './spec-quota.ts'
import {
  child,
  has,
  items,
  keys,
  nonEmptyText,
  optionalFlag,
  optionalText,
  type SpecNode,
  specError,
} from './spec-reader.ts'
import { readSecurity, readSecuritySchemes } from './spec-security.ts'
import { parseYaml, resolve, substitute } from './spec-text.ts'
import { compareTemplates, parseUriTemplate, type UriTemplate } from './uri-template.ts'

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch']

/**
 * Reads `api-spec.yaml` (OpenAPI 2.0 with Google's extensions), its Terraform variables filled in.
 *
 * Throws a `SpecError` at the first thing API Gateway would refuse when the config is created, and at a
 * few it would accept to our harm: a missing `path_translation`, `x-google-allow: all`. The message is
 * one line that names the place. Sources: OpenAPI 2.0; Google's page on OpenAPI extensions.
 */
export function loadSpec(text: string, variables: Readonly<Record<string, string>>): GatewaySpec {
  const root = parseYaml(substitute(text, variables))
  if (child(root, 'swagger').value !== '2.0') throw specError('swagger', 'must be "2.0"')
  refuseAllowAll(root)
  const serviceName = optionalText(child(root, 'host')) ?? 'localhost'
  const quotaLimits = readQuotaLimits(root)
  const schemes = readSecuritySchemes(root, serviceName)
  const rootBackend = has(root, 'x-google-backend') ? readBackend(child(root, 'x-google-backend')) : undefined
  const paths = child(root, 'paths')
  const operations = keys(paths)
    .filter((path) => !path.startsWith('x-'))
    .flatMap((path) => {
      const item = resolve(root, child(paths, path))
      const template = readTemplate(root, child(paths, path), path)
      return readMethods(item).map((method): Operation => {
        const node = child(item, method)
        const security = readSecurity(
          has(node, 'security') ? child(node, 'security') : child(root, 'security'),
          schemes,
        )
        return {
          operationId: optionalText(child(node, 'operationId')),
          method: method.toUpperCase(),
          template,
          backend: backendOf(node, rootBackend),
          ...security,
          metricCosts: readMetricCosts(node, quotaLimits),
        }
      })
    })
  checkDistinct(operations)
  const all = allowsCors(root) ? [...operations, ...preflights(operations)] : operations
  const sorted = all.toSorted(
    (a, b) => compareTemplates(a.template, b.template) || (a.method < b.method ? -1 : 1),
  )
  const jwtProviders = [...schemes.values()].flatMap((scheme) =>
    scheme.kind === 'jwt' ? [scheme.provider] : [],
  )
  return { serviceName, operations: sorted, jwtProviders, quotaLimits }
}

function refuseAllowAll(root: SpecNode): void {
  const allow = optionalText(child(root, 'x-google-allow'))
  if (allow === undefined || allow === 'configured') return
  throw specError('x-google-allow', `"${allow}" would let undeclared paths through unchecked; leave it out`)
}

function readTemplate(root: SpecNode, node: SpecNode, path: string): UriTemplate {
  const basePath = (optionalText(child(root, 'basePath')) ?? '').replace(/\/$/, '')
  if (basePath !== '' && !basePath.startsWith('/')) throw specError('basePath', 'must begin with "/"')
  const parsed = path.startsWith('/') ? parseUriTemplate(`${basePath}${path}`) : undefined
  if (!parsed) throw specError(node.place, `invalid uri template "${path}"`)
  return parsed
}

function readMethods(item: SpecNode): string[] {
  const methods = keys(item).filter((key) => key !== 'parameters' && key !== '$ref' && !key.startsWith('x-'))
  const stranger = methods.find((method) => !METHODS.includes(method))
  if (stranger !== undefined) throw specError(item.place, `unknown method "${stranger}"`)
  return methods
}

function backendOf(operation: SpecNode, rootBackend: Backend | undefined): Backend {
  if (has(operation, 'x-google-backend')) return readBackend(child(operation, 'x-google-backend'))
  if (rootBackend) return rootBackend
  throw specError(operation.place, 'no x-google-backend here or at the root')
}

function checkDistinct(operations: readonly Operation[]): void {
  const patterns = new Map<string, Operation>()
  const ids = new Set<string>()
  for (const operation of operations) {
    const { method, template, operationId } = operation
    const place = `paths.${template.source}.${method.toLowerCase()}`
    const other = patterns.get(`${method} ${template.key}`)
    if (other) {
      throw specError(
        place,
        `duplicate http pattern "${method} ${template.source}" (also "${other.template.source}")`,
      )
    }
    patterns.set(`${method} ${template.key}`, operation)
    if (operationId === undefined) continue
    if (ids.has(operationId)) throw specError(place, `operationId "${operationId}" is used twice`)
    ids.add(operationId)
  }
}

function allowsCors(root: SpecNode): boolean {
  const endpoints = child(root, 'x-google-endpoints')
  if (endpoints.value === undefined) return false
  return items(endpoints).some((endpoint) => {
    nonEmptyText(child(endpoint, 'name'))
    return optionalFlag(child(endpoint, 'allowCors')) === true
  })
}

// With allowCors every declared path answers OPTIONS from its backend, without credentials
// (ESPv2, proxy_cors.go).
function preflights(operations: readonly Operation[]): Operation[] {
  const declared = new Set(
    operations.filter(({ method }) => method === 'OPTIONS').map(({ template }) => template.key),
  )
  const first = new Map<string, Operation>()
  for (const operation of operations) {
    const { key } = operation.template
    if (!declared.has(key) && !first.has(key)) first.set(key, operation)
  }
  return [...first.values()].map((operation) => ({
    ...operation,
    operationId: undefined,
    method: 'OPTIONS',
    jwtProviders: [],
    apiKey: undefined,
    metricCosts: [],
  }))
}
