import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const home = mkdtempSync(join(tmpdir(), 'published-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

// Node strips no types below node_modules: a package of .ts files cannot be loaded there by any version.
test('the package that is published loads where it is installed', { timeout: 60_000 }, () => {
  const installed = join(home, 'node_modules/@energent/usage-client')
  mkdirSync(installed, { recursive: true })
  copyFileSync(join(root, 'clients/usage/package.json'), join(installed, 'package.json'))
  const compiler = join(root, 'node_modules/.bin/tsc')
  execFileSync(compiler, ['-p', join(root, 'clients/usage'), '--outDir', join(installed, 'dist')])
  const main = join(home, 'main.mjs')
  writeFileSync(
    main,
    "import * as client from '@energent/usage-client'\nconsole.log(Object.keys(client).join())",
  )
  expect(execFileSync(process.execPath, [main], { encoding: 'utf8' }).trim()).toBe(
    'createUsageClient,httpTransport,pubsubTransport',
  )
})
