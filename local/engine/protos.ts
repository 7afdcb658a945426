import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { fromJSON, type Options } from '@grpc/proto-loader'

const EVERY_FIELD: Options = {
  longs: String,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
  oneofs: true,
}

/** Reading protos takes longer than all else of an engine's start, and tests start many. */
const loaded = new Map<string, ReadonlyMap<string, ServiceDefinition>>()

/**
 * The services described by a proto JSON file that a Google client package carries, by full name,
 * without loading the client.
 *
 * The package's `exports` hide the file, so the package's main module is resolved and the folders above
 * it are searched.
 */
export function loadServices(
  packageName: string,
  protoPath = 'build/protos/protos.json',
  decoding: Options = EVERY_FIELD,
): ReadonlyMap<string, ServiceDefinition> {
  const key = JSON.stringify([packageName, protoPath, decoding])
  const found = loaded.get(key)
  if (found !== undefined) return found
  const json: unknown = JSON.parse(readFileSync(findInPackage(packageName, protoPath), 'utf8'))
  const services = new Map<string, ServiceDefinition>()
  for (const [name, definition] of Object.entries(
    fromJSON(json as Parameters<typeof fromJSON>[0], decoding),
  )) {
    if (!('format' in definition)) services.set(name, definition as ServiceDefinition)
  }
  loaded.set(key, services)
  return services
}

/** Looks up one service; a name the package does not have is a broken installation and throws. */
export function getService(
  services: ReadonlyMap<string, ServiceDefinition>,
  fullName: string,
): ServiceDefinition {
  const definition = services.get(fullName)
  if (definition === undefined) throw new Error(`no service ${fullName} in the proto file`)
  return definition
}

function findInPackage(packageName: string, path: string): string {
  let folder = dirname(createRequire(import.meta.url).resolve(packageName))
  for (;;) {
    const candidate = join(folder, path)
    if (existsSync(candidate)) return candidate
    const above = dirname(folder)
    if (above === folder) throw new Error(`${packageName} has no ${path}; its layout may have changed`)
    folder = above
  }
}
