import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { GROUPS } from '#shared/catalogue/functions.ts'
import { METERS } from '#shared/catalogue/meters.ts'
import { SETTINGS } from '#shared/config.ts'
import { TOPICS } from '#shared/contracts/topics.ts'
import { DOCUMENTS } from '#shared/firestore/documents.ts'
import { COMPOSITE_INDEXES, TTL_POLICIES } from '#shared/firestore/indexes.ts'
import { SYSTEM_COLLECTIONS } from '#shared/firestore/paths.ts'
import { LOG_FIELDS, LOG_MESSAGES } from '#shared/observability/messages.ts'
import { METRICS } from '#shared/observability/metrics-table.ts'
import { REFUSAL_HELP } from '#shared/refusal-help.ts'
import { REFUSALS } from '#shared/refusals.ts'
import { classifyClusterFailure } from '../../functions/tenant-events/domain/cluster-failure.ts'
import { FAILURE_CODES } from '../../functions/tenant-events/domain/failure-codes.ts'
import { renderDocs } from '../../scripts/docs.ts'

const ROOT = join(import.meta.dirname, '../..')
const docs = renderDocs()
const pageOf = (path: string): string => docs.get(path) ?? ''
const SOURCES = globSync(['functions/**/*.ts', 'shared/**/*.ts'], { cwd: ROOT }).map((file) =>
  readFileSync(join(ROOT, file), 'utf8'),
)

test.each([...docs])('%s is what the code says now; if not, run npm run docs', (path, text) => {
  expect(existsSync(join(ROOT, path))).toBe(true)
  expect(readFileSync(join(ROOT, path), 'utf8')).toBe(text)
})

describe('nothing is left out', () => {
  test.each(Object.keys(REFUSALS))('the code %s has a meaning and a remedy', (code) => {
    const { meaning, remedy } = REFUSAL_HELP[code as keyof typeof REFUSAL_HELP]
    expect(pageOf('docs/errors.md')).toContain(`## ${code}\n`)
    for (const text of [meaning, remedy]) expect(text).toMatch(/^[A-Z`].{15,}[.]$/s)
  })

  test.each(Object.keys(SETTINGS))('the setting %s', (name) => {
    expect(pageOf('docs/configuration.md')).toContain(`| \`${name}\` |`)
  })

  test.each(Object.keys(TOPICS))('the topic %s with its types', (name) => {
    const text = pageOf('docs/events.md')
    expect(text).toContain(`## ${name}\n`)
    for (const type of TOPICS[name as keyof typeof TOPICS].types) expect(text).toContain(`\`${type}\``)
  })

  test.each(Object.keys(METERS))('the meter %s', (meter) => {
    expect(pageOf('docs/events.md')).toContain(`| \`${meter}\` |`)
  })

  test.each([...Object.keys(LOG_MESSAGES), ...Object.keys(LOG_FIELDS), ...Object.keys(METRICS)])(
    '%s of the logs and metrics',
    (name) => {
      expect(pageOf('docs/observability.md')).toContain(`| \`${name}\` |`)
    },
  )
})

test.each(Object.keys(LOG_MESSAGES))('somebody writes the line %s', (message) => {
  expect(SOURCES.filter((source) => source.includes(`('${message}'`)).length).toBeGreaterThan(0)
})

describe('failure codes of operations', () => {
  test('every one that a step gives is explained', () => {
    const given = SOURCES.flatMap((source) => [...source.matchAll(/\bcode: '([a-z_]+\.[a-z_]+)'/g)])
      .map(([, code = '']) => code)
      .filter((code) => !(code in REFUSALS))

    expect(given).toContain('placement.cluster_unknown')
    expect(given.filter((code) => !(code in FAILURE_CODES))).toEqual([])
    for (const code of Object.keys(FAILURE_CODES)) {
      expect(pageOf('docs/errors.md')).toContain(`| \`${code}\` |`)
    }
  })

  // metav1.StatusReason, Kubernetes 1.30.
  test.each(
    'Unauthorized Forbidden NotFound AlreadyExists Conflict Gone Invalid ServerTimeout Timeout TooManyRequests BadRequest MethodNotAllowed NotAcceptable RequestEntityTooLarge UnsupportedMediaType InternalError Expired ServiceUnavailable'.split(
      ' ',
    ),
  )('the reason %s of a cluster is explained', (reason) => {
    expect(FAILURE_CODES).toHaveProperty([
      classifyClusterFailure({ code: 500, reason, message: '', causes: [] }).code,
    ])
  })
})

describe('storage', () => {
  const collections = DOCUMENTS.flatMap(({ path }) => path.split('/').filter((_part, at) => at % 2 === 0))

  test.each(GROUPS)('every top-level collection of %s stands there, under its writer', (group) => {
    for (const name of SYSTEM_COLLECTIONS[group]) {
      const writers = DOCUMENTS.filter(({ path }) => path.startsWith(`${name}/`)).map(({ writer }) => writer)
      expect(new Set(writers)).toEqual(new Set([group]))
    }
  })

  test('no code names a collection of a group that does not stand there', () => {
    const named = SOURCES.flatMap((source) => [
      ...source.matchAll(/'((?:auth|billing|lifecycle)_[a-z][A-Za-z]*)'/g),
    ]).map(([, name = '']) => name)

    expect(named).toContain('billing_usageBatches')
    // A claim of tokens (OpenID Connect), and no collection.
    const known = [...collections, 'auth_time']
    expect([...new Set(named)].filter((name) => !known.includes(name))).toEqual([])
  })

  test('indexes and expiry are of collections that stand there', () => {
    for (const { collectionGroup } of [...COMPOSITE_INDEXES, ...TTL_POLICIES]) {
      expect(collections).toContain(collectionGroup)
    }
  })
})

test('every variable of the environment that the code names is a setting', () => {
  const named = SOURCES.flatMap((source) => [...source.matchAll(/\b(?:env|config)(?:\.|\[')([A-Z][A-Z_]+)/g)])
  expect(named.length).toBeGreaterThan(10)
  expect([...new Set(named.map(([, name = '']) => name))].filter((name) => !(name in SETTINGS))).toEqual([])
})
