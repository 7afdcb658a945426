import { type FaultHook, underFault } from '../faults.ts'
import { openJournal } from '../journal.ts'
import { type Answer, type Call, HANG_UP, json, serveLoopback } from '../loopback.ts'
import { dumpObjects, type Manifest, platformManifests, rebootCluster } from './cluster-setup.ts'
import { runControllers } from './controllers.ts'
import { deleteMany, deleteOne } from './deletion.ts'
import { discover } from './discovery.ts'
import { isObject, type KubeObject } from './json.ts'
import { listObjects, pickObjects } from './listing.ts'
import { type ObjectStore, openObjectStore } from './object-store.ts'
import { type Policy, platformPolicies } from './policies.ts'
import { type Access, denial, isAllowed, reviewAccess, type User } from './rbac.ts'
import { APPLY_PATCH, type Body, parseTarget, parseWriteOptions, readBody, type Target } from './request.ts'
import { apiError, isApiError, notFound } from './status.ts'
import { patch, post, put, type Write } from './verbs.ts'
import type { WriteContext } from './writes.ts'

export type KubernetesOptions = {
  readonly port?: number
  /** Where the objects are kept; memory alone without it. */
  readonly file?: string
  readonly now: () => number
  /** Whose bearer token it is; nothing for a token nobody knows, which answers 401. */
  readonly authenticate: (token: string) => User | undefined | Promise<User | undefined>
  /** The user the platform's role is bound to: the e-mail of the function's service account. */
  readonly provisioner?: string
  /** How the namespaces of tenants begin; `tenant-` unless told. */
  readonly namespacePrefix?: string
  /** What is installed on the cluster before the first request, instead of the platform's own set. */
  readonly manifests?: readonly Manifest[]
  /** How long an emptied namespace still shows as Terminating; 1000 ms of `now` unless told. */
  readonly namespaceTerminationMs?: number
  /** How long a volume whose claim is gone is still there; 1000 ms of `now` unless told. */
  readonly volumeDeletionMs?: number
}

export type Kubernetes = {
  readonly url: string
  close(): Promise<void>
  /** Back to a cluster without tenants. */
  reset(): void
  /** Plain objects, of one namespace or of the whole cluster. */
  dump(namespace?: string): KubeObject[]
  /** Asked before every request with `<verb> <resource>`, for example `patch namespaces`. */
  setFault(fault: FaultHook<Call> | undefined): void
}

const DEFAULT_PROVISIONER = 'tenant-events@demo-energent.iam.gserviceaccount.com'

type Server = {
  readonly store: ObjectStore
  readonly policies: readonly Policy[]
  readonly options: KubernetesOptions
}

/** The stand-in for a workload cluster's API server, 1.30 line. */
export async function startKubernetes(options: KubernetesOptions): Promise<Kubernetes> {
  const provisioner = options.provisioner ?? DEFAULT_PROVISIONER
  const manifests = options.manifests ?? platformManifests(provisioner)
  const journal = openJournal(options.file)
  const store = openObjectStore(journal)
  const policies = platformPolicies(options.namespacePrefix ?? 'tenant-', provisioner)
  if (store.isEmpty()) rebootCluster(store, options.now(), manifests)
  let fault: FaultHook<Call> | undefined
  const server = await serveLoopback(options.port ?? 0, async (call) => {
    const target = parseTarget(call.url.pathname)
    const operation = `${verbOf(call, target)} ${target?.resource.plural ?? call.url.pathname}`
    return underFault(
      fault?.(operation, call),
      () => answer({ store, policies, options }, call, target),
      (wrong) => (wrong.mode === 'error' ? failure(faultError(wrong.code ?? 503)) : HANG_UP),
    )
  })
  return {
    url: server.url,
    close: async () => {
      await server.close()
      journal.close()
    },
    reset: () => rebootCluster(store, options.now(), manifests),
    dump: (namespace) => {
      runControllers(store, options)
      return dumpObjects(store, namespace)
    },
    setFault: (next) => {
      fault = next
    },
  }
}

async function answer(server: Server, call: Call, target: Target | undefined): Promise<Answer> {
  try {
    const user = await authenticate(server, call)
    const body = await readBody(call)
    // From here on nothing waits: a request sees and changes the cluster in one piece.
    runControllers(server.store, server.options, target)
    if (target === undefined) return elsewhere(server, call, user, body)
    return await handle(server, call, target, user, body)
  } catch (error) {
    if (isApiError(error)) return failure(error)
    throw error
  }
}

async function authenticate(server: Server, call: Call): Promise<User> {
  const [, token] = /^Bearer (\S+)$/i.exec(call.headers.authorization ?? '') ?? []
  const user = token === undefined ? undefined : await server.options.authenticate(token)
  if (user === undefined) throw apiError(401, 'Unauthorized', 'Unauthorized')
  return { user: user.user, groups: [...new Set([...user.groups, 'system:authenticated'])] }
}

