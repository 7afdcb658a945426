import { spawnSync } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { RESOURCES } from '#local/kubernetes/resources.ts'
import { findProblems } from '#local/kubernetes/schema.ts'
import { TIERS } from '#shared/catalogue/tiers.ts'
import type { ClusterObject } from '../../../functions/tenant-events/domain/kubernetes-objects.ts'
import {
  backupDeletion,
  releaseObject,
} from '../../../functions/tenant-events/domain/kubernetes-workloads.ts'
import { tenantObjects } from '../../../functions/tenant-events/domain/tenant-objects.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { ACME } from '../world.ts'

const ROOT = join(import.meta.dirname, '../../..')
const CUSTOM = ['HelmRelease', 'Schedule', 'DeleteBackupRequest']
const CONFIG = {
  cluster: 'energent-shared',
  region: 'us-central1',
  deploymentModel: 'multi_tenant',
  keyName: 'projects/p/locations/l/keyRings/r/cryptoKeys/tenant-acme',
  secrets: ['projects/p/secrets/tenant-acme-workload'],
}

/** Everything we ever apply for a tenant of a tier: at work, standing still, and on its way out. */
function applied(tier: (typeof TIERS)[number]): ClusterObject[] {
  const spec = { tenantId: ACME, tier, specRevision: 1 }
  const still = { ...spec, suspended: true }
  const pinned = tenantObjects(spec, CONFIG).map((object) =>
    object.kind === 'Namespace' ? { ...object, metadata: { ...object.metadata, uid: 'u' } } : object,
  )
  return [
    ...tenantObjects(spec, CONFIG),
    ...tenantObjects(still, { ...CONFIG, keyName: null, secrets: [] }),
    ...pinned,
    releaseObject(still, false),
    backupDeletion(spec, 'tenant-acme-20261123010000'),
  ]
}

type Model = { new (data: object): { validate(): void } }

/** The model of a kind, such as `kubernetes-models/networking.k8s.io/v1/NetworkPolicy`. */
async function modelOf({ apiVersion, kind }: ClusterObject): Promise<Model> {
  const module: Record<string, Model> = await import(`kubernetes-models/${apiVersion}/${kind}`)
  const model = module[kind]
  if (model === undefined) throw new Error(`no model of ${kind}`)
  return model
}

describe.each(TIERS)('every object of %s', (tier) => {
  test('passes the published models of its kind', async () => {
    for (const object of applied(tier).filter(({ kind }) => !CUSTOM.includes(kind))) {
      const Model = await modelOf(object)
      expect(() => new Model(object).validate(), object.kind).not.toThrow()
    }
  })

  test('has no field that the API does not know, and none of another type', () => {
    for (const object of applied(tier)) {
      const resource = RESOURCES.find(
        (one) => one.kind === object.kind && object.apiVersion.endsWith(one.version),
      )
      if (resource === undefined) throw new Error(`${object.kind} is unknown`)
      expect(findProblems(object, resource.schema), object.kind).toEqual([])
    }
  })
})

// The models let unknown fields pass, and the compiler does not: each object is written out as a literal
// of its type and compiled, so that a misspelt field is an error and not silence.
describe('the strict types', () => {
  const spoilt: Readonly<Record<string, (object: ClusterObject) => ClusterObject>> = {
    'an unknown field': (object) => ({ ...object, spek: {} }),
    'a text for a number': (object) => ({
      ...object,
      spec: { ...(object['spec'] as object), maxReplicas: '4' },
    }),
  }
  const scaler = applied('basic').find(({ kind }) => kind === 'HorizontalPodAutoscaler')
  if (scaler === undefined) throw new Error('no autoscaler')
  let complaints: readonly string[] = []
  beforeAll(() => {
    complaints = compile({
      ...Object.fromEntries(TIERS.map((tier) => [tier, applied(tier)])),
      ...Object.fromEntries(Object.entries(spoilt).map(([name, spoil]) => [name, [spoil(scaler)]])),
    })
  })

  test.each(TIERS)('have nothing against %s', (tier) => {
    expect(complaints.filter((line) => line.startsWith(`${tier}.ts`))).toEqual([])
  })

  test.each(Object.keys(spoilt))('refuse %s', (name) => {
    expect(complaints.filter((line) => line.startsWith(`${name}.ts`))).not.toEqual([])
  })
})

/** Compiles each set of objects as literals of their types, in a file of its own; answers what the compiler said. */
function compile(sets: Readonly<Record<string, readonly ClusterObject[]>>): string[] {
  const folder = temporaryFolder()
  const own = JSON.stringify(join(import.meta.dirname, 'custom-resources.ts'))
  for (const [name, objects] of Object.entries(sets)) {
    const kinds = new Map(objects.map((object) => [object.kind, object.apiVersion]))
    const imports = [...kinds].map(([kind, apiVersion]) =>
      CUSTOM.includes(kind)
        ? `import type { I${kind} } from ${own}`
        : `import type { I${kind} } from 'kubernetes-models/${apiVersion}/${kind}'`,
    )
    const literals = objects.map(
      (object, index) => `export const o${index}: I${object.kind} = ${JSON.stringify(object)}`,
    )
    writeFileSync(join(folder, `${name}.ts`), [...imports, ...literals].join('\n'))
  }
  const tsconfig = {
    compilerOptions: {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: true,
      module: 'nodenext',
      target: 'esnext',
      types: [],
      allowImportingTsExtensions: true,
    },
    include: ['*.ts'],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const run = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  })
  return run.stdout.split('\n').filter((line) => /error TS/.test(line))
}
