import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FUNCTIONS } from '#shared/catalogue/functions.ts'
import { buildInto, findStrangers } from '../scripts/build.ts'
import { lockfileFor, type PackageLock } from '../scripts/deploy-lockfile.ts'

const ROOT = join(import.meta.dirname, '..')
const FRAMEWORK = '@google-cloud/functions-framework'
const FOLDERS = [...new Set(Object.values(FUNCTIONS).map((spec) => spec.folder))]
const run = promisify(execFile)

let out: string
beforeAll(async () => {
  out = await mkdtemp(join(ROOT, 'node_modules', '.cache-build-'))
  await buildInto(out)
}, 120_000)
afterAll(() => rm(out, { recursive: true, force: true }))

async function json<T>(...path: string[]): Promise<T> {
  return JSON.parse(await readFile(join(...path), 'utf8')) as T
}

describe.each(FOLDERS)('the bundle of %s', (folder) => {
  const targets = Object.values(FUNCTIONS).filter((spec) => spec.folder === folder)

  test('is a script that the buildpack accepts', async () => {
    await run(process.execPath, ['--check', join(out, folder, 'index.js')])
  })

  // Loaded with a require of its own, so that what it asks for at load is seen.
  test('asks at load for nothing but the framework and Node itself, and registers its entry points', async () => {
    const program = `
      const Module = require('node:module')
      const asked = new Set()
      const load = Module._load
      Module._load = function (name, parent, ...rest) {
        if (parent?.filename === ${JSON.stringify(join(out, folder, 'index.js'))}) asked.add(name)
        return load.call(this, name, parent, ...rest)
      }
      require(${JSON.stringify(join(out, folder, 'index.js'))})
      const { getFunction } = require('${FRAMEWORK}/testing')
      const registered = ${JSON.stringify(targets.map((spec) => spec.entryPoint))}.filter((name) => getFunction(name))
      console.log('RESULT' + JSON.stringify({ asked: [...asked], registered }))
      process.exit(0)`
    const env = {
      PATH: process.env['PATH'],
      GOOGLE_CLOUD_PROJECT: 'demo-build',
      FUNCTION_TARGET: targets[0]?.entryPoint,
      FUNCTION_URI: 'https://function.energent.test',
      PUBLIC_BASE_URL: 'https://api.energent.test',
      KUBERNETES_API_URL: 'https://kubernetes.energent.test',
    }
    const { stdout } = await run(process.execPath, ['-e', program], { cwd: ROOT, env })
    const result = JSON.parse(stdout.slice(stdout.indexOf('RESULT') + 6)) as {
      asked: string[]
      registered: string[]
    }
    const outside = result.asked.filter((name) => !name.startsWith('node:') && !builtinModules.includes(name))

    expect(outside).toEqual([FRAMEWORK])
    expect(result.registered).toEqual(targets.map((spec) => spec.entryPoint))
  })

  test('has a package with the framework alone, and nothing left to build', async () => {
    const manifest = await json<Record<string, unknown>>(out, folder, 'package.json')
    const root = await json<{ dependencies: Record<string, string> }>(ROOT, 'package.json')

    expect(manifest).toMatchObject({
      name: `energent-${folder}`,
      main: 'index.js',
      private: true,
      engines: { node: '24' },
      scripts: { 'gcp-build': '' },
      dependencies: { [FRAMEWORK]: root.dependencies[FRAMEWORK] },
    })
    expect(manifest).not.toHaveProperty('devDependencies')
    expect(manifest).not.toHaveProperty('type')
  })

  test('has a lockfile of just what the framework needs, as it was tested here', async () => {
    const lock = await json<PackageLock>(out, folder, 'package-lock.json')
    const root = await json<PackageLock>(ROOT, 'package-lock.json')
    const { '': own, ...packages } = lock.packages

    expect(lock.lockfileVersion).toBe(root.lockfileVersion)
    expect(own?.['dependencies']).toEqual({
      [FRAMEWORK]: root.packages[`node_modules/${FRAMEWORK}`]?.version,
    })
    for (const [path, entry] of Object.entries(packages)) {
      expect(entry['integrity'], path).toBe(root.packages[path]?.['integrity'])
      expect(entry['integrity'], path).toMatch(/^sha512-/)
      expect(entry).not.toHaveProperty('dev')
      for (const name of Object.keys(entry.dependencies ?? {})) {
        const places = path
          .split('/node_modules/')
          .map((_part, at, all) => [...all.slice(0, all.length - at), name].join('/node_modules/'))
        expect(
          [...places, `node_modules/${name}`].some((place) => packages[place] !== undefined),
          `${name} of ${path}`,
        ).toBe(true)
      }
    }
    for (const heavy of ['esbuild', 'vitest', 'typescript', 'oidc-provider', '@google-cloud/firestore']) {
      expect(packages).not.toHaveProperty([`node_modules/${heavy}`])
    }
  })

  // npm ci compares the package with its lockfile before it asks any registry.
  test('has a lockfile that npm ci takes', async () => {
    const options = ['ci', '--dry-run', '--offline', '--ignore-scripts', '--no-audit', '--no-fund']
    const { stdout } = await run('npm', options, { cwd: join(out, folder) })
    expect(stdout).toMatch(/add(ed)? |up to date/)
  })
})

