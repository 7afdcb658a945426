import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SETTINGS } from '#shared/config.ts'
import { TOPICS } from '#shared/contracts/topics.ts'
import { REFUSAL_HELP } from '#shared/refusal-help.ts'
import { REFUSALS } from '#shared/refusals.ts'
import { renderDocs } from '../../scripts/docs.ts'

const ROOT = join(import.meta.dirname, '../..')
const docs = renderDocs()

test.each([...docs])('%s is what the code says now; if not, run npm run docs', (path, text) => {
  expect(existsSync(join(ROOT, path))).toBe(true)
  expect(readFileSync(join(ROOT, path), 'utf8')).toBe(text)
})

describe('nothing is left out', () => {
  test.each(Object.keys(REFUSALS))('the code %s has a meaning and a remedy', (code) => {
    const { meaning, remedy } = REFUSAL_HELP[code as keyof typeof REFUSAL_HELP]
    expect(docs.get('docs/errors.md')).toContain(`## ${code}\n`)
    for (const text of [meaning, remedy]) expect(text).toMatch(/^[A-Z`].{15,}[.]$/s)
  })

  test.each(Object.keys(SETTINGS))('the setting %s', (name) => {
    expect(docs.get('docs/configuration.md')).toContain(`| \`${name}\` |`)
  })

  test.each(Object.keys(TOPICS))('the topic %s with its types', (name) => {
    const text = docs.get('docs/events.md') ?? ''
    expect(text).toContain(`## ${name}\n`)
    for (const type of TOPICS[name as keyof typeof TOPICS].types) expect(text).toContain(`\`${type}\``)
  })
})
