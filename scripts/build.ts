import { createHash } from 'node:crypto'
import { glob, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { build, type Metafile } from 'esbuild'
import { FUNCTIONS } from '#shared/catalogue.ts'
import { lockfileFor, type PackageLock } from './deploy-lockfile.ts'

/**
 * Bundles each function group into `dist/<group>/`: one file, a `package.json` whose only dependency
 * is the framework, and its lockfile. That folder is what is delivered to Cloud Functions.
 *
 * `npm run build` builds all; `npm run build -- --if-stale` only when a source is newer than the bundles.
 */
const ROOT = join(import.meta.dirname, '..')
const FRAMEWORK = '@google-cloud/functions-framework'
const FOLDERS = [...new Set(Object.values(FUNCTIONS).map((spec) => spec.folder))]

/** The folder's bundle must hold nothing of another group and nothing made for tests. */
export function findStrangers(folder: string, metafile: Metafile): string[] {
  const others = FOLDERS.filter((other) => other !== folder).map((other) => `functions/${other}/`)
  const forbidden = [...others, 'shared/testing/', 'local/', 'test/', 'scripts/', 'bench/']
  return Object.keys(metafile.inputs).filter((input) => forbidden.some((prefix) => input.startsWith(prefix)))
}

async function buildFolder(folder: string, into: string): Promise<void> {
  const outdir = join(into, folder)
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [`functions/${folder}/index.ts`],
    outfile: join(outdir, 'index.js'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    // CommonJS keeps a lazily imported client unevaluated inside the one file until it is needed.
    format: 'cjs',
    // Bundled in, the framework would register functions in a registry that nobody reads.
    external: [FRAMEWORK],
    // Names and lines stay readable in a stack, so no source map is needed: parsing one costs 100 MB.
    minifySyntax: true,
    keepNames: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  const strangers = findStrangers(folder, metafile)
  if (strangers.length > 0) throw new Error(`dist/${folder} would contain ${strangers.join(', ')}`)
  await writePackage(folder, outdir)
}

async function writePackage(folder: string, outdir: string): Promise<void> {
  const root = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    version: string
    dependencies: Record<string, string>
  }
  const version = root.dependencies[FRAMEWORK]
  if (version === undefined) throw new Error(`${FRAMEWORK} is not a dependency`)
  const manifest = {
    name: `energent-${folder}`,
    version: root.version,
    private: true,
    main: 'index.js',
    engines: { node: '24' },
    // Empty: the bundle is built already, and the buildpack must not build again.
    scripts: { 'gcp-build': '' },
    dependencies: { [FRAMEWORK]: version },
  }
  const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as PackageLock
  await writeFile(join(outdir, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
  await writeFile(
    join(outdir, 'package-lock.json'),
    `${JSON.stringify(lockfileFor(manifest, lock), undefined, 2)}\n`,
  )
}

/** A digest over the paths and contents of everything a bundle is made from. */
async function sourceDigest(): Promise<string> {
  const files: string[] = [
    'package.json',
    'package-lock.json',
    'scripts/build.ts',
    'scripts/deploy-lockfile.ts',
  ]
  for await (const file of glob(['functions/**/*.ts', 'shared/**/*.ts'], { cwd: ROOT })) files.push(file)
  const hash = createHash('sha256')
  for (const file of files.sort())
    hash.update(`${relative(ROOT, join(ROOT, file))}\0`).update(await readFile(join(ROOT, file)))
  return hash.digest('hex')
}

/** Builds all groups unless the bundles in `dist/` were made from these very sources. Returns whether it built. */
export async function buildIfStale(beforeBuild: () => void = () => {}): Promise<boolean> {
  const stamp = join(ROOT, 'dist', '.sources')
  const digest = await sourceDigest()
  const built = await readFile(stamp, 'utf8').catch(() => '')
  const complete = await Promise.all(FOLDERS.map((folder) => stat(join(ROOT, 'dist', folder, 'index.js'))))
    .then(() => true)
    .catch(() => false)
  if (built === digest && complete) return false
  beforeBuild()
  await buildAll()
  return true
}

/** Builds into a folder beside `dist/` and puts it in its place when all is well: a failure leaves the old one. */
export async function buildAll(): Promise<void> {
  const digest = await sourceDigest()
  const fresh = join(ROOT, `.dist-${process.pid}`)
  try {
    await buildInto(fresh)
    await writeFile(join(fresh, '.sources'), digest)
    await rename(join(ROOT, 'dist'), join(fresh, '.old')).catch(() => undefined)
    await rename(fresh, join(ROOT, 'dist'))
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
  await rm(join(ROOT, 'dist', '.old'), { recursive: true, force: true })
}

/** Builds every group into `<into>/<group>/`. */
export async function buildInto(into: string): Promise<void> {
  await mkdir(into, { recursive: true })
  await Promise.all(FOLDERS.map((folder) => buildFolder(folder, into)))
}

if (import.meta.main) {
  if (process.argv.includes('--if-stale')) {
    console.log((await buildIfStale()) ? 'built dist/' : 'dist/ is up to date')
  } else {
    await buildAll()
    console.log(`built ${FOLDERS.map((folder) => `dist/${folder}`).join(', ')}`)
  }
}
