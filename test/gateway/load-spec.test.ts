import { describe, expect, test } from 'vitest'
import { startGateway } from '#local/gateway/gateway.ts'
import { loadSpec } from '#local/gateway/load-spec.ts'
import { specOf } from './fixtures/stack.ts'

const VARIABLES = { backend_uri: 'https://fn.example' }
const load = (paths: string, extra = '', change: (text: string) => string = (text) => text) =>
  loadSpec(change(specOf(paths, extra)), VARIABLES)
const GET = '{ get: { responses: {} } }'
const backend = (fields: string) => `  /x: { get: { x-google-backend: { ${fields} }, responses: {} } }`

describe('variables', () => {
  test('every variable is filled in, and an escaped one stays a literal', () => {
    const spec = load(`  /x: ${GET}`, `x-note: "$\${kept} \${backend_uri}"`)
    expect(spec.operations[0]?.backend).toMatchObject({
      address: 'https://fn.example',
      audience: 'https://fn.example',
    })
  })

  test.each([
    ['an unknown one', `x-note: \${nowhere}`, /line \d+: unknown variable "nowhere"/],
    ['one that only every object has', `x-note: \${constructor}`, /unknown variable "constructor"/],
    ['an expression', `x-note: \${upper(backend_uri)}`, /expression; only plain variables/],
    ['a directive', 'x-note: "%{ if true }"', /directives/],
    ['one without end', `x-note: \${backend_uri`, /does not end/],
  ])('%s is refused with its line', (_name, extra, message) => {
    expect(() => load(`  /x: ${GET}`, extra)).toThrow(message)
  })
})

