/** The one list of names, sizes and rights; Terraform, manifests, `api-spec.yaml` and docs are checked against it. */
export * from './catalogue/functions.ts'
export * from './catalogue/jobs.ts'
export * from './catalogue/meters.ts'
export * from './catalogue/routes.ts'
export * from './catalogue/scopes.ts'
export * from './catalogue/tiers.ts'
