import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { indexesJson } from '#shared/firestore/indexes.ts'
import { LOG_LINE } from '#shared/observability/log-line.ts'
import { renderAttacks } from './docs/attacks.ts'
import { renderConfiguration } from './docs/configuration.ts'
import { renderCost } from './docs/cost.ts'
import { renderErrors } from './docs/errors.ts'
import { renderEvents } from './docs/events.ts'
import { renderLogMetrics, renderObservability } from './docs/observability.ts'
import { renderStorage } from './docs/storage.ts'

/**
 * Writes the documents that are made from tables of the code: `npm run docs`.
 *
 * A test compares them with what is committed, so that they cannot fall behind.
 */
const ROOT = join(import.meta.dirname, '..')

/** The path of each generated document, and its text. */
export function renderDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/errors.md', renderErrors()],
    ['docs/attacks.md', renderAttacks()],
    ['docs/configuration.md', renderConfiguration()],
    ['docs/events.md', renderEvents()],
    ['docs/storage.md', renderStorage()],
    ['docs/cost.md', renderCost()],
    ['docs/observability.md', renderObservability()],
    ['docs/log-line.schema.json', json(z.toJSONSchema(LOG_LINE, { reused: 'ref' }))],
    ['docs/log-metrics.json', renderLogMetrics()],
    ['firestore.indexes.json', json(indexesJson())],
  ])
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

if (import.meta.main) {
  for (const [path, text] of renderDocs()) {
    await mkdir(dirname(join(ROOT, path)), { recursive: true })
    await writeFile(join(ROOT, path), text)
    console.log(`wrote ${path}`)
  }
}