test('npm ci would notice a lockfile that does not fit', async () => {
  const folder = join(out, 'auth')
  const manifest = await readFile(join(folder, 'package.json'), 'utf8')
  await writeFile(
    join(folder, 'package.json'),
    manifest.replace(/("@google-cloud\/functions-framework": ")[^"]+/, '$19.9.9'),
  )
  const failed = run('npm', ['ci', '--dry-run', '--offline', '--ignore-scripts'], { cwd: folder })
  await expect(failed).rejects.toThrow()
  await writeFile(join(folder, 'package.json'), manifest)
})

describe('a stranger in a bundle', () => {
  const metafile = (...inputs: string[]) => ({
    inputs: Object.fromEntries(inputs.map((path) => [path, { bytes: 1, imports: [] }])),
    outputs: {},
  })

  test.each([
    'functions/billing/domain/rate.ts',
    'local/journal.ts',
    'test/support/engines.ts',
    'shared/testing/x.ts',
    'scripts/build.ts',
    'bench/x.ts',
  ])('%s is found', (path) => {
    expect(findStrangers('auth', metafile('functions/auth/index.ts', path))).toEqual([path])
  })

  test('is none of its own, shared or installed', () => {
    expect(
      findStrangers(
        'auth',
        metafile('functions/auth/index.ts', 'shared/ids.ts', 'node_modules/jose/index.js'),
      ),
    ).toEqual([])
  })
})

describe('a lockfile', () => {
  const manifest = { name: 'x', version: '1.0.0', dependencies: { a: '1.0.0' } }

  test('takes the nearest version of each package, and peers and options only when they are there', () => {
    const root: PackageLock = {
      lockfileVersion: 3,
      packages: {
        '': { dependencies: { a: '1.0.0', z: '1.0.0' } },
        'node_modules/a': {
          version: '1.0.0',
          dependencies: { b: '2' },
          optionalDependencies: { gone: '1' },
          peerDependencies: { p: '1', q: '1' },
          peerDependenciesMeta: { q: { optional: true } },
        },
        'node_modules/a/node_modules/b': { version: '2.0.0', dependencies: { c: '1' } },
        'node_modules/b': { version: '1.0.0' },
        'node_modules/c': { version: '1.0.0', dev: true, dependencies: { a: '1' } },
        'node_modules/p': { version: '1.0.0' },
        'node_modules/z': { version: '1.0.0' },
      },
    }
    const { packages } = lockfileFor(manifest, root)
    expect(Object.keys(packages)).toEqual([
      '',
      'node_modules/a',
      'node_modules/a/node_modules/b',
      'node_modules/c',
      'node_modules/p',
    ])
    expect(packages['node_modules/c']).not.toHaveProperty('dev')
  })

  test('of a package that is not locked cannot be made', () => {
    expect(() => lockfileFor(manifest, { lockfileVersion: 3, packages: {} })).toThrow(/a, needed by x/)
  })
})
