/** A function group: one folder, one bundle, one owner of its documents. */
export const GROUPS = ['auth', 'billing', 'lifecycle'] as const
export type Group = (typeof GROUPS)[number]

export type FunctionSpec = {
  /** The deployed name, to which `-${env}` is appended. */
  readonly name: string
  readonly group: Group
  /** The folder under `functions/`, and so the bundle under `dist/`. */
  readonly folder: 'auth' | 'billing' | 'tenant-events'
  readonly entryPoint: string
  readonly trigger: 'http' | 'push'
  readonly memory: '512Mi' | '1Gi'
  readonly timeoutSeconds: number
  readonly minInstances: number
  readonly maxInstances: number
  readonly concurrency: number
  /** `all` for what the gateway and the scheduler call, `internal-only` for what Pub/Sub pushes to. */
  readonly ingress: 'all' | 'internal-only'
}

/** The six deployables (design README §1): Terraform, pipelines and the local stack read them here. */
export const FUNCTIONS = {
  auth: http('energent-auth', 'auth', 'auth', 'authHandler', 1, 100),
  'auth-events': push('energent-auth-events', 'auth', 'auth', 'authEventsHandler', '512Mi', 60, 20),
  billing: push('energent-billing', 'billing', 'billing', 'billingHandler', '1Gi', 300, 50),
  'billing-api': http('energent-billing-api', 'billing', 'billing', 'billingApiHandler', 0, 50),
  'tenant-events': push(
    'energent-tenant-events',
    'lifecycle',
    'tenant-events',
    'tenantEventsHandler',
    '512Mi',
    540,
    50,
  ),
  'tenants-api': http('energent-tenants-api', 'lifecycle', 'tenant-events', 'tenantsApiHandler', 0, 20),
} as const satisfies Record<string, FunctionSpec>

export type FunctionId = keyof typeof FUNCTIONS

export const FUNCTION_IDS = Object.keys(FUNCTIONS) as readonly FunctionId[]

function http(
  name: string,
  group: Group,
  folder: FunctionSpec['folder'],
  entryPoint: string,
  minInstances: number,
  maxInstances: number,
): FunctionSpec {
  return {
    name,
    group,
    folder,
    entryPoint,
    trigger: 'http',
    memory: '512Mi',
    timeoutSeconds: 60,
    minInstances,
    maxInstances,
    concurrency: 80,
    ingress: 'all',
  }
}

function push(
  name: string,
  group: Group,
  folder: FunctionSpec['folder'],
  entryPoint: string,
  memory: FunctionSpec['memory'],
  timeoutSeconds: number,
  maxInstances: number,
): FunctionSpec {
  return {
    name,
    group,
    folder,
    entryPoint,
    trigger: 'push',
    memory,
    timeoutSeconds,
    minInstances: 0,
    maxInstances,
    concurrency: 40,
    ingress: 'internal-only',
  }
}
