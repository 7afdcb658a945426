import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'digests-'))
const script = join(folder, 'digests.mjs')
const OTHER = otherNode()
let here = ''

beforeAll(async () => {
  await build({
    entryPoints: [join(import.meta.dirname, 'print-digest.ts')],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    // Node 20 has no Map.groupBy, and modules made from CommonJS ask for `require`.
    banner: {
      js: [
        "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
        'Map.groupBy ??= (items, of) => { const groups = new Map(); for (const item of items) {',
        'const key = of(item); groups.set(key, [...(groups.get(key) ?? []), item]) } return groups };',
      ].join('\n'),
    },
  })
  here = await digests(process.execPath, { TZ: 'UTC' })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function digests(node: string, env: Record<string, string>, seed = 1): Promise<string> {
  const { stdout } = await run(node, [script, String(seed)], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
  })
  return stdout
}

/** A Node of another major version: `OTHER_NODE`, or one further down the path. */
function otherNode(): { readonly path: string; readonly version: string } | undefined {
  const found = [
    ...(process.env['OTHER_NODE'] === undefined ? [] : [process.env['OTHER_NODE']]),
    ...(process.env['PATH'] ?? '').split(delimiter).map((part) => join(part, 'node')),
    ...['/usr/bin/node', '/usr/local/bin/node'],
  ].filter((path) => existsSync(path))
  const major = (version: string): string => version.split('.')[0] ?? ''
  for (const path of found) {
    const version = execFileSync(path, ['--version'], { encoding: 'utf8' }).trim()
    if (major(version) !== major(process.version)) return { path, version }
  }
  return undefined
}

// billing.md §14: where and in which order a history is replayed must not be seen in any digest.
test('the same history in another order, copies and batches, time zone and language gives the same digests', async () => {
  expect(here).toMatch(/^(?:[0-9a-f]{64}\n){4}$/)
  const hosts = [
    { TZ: 'Pacific/Kiritimati', LANG: 'de_DE.UTF-8' },
    { TZ: 'America/St_Johns', LC_ALL: 'tr_TR.UTF-8' },
    { TZ: 'Australia/Lord_Howe', LC_ALL: 'sv_SE.UTF-8' },
  ]
  for (const [at, env] of hosts.entries()) {
    expect(await digests(process.execPath, env, at + 2), JSON.stringify(env)).toBe(here)
  }
})

test.skipIf(OTHER === undefined)(
  `the same history under another Node gives the same digests (${process.version} and ${OTHER?.version ?? 'no other one found: set OTHER_NODE'})`,
  async () => {
    expect(await digests(OTHER?.path ?? '', { TZ: 'UTC' })).toBe(here)
    expect(await digests(OTHER?.path ?? '', { TZ: 'Asia/Kathmandu', LC_ALL: 'tr_TR.UTF-8' }, 9)).toBe(here)
  },
)
