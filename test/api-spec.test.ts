import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Document, isAlias, parseDocument, visit } from 'yaml'
import { FUNCTION_IDS } from '#shared/catalogue/functions.ts'
import { CALLED_BY_PAGES, ROUTES, type Route } from '#shared/catalogue/routes.ts'
import { DEPLOYMENT_MODELS, TIERS } from '#shared/catalogue/tiers.ts'

type Parameter = {
  name?: string
  in?: string
  required?: boolean
  type?: string
  $ref?: string
  pattern?: string
}
type Operation = {
  operationId: string
  summary: string
  tags: string[]
  security?: unknown[]
  consumes?: string[]
  parameters?: Parameter[]
  responses: Record<string, unknown>
  'x-google-backend'?: {
    address: string
    path_translation: string
    disable_auth?: boolean
    jwt_audience?: string
    deadline?: number
  }
}
type PathItem = { parameters?: Parameter[] } & Record<string, Operation | Parameter[] | undefined>

const TEXT = readFileSync(join(import.meta.dirname, '..', 'api-spec.yaml'), 'utf8')
const document: Document = parseDocument(TEXT, { merge: false })
const spec = document.toJS() as {
  swagger: string
  consumes: string[]
  security: unknown[]
  paths: Record<string, PathItem>
  parameters: Record<string, Parameter>
  definitions: Record<string, { enum?: string[] }>
  securityDefinitions: Record<string, Record<string, unknown>>
}
const METHODS = ['get', 'post', 'put', 'patch', 'delete']
const operations = Object.entries(spec.paths).flatMap(([path, item]) =>
  METHODS.flatMap((method) => {
    const operation = item[method] as Operation | undefined
    return operation === undefined
      ? []
      : [[operation.operationId, { path, method, operation, item }] as const]
  }),
)
const publicRoutes = Object.entries(ROUTES as Record<string, Route>).filter(
  ([, route]) => route.security !== 'scheduler',
)

function resolved(parameter: Parameter): Parameter {
  const name = parameter.$ref?.replace('#/parameters/', '')
  return name === undefined ? parameter : (spec.parameters[name] ?? {})
}

test('the spec is YAML without a fault and within what API Gateway takes', () => {
  expect(document.errors).toEqual([])
  expect(document.warnings).toEqual([])
  expect(spec.swagger).toBe('2.0')
  let aliases = 0
  visit(document, (_key, node) => {
    if (isAlias(node)) aliases += 1
  })
  expect(aliases).toBeLessThanOrEqual(200)
  expect(TEXT).not.toContain('\t')
})

test('it has the operations of the catalogue, each once, and no job of the scheduler', () => {
  expect(operations.map(([id]) => id).sort()).toEqual(publicRoutes.map(([id]) => id).sort())
  expect(Object.keys(spec.paths).filter((path) => path.startsWith('/internal'))).toEqual([])
})

test('every path item holds nothing but methods and parameters', () => {
  for (const item of Object.values(spec.paths)) {
    for (const key of Object.keys(item)) expect([...METHODS, 'options', 'parameters']).toContain(key)
  }
})

// The gateway answers no preflight itself: without these, a browser gets its 405 and the page an error.
test('browsers may ask before they call, on the paths of pages and on no other', () => {
  for (const [path, item] of Object.entries(spec.paths)) {
    const preflight = item['options'] as Operation | undefined
    const backends = new Set(
      METHODS.flatMap(
        (method) => (item[method] as Operation | undefined)?.['x-google-backend']?.address ?? [],
      ),
    )
    expect(preflight !== undefined, path).toBe(CALLED_BY_PAGES.test(path))
    if (preflight === undefined) continue
    expect(preflight.operationId).toMatch(/^preflight[A-Z]\w+$/)
    expect(preflight.security).toEqual([])
    expect(preflight['x-google-backend']?.path_translation).toBe('APPEND_PATH_TO_ADDRESS')
    // Whoever answers the path answers the question about it.
    expect([...backends]).toEqual([preflight['x-google-backend']?.address])
  }
  expect(TEXT).not.toContain('allowCors')
})

describe.each(operations)('%s', (id, { path, method, operation, item }) => {
  const route: Route = (ROUTES as Record<string, Route>)[id] as Route

  test('has the method and path of its route, with whole segments for parameters', () => {
    expect([method.toUpperCase(), path]).toEqual([route.method, route.path])
    for (const segment of path.split('/').filter((part) => part.includes('{')))
      expect(segment).toMatch(/^\{\w+\}$/)
    expect(path).toMatch(/^\/[^ ]*[^/]$/)
  })

  test('goes to its function with its path appended', () => {
    const backend = operation['x-google-backend']
    expect(backend?.address).toBe(`\${energent_${route.function.replaceAll('-', '_')}_uri}`)
    expect(FUNCTION_IDS).toContain(route.function)
    expect(backend?.path_translation).toBe('APPEND_PATH_TO_ADDRESS')
    expect(backend?.disable_auth).toBeUndefined()
    expect(backend?.jwt_audience).toBeUndefined()
  })

  test('asks for a token exactly when its route does', () => {
    const security = operation.security ?? spec.security
    expect(security).toEqual(route.security === 'public' ? [] : [{ energent: [] }])
  })

  test('declares its path parameters, and each other once', () => {
    const declared = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolved)
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    expect(
      declared
        .filter((parameter) => parameter.in === 'path')
        .map(({ name }) => name)
        .sort(),
    ).toEqual(inPath.sort())
    for (const parameter of declared) {
      expect(parameter.name).toBeTypeOf('string')
      if (parameter.in === 'path') expect(parameter).toMatchObject({ required: true, type: 'string' })
    }
    const keys = declared.map((parameter) => `${parameter.in} ${parameter.name}`)
    expect(new Set(keys).size).toBe(keys.length)
    if (route.method === 'GET')
      expect(declared.some((parameter) => ['body', 'formData'].includes(parameter.in ?? ''))).toBe(false)
  })

  test('takes the media types of its route', () => {
    if (route.accepts !== undefined) expect(operation.consumes ?? spec.consumes).toEqual(route.accepts)
  })

  test('says what it is for and how it answers', () => {
    expect(operation.summary.length).toBeGreaterThan(10)
    expect(operation.tags.length).toBe(1)
    expect(Object.keys(operation.responses).some((status) => /^[23]/.test(status))).toBe(true)
  })
})

test('every reference leads somewhere', () => {
  for (const [, kind = '', name = ''] of TEXT.matchAll(/\$ref: '#\/(\w+)\/(\w+)'/g)) {
    expect(
      (spec as unknown as Record<string, Record<string, unknown>>)[kind]?.[name],
      `${kind}/${name}`,
    ).toBeDefined()
  }
})

test('its lists are those of the catalogue', () => {
  expect(spec.definitions['Tier']?.enum).toEqual([...TIERS])
  expect(spec.definitions['DeploymentModel']?.enum).toEqual([...DEPLOYMENT_MODELS])
})

test('a token is taken from the Authorization header alone, for our issuer and audience', () => {
  const { energent } = spec.securityDefinitions
  expect(Object.keys(spec.securityDefinitions)).toEqual(['energent'])
  expect(energent?.['x-google-jwt-locations']).toEqual([
    { header: 'Authorization', value_prefix: 'Bearer ' },
    { header: 'Authorization', value_prefix: 'DPoP ' },
  ])
  expect(energent?.['x-google-issuer']).toBe(`\${public_base_url}`)
  expect(energent?.['x-google-audiences']).toBe(`\${public_base_url}`)
})
