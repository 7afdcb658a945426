import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly [field: string]: unknown
}

export const GITOPS = join(import.meta.dirname, '../../gitops')
export const ACCOUNT = 'tenant-events@demo-energent.iam.gserviceaccount.com'

/** What Flux applies for a folder: the files its kustomization names, folders below it included, in order. */
export function built(folder: string): Manifest[] {
  const [kustomization] = documentsOf(join(GITOPS, folder, 'kustomization.yaml'))
  const resources = (kustomization as unknown as { resources: string[] }).resources
  return resources.flatMap((name) =>
    name.endsWith('.yaml') ? documentsOf(join(GITOPS, folder, name)) : built(join(folder, name)),
  )
}

/** Every YAML file below `gitops`, whether a kustomization names it or not. */
export function allFiles(): string[] {
  return readdirSync(GITOPS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yaml'))
}

/** The documents of a file, with the cluster's values put in as Flux does. */
export function documentsOf(file: string): Manifest[] {
  const text = readFileSync(file, 'utf8').replace(/\$\{(\w+)\}/g, (_whole, name: string) => {
    if (name !== 'TENANT_EVENTS_ACCOUNT') throw new Error(`nobody sets ${name}`)
    return ACCOUNT
  })
  return parseAllDocuments(text).map((document) => {
    const [error] = [...document.errors, ...document.warnings]
    if (error !== undefined) throw error
    return document.toJS() as Manifest
  })
}
