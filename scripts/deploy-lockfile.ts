/** What we read of npm's lockfile, version 3. */
export type PackageLock = {
  readonly lockfileVersion: number
  readonly packages: Readonly<Record<string, LockedPackage>>
}

type LockedPackage = {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { optional?: boolean }>>
  readonly [member: string]: unknown
}

type Manifest = {
  readonly name: string
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
}

/**
 * The lockfile of a deployable: of the repository's own lockfile, the packages that its dependencies
 * reach. What was tested here is then byte for byte what is installed there, and making it needs no
 * network.
 */
export function lockfileFor(
  manifest: Manifest,
  root: PackageLock,
): PackageLock & { name: string; version: string } {
  const reached = new Map<string, LockedPackage>()
  const visit = (from: string, name: string, optional: boolean): void => {
    const path = resolve(root, from, name)
    if (path === undefined) {
      if (optional) return
      throw new Error(`${name}, needed by ${from === '' ? manifest.name : from}, is not in package-lock.json`)
    }
    if (reached.has(path)) return
    const entry = root.packages[path]
    if (entry === undefined) return
    const { dev: _dev, devOptional: _devOptional, ...kept } = entry
    reached.set(path, kept)
    for (const dependency of Object.keys(entry.dependencies ?? {})) visit(path, dependency, false)
    for (const dependency of Object.keys(entry.optionalDependencies ?? {})) visit(path, dependency, true)
    for (const dependency of Object.keys(entry.peerDependencies ?? {})) {
      visit(path, dependency, entry.peerDependenciesMeta?.[dependency]?.optional === true)
    }
  }
  for (const name of Object.keys(manifest.dependencies)) visit('', name, false)
  const packages = Object.fromEntries([...reached].sort(([left], [right]) => (left < right ? -1 : 1)))
  const { name, version } = manifest
  return {
    name,
    version,
    lockfileVersion: root.lockfileVersion,
    packages: { '': { ...manifest }, ...packages },
  }
}

/** Where Node would find `name` from the package at `from`: the nearest `node_modules` upward. */
function resolve(root: PackageLock, from: string, name: string): string | undefined {
  const path = from === '' ? `node_modules/${name}` : `${from}/node_modules/${name}`
  if (root.packages[path] !== undefined) return path
  if (from === '') return undefined
  const parent = from.lastIndexOf('/node_modules/')
  return resolve(root, parent < 0 ? '' : from.slice(0, parent), name)
}