function elsewhere(server: Server, call: Call, user: User, body: Body): Answer {
  const path = call.url.pathname
  const [, self] = /^\/apis\/authorization\.k8s\.io\/v1\/(self)?subjectaccessreviews$/.exec(path) ?? []
  if (call.method === 'POST' && /subjectaccessreviews$/.test(path)) {
    const resource = `${self ?? ''}subjectaccessreviews`
    if (self === undefined) {
      authorize(server.store, user, {
        verb: 'create',
        group: 'authorization.k8s.io',
        resource,
        name: '',
        namespace: '',
      })
    }
    return json(201, reviewAccess(server.store, body.object, self === undefined ? undefined : user))
  }
  const found = call.method === 'GET' ? discover(path) : undefined
  if (found !== undefined) return found
  throw apiError(404, 'NotFound', 'the server could not find the requested resource', {})
}

function verbOf(call: Call, target: Target | undefined): string {
  const collection = target === undefined || target.name === ''
  if (call.method === 'GET') {
    if (!collection) return 'get'
    return ['1', 'true'].includes(call.url.searchParams.get('watch') ?? '') ? 'watch' : 'list'
  }
  if (call.method === 'DELETE') return collection ? 'deletecollection' : 'delete'
  return { POST: 'create', PUT: 'update', PATCH: 'patch' }[call.method] ?? call.method.toLowerCase()
}

function authorize(store: ObjectStore, user: User, access: Access): void {
  if (!isAllowed(store, user, access)) throw denial(user, access)
}

async function handle(server: Server, call: Call, target: Target, user: User, body: Body): Promise<Answer> {
  const { store } = server
  const { resource, name, namespace, subresource } = target
  const verb = verbOf(call, target)
  const access: Access = {
    verb,
    group: resource.group,
    resource: subresource === '' ? resource.plural : `${resource.plural}/${subresource}`,
    name,
    // A namespace is authorised as if it lay in itself.
    namespace: resource.plural === 'namespaces' ? name : namespace,
  }
  authorize(store, user, access)
  const live = name === '' ? undefined : store.get(resource, namespace, name)
  if (verb === 'list') return json(200, listObjects(store, target, call.url.searchParams))
  if (verb === 'get') {
    if (live === undefined) throw notFound(resource, name)
    return json(200, live)
  }
  const applying = body.type === APPLY_PATCH
  const options = parseWriteOptions(call, verb === 'patch' && applying)
  const context: WriteContext = {
    store,
    policies: server.policies,
    user,
    nowMs: server.options.now(),
    dryRun: options.dryRun || isDryRun(body),
  }
  if (verb === 'delete') return json(200, deleteOne(context, target, live, withQuery(call, body)))
  // No collection of namespaces can be deleted, nor is there anything to watch.
  if (verb === 'deletecollection' && resource.plural !== 'namespaces') {
    const picked = pickObjects(store, target, call.url.searchParams)
    deleteMany(context, resource, picked)
    return json(200, listObjects(store, target, call.url.searchParams, picked))
  }
  if (verb === 'patch' && applying && live === undefined)
    authorize(store, user, { ...access, verb: 'create' })
  const write: Write = { context, target, body, options }
  const written =
    verb === 'create' && name === ''
      ? post(write)
      : verb === 'update'
        ? put(write, live)
        : verb === 'patch' && name !== ''
          ? patch(write, live)
          : undefined
  if (written !== undefined) return json(written.created ? 201 : 200, written.object)
  throw apiError(
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  )
}

function isDryRun(body: Body): boolean {
  const { dryRun } = body.object as { dryRun?: unknown }
  return Array.isArray(dryRun) && dryRun.includes('All')
}

/** DeleteOptions may come in the body or in the query. */
function withQuery(call: Call, body: Body): { [field: string]: unknown } {
  const propagationPolicy = call.url.searchParams.get('propagationPolicy')
  const sent = isObject(body.object) ? body.object : {}
  return propagationPolicy === null ? sent : { propagationPolicy, ...sent }
}

function failure(error: unknown): Answer {
  if (!isApiError(error)) throw error
  const retryAfter = error.status.details?.['retryAfterSeconds']
  const headers: Record<string, string> =
    retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }
  return json(error.status.code, error.status, headers)
}

function faultError(status: number): Error {
  const message = 'the server is currently unable to handle the request'
  if (status === 429) {
    return apiError(
      429,
      'TooManyRequests',
      'the server has received too many requests and has asked us to try again later',
      { retryAfterSeconds: 1 },
    )
  }
  const reasons: Readonly<Record<number, string>> = {
    401: 'Unauthorized',
    403: 'Forbidden',
    409: 'Conflict',
    500: 'InternalError',
    503: 'ServiceUnavailable',
    504: 'Timeout',
  }
  return apiError(status, reasons[status] ?? '', message)
}