// What API Gateway refuses when a config is created, and where we say it stands.
describe('config errors are one line that names the place', () => {
  test.each([
    ['E9: a path declared twice', `  /x: ${GET}\n  /x: ${GET}`, '', /line \d+: Map keys must be unique/],
    [
      'E9: variables that differ by name only',
      `  "/a/{x}": ${GET}\n  "/a/{y}": ${GET}`,
      '',
      /paths\.\/a\/\{y\}\.get: duplicate http pattern "GET \/a\/\{y\}"/,
    ],
    [
      'E9: a wildcard where a variable is',
      `  "/a/{x}": ${GET}\n  "/a/*": ${GET}`,
      '',
      /duplicate http pattern/,
    ],
    [
      'E10: a variable within a segment',
      `  "/a/pre_{id}": ${GET}`,
      '',
      /paths\.\/a\/pre_\{id\}: invalid uri template/,
    ],
    ['E10: a verb behind a variable', `  "/a/{id}:cancel": ${GET}`, '', /invalid uri template/],
    ['E10: nested variables', `  "/a/{x={y}}": ${GET}`, '', /invalid uri template/],
    ['E10: a wildcard after **', `  "/a/**/b/*": ${GET}`, '', /invalid uri template/],
    ['E10: a variable after **', `  "/a/**/{x}": ${GET}`, '', /invalid uri template/],
    ['E10: an open brace', `  "/a/{x": ${GET}`, '', /invalid uri template/],
    ['E10: an empty segment', `  "/a//b": ${GET}`, '', /invalid uri template/],
    ['E10: an empty variable', `  "/a/{}": ${GET}`, '', /invalid uri template/],
    ['a variable named twice', `  "/a/{x}/{x}": ${GET}`, '', /invalid uri template/],
    ['a path without slash', `  "a": ${GET}`, '', /invalid uri template/],
    ['an unknown method', '  /x: { fetch: { responses: {} } }', '', /paths\.\/x: unknown method "fetch"/],
    [
      'an operationId twice',
      '  /x: { get: { operationId: a, responses: {} }, post: { operationId: a, responses: {} } }',
      '',
      /operationId "a" is used twice/,
    ],
    [
      'no path_translation',
      backend('address: "https://h"'),
      '',
      /paths\.\/x\.get\.x-google-backend: path_translation is missing/,
    ],
    [
      'a wrong path_translation',
      backend('address: "https://h", path_translation: APPEND'),
      '',
      /path_translation: "APPEND" is neither/,
    ],
    [
      'no address',
      backend('path_translation: CONSTANT_ADDRESS'),
      '',
      /x-google-backend\.address: expected a text/,
    ],
    [
      'an address that is none',
      backend('address: nowhere, path_translation: CONSTANT_ADDRESS'),
      '',
      /"nowhere" is not an address/,
    ],
    [
      'an address with a query',
      backend('address: "https://h/x?a=1", path_translation: CONSTANT_ADDRESS'),
      '',
      /scheme, host and path only/,
    ],
    [
      'an address of another scheme',
      backend('address: "ftp://h", path_translation: CONSTANT_ADDRESS'),
      '',
      /https:\/\/ or http/,
    ],
    [
      'a misspelt backend key',
      backend('adress: "https://h", path_translation: CONSTANT_ADDRESS'),
      '',
      /unknown key "adress"/,
    ],
    [
      'audience and disable_auth',
      backend(
        'address: "https://h", path_translation: CONSTANT_ADDRESS, jwt_audience: a, disable_auth: true',
      ),
      '',
      /exclude each other/,
    ],
    [
      'a deadline in words',
      backend('address: "https://h", path_translation: CONSTANT_ADDRESS, deadline: 5s'),
      '',
      /deadline: expected a number/,
    ],
    [
      'an unknown security name',
      '  /x: { get: { security: [{ nobody: [] }], responses: {} } }',
      '',
      /paths\.\/x\.get\.security\[0\]\.nobody: security definition "nobody" does not exist/,
    ],
    [
      'an unsupported security type',
      '  /x: { get: { security: [{ basic: [] }], responses: {} } }',
      '  basic: { type: basic }',
      /neither an API key nor/,
    ],
    [
      'JWT or API key',
      '  /x: { get: { security: [{ user: [] }, { gatewayKey: [] }], responses: {} } }',
      '',
      /cannot be an alternative/,
    ],
    [
      'JWT and JWT',
      '  /x: { get: { security: [{ user: [], other: [] }], responses: {} } }',
      '  other: { type: oauth2, x-google-issuer: o, x-google-jwks_uri: "https://o/j" }',
      /cannot be required together/,
    ],
    [
      'an optional JWT',
      '  /x: { get: { security: [{ user: [] }, {}], responses: {} } }',
      '',
      /cannot make a JWT optional/,
    ],
    [
      'an issuer twice',
      `  /x: ${GET}`,
      '  other: { type: oauth2, x-google-issuer: "https://issuer.example", x-google-jwks_uri: "https://o/j" }',
      /securityDefinitions\.other: issuer "https:\/\/issuer\.example" is already that of "user"/,
    ],
    ['no jwks_uri', `  /x: ${GET}`, '  other: { type: oauth2, x-google-issuer: o }', /x-google-jwks_uri/],
    [
      'a misspelt jwt location',
      `  /x: ${GET}`,
      '  other: { type: oauth2, x-google-issuer: o, x-google-jwks_uri: "https://o/j", x-google-jwt-locations: [{ header: A, valuePrefix: B }] }',
      /unknown key "valuePrefix"/,
    ],
    [
      'a $ref to nothing',
      '  /x: { get: { responses: { "200": { schema: { $ref: "#/definitions/Gone" } } } } }',
      '',
      /\$ref "#\/definitions\/Gone" cannot be resolved/,
    ],
    [
      'a $ref outside',
      '  /x: { get: { responses: { "200": { schema: { $ref: "other.yaml#/A" } } } } }',
      '',
      /points outside the document/,
    ],
    ['x-google-allow: all', `  /x: ${GET}`, 'x-google-allow: all', /x-google-allow: "all"/],
    [
      'a cost without a limit',
      '  /x: { get: { x-google-quota: { metricCosts: { m: 1 } }, responses: {} } }',
      '',
      /metric "m" has no limit/,
    ],
    [
      'another quota unit',
      `  /x: ${GET}`,
      'x-google-management: { metrics: [{ name: m }], quota: { limits: [{ name: l, metric: m, unit: "1/d/{project}", values: { STANDARD: 1 } }] } }',
      /only unit/,
    ],
  ])('%s', (_name, paths, extra, message) => {
    let thrown: unknown
    try {
      load(paths, extra)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(Error)
    const text = thrown instanceof Error ? thrown.message : ''
    expect(text).toMatch(message)
    expect(text).toMatch(/^api-spec\.yaml: [^\n]+$/)
  })

  test('an operation without any backend', () => {
    const without = (text: string) => text.replace(/x-google-backend:\n.*\n.*\n/, '')
    expect(() => load(`  /x: ${GET}`, '', without)).toThrow(
      /paths\.\/x\.get: no x-google-backend here or at the root/,
    )
  })

  test('OpenAPI 3, broken YAML and an empty text', () => {
    expect(() => loadSpec('openapi: 3.0.4\npaths: {}', {})).toThrow(/swagger: must be "2.0"/)
    expect(() => loadSpec('swagger: "2.0"\npaths: [', {})).toThrow(/^api-spec\.yaml: line \d+: [^\n]+$/)
    expect(() => loadSpec('', {})).toThrow(/expected an object/)
  })

  test('an alias bomb is refused, not expanded', () => {
    const bomb = [
      'a: &a [x]',
      ...'bcdefgh'.split('').map((name, index) => `${name}: &${name} [${`*${'abcdefg'[index]},`.repeat(9)}]`),
    ]
    expect(() => loadSpec(bomb.join('\n'), {})).toThrow(/^api-spec\.yaml: document: /)
  })
})

test('basePath comes before every path', () => {
  const spec = load(`  /x: ${GET}`, 'basePath: /v1/')
  expect(spec.operations[0]?.template.source).toBe('/v1/x')
})

test('operation level security replaces that of the root', () => {
  const spec = load(
    '  /a: { get: { responses: {} } }\n  /b: { get: { security: [], responses: {} } }',
    'security: [{ user: [] }]',
  )
  expect(spec.operations.map(({ template, jwtProviders }) => [template.source, jwtProviders.length])).toEqual(
    [
      ['/a', 1],
      ['/b', 0],
    ],
  )
})

test('without audiences the service itself is the audience', () => {
  const spec = load(`  /x: ${GET}`, '', (text) => text.replace(/ {4}x-google-audiences.*\n/, ''))
  expect(spec.jwtProviders[0]?.audiences).toEqual(['https://api.example'])
})

test('a gateway with a faulty specification does not start, and frees its port', async () => {
  const options = { mintIdToken: async () => 't', gatewayAccount: 'g', now: () => 0, port: 0 }
  const start = (spec: string, port: number) => startGateway({ ...options, port, spec, variables: VARIABLES })
  const good = await start(specOf(`  /x: ${GET}`), 0)
  const port = Number(new URL(good.url).port)
  await good.close()
  await expect(start('swagger: "2.0"', port)).rejects.toThrow(/^api-spec\.yaml: paths: /)
  const again = await start(specOf(`  /x: ${GET}`), port)
  await again.close()
})
