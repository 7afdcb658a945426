import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { fromJSON, type PackageDefinition } from '@grpc/proto-loader'

const SERVICE = 'google.firestore.v1.Firestore'

/**
 * Loads the service definition the official client carries with it (about 50 ms), without loading the client.
 *
 * The package's `exports` hide the file, so it is found by walking up from the package's main module.
 */
export function loadFirestoreService(): ServiceDefinition {
  const require = createRequire(import.meta.url)
  let folder = dirname(require.resolve('@google-cloud/firestore'))
  while (folder !== dirname(folder)) {
    const json =
      readIfThere(join(folder, 'protos/v1.json')) ?? readIfThere(join(folder, 'build/protos/v1.json'))
    if (json !== undefined) return serviceOf(fromJSON(JSON.parse(json), WIRE_OPTIONS))
    folder = dirname(folder)
  }
  throw new Error('@google-cloud/firestore carries no protos/v1.json; its major version may have changed')
}

/** 64-bit integers as decimal strings and enums by name: nothing is rounded, nothing is a magic number. */
const WIRE_OPTIONS = { longs: String, enums: String, defaults: false }

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function serviceOf(definition: PackageDefinition): ServiceDefinition {
  const service = definition[SERVICE]
  if (service === undefined || 'format' in service) throw new Error(`the protos define no ${SERVICE}`)
  return service as ServiceDefinition
}
