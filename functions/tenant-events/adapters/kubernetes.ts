import { asRecord } from '#shared/json.ts'
import type { AccessTokenSource } from '#shared/metadata-token.ts'
import { type ClusterStatus, classifyClusterFailure, clusterUnreachable } from '../domain/cluster-failure.ts'
import type { ClusterObject } from '../domain/kubernetes-objects.ts'
import type { Applied, Cluster, ClusterAnswer, ClusterKind, LiveObject } from '../ports.ts'
import type { KubernetesReply, KubernetesRequest, KubernetesTransport } from './kubernetes-transport.ts'

const FIELD_MANAGER = 'energent-tenant-events'

/** The plural each kind is addressed by; whatever is not listed is not ours to touch. */
const PLURALS: Readonly<Record<string, string>> = {
  Namespace: 'namespaces',
  NetworkPolicy: 'networkpolicies',
  ResourceQuota: 'resourcequotas',
  LimitRange: 'limitranges',
  ServiceAccount: 'serviceaccounts',
  RoleBinding: 'rolebindings',
}

type Exchange = (request: Omit<KubernetesRequest, 'token'>) => Promise<ClusterAnswer<KubernetesReply>>

/**
 * A workload cluster's API server: server-side apply, get, list and delete, and nothing else.
 *
 * What the server says is classified once, here; no call is repeated except with a new token after a
 * 401. A call without an answer may have taken effect: every step looks before it acts.
 */
export function kubernetesCluster(transport: KubernetesTransport, tokens: AccessTokenSource): Cluster {
  const exchange = exchangeWith(transport, tokens)
  return {
    apply: async (object, signal) => {
      const first = await exchange(applyRequest(object, false, signal))
      const takenFrom = first.ok ? managersInConflict(first.value) : []
      const answered = takenFrom.length === 0 ? first : await exchange(applyRequest(object, true, signal))
      return withObject(answered, (live): Applied => ({ object: live, takenFrom }))
    },
    find: async (kind, name, signal) => {
      const answered = await exchange({ method: 'GET', path: pathOf(kind, name), signal })
      if (answered.ok && answered.value.status === 404) return { ok: true, value: undefined }
      return withObject(answered, (live) => live)
    },
    list: async (kind, signal) => {
      const answered = successOf(await exchange({ method: 'GET', path: `${pathOf(kind)}?limit=500`, signal }))
      if (!answered.ok) return answered
      const items = answered.value.body['items']
      const objects = Array.isArray(items) ? items.map(liveObject) : []
      return { ok: true, value: objects.filter((object) => object !== undefined) }
    },
    delete: async (kind, name, uid, signal) => {
      const value = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } }
      const body = { contentType: 'application/json', value }
      const answered = await exchange({ method: 'DELETE', path: pathOf(kind, name), body, signal })
      if (answered.ok && answered.value.status === 404) return { ok: true, value: undefined }
      const done = successOf(answered)
      return done.ok ? { ok: true, value: undefined } : done
    },
    ping: async () => {
      const answered = successOf(
        await exchange({ method: 'GET', path: '/readyz', signal: AbortSignal.timeout(2_000) }),
      )
      if (!answered.ok) throw new Error(answered.failure.code)
    },
  }
}

function exchangeWith(transport: KubernetesTransport, tokens: AccessTokenSource): Exchange {
  const attempt = async (request: Omit<KubernetesRequest, 'token'>): Promise<KubernetesReply> =>
    transport({ ...request, token: await tokens.token(request.signal) })
  return async (request) => {
    try {
      const reply = await attempt(request)
      if (reply.status !== 401) return { ok: true, value: reply }
      tokens.forget()
      return { ok: true, value: await attempt(request) }
    } catch (error) {
      return {
        ok: false,
        failure: clusterUnreachable(error instanceof Error ? error.message : String(error)),
      }
    }
  }
}

function applyRequest(
  object: ClusterObject,
  force: boolean,
  signal: AbortSignal,
): Omit<KubernetesRequest, 'token'> {
  const { apiVersion, kind, metadata } = object
  const { name, namespace } = metadata
  const path = pathOf({ apiVersion, kind, ...(namespace === undefined ? {} : { namespace }) }, name)
  const query = `fieldManager=${FIELD_MANAGER}&force=${force}&fieldValidation=Strict`
  const body = { contentType: 'application/apply-patch+yaml', value: object }
  return { method: 'PATCH', path: `${path}?${query}`, body, signal }
}

function pathOf({ apiVersion, kind, namespace }: ClusterKind, name?: string): string {
  const plural = PLURALS[kind]
  if (plural === undefined) throw new TypeError(`${kind} is not a kind this function may touch`)
  return [
    apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`,
    ...(namespace === undefined ? [] : ['namespaces', encodeURIComponent(namespace)]),
    plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
  ].join('/')
}

/** Who else owns fields of what we apply; empty for every other 409 and every other answer. */
function managersInConflict(reply: KubernetesReply): string[] {
  if (reply.status !== 409) return []
  const managers = causesOf(reply)
    .filter((cause) => cause.reason === 'FieldManagerConflict')
    .map((cause) => /conflict with "([^"]*)"/.exec(cause.message)?.[1] ?? 'unknown')
  return [...new Set(managers)]
}

function withObject<T>(
  answered: ClusterAnswer<KubernetesReply>,
  use: (live: LiveObject) => T,
): ClusterAnswer<T> {
  const done = successOf(answered)
  if (!done.ok) return done
  const live = liveObject(done.value.body)
  if (live === undefined) return { ok: false, failure: clusterUnreachable('the answer is not an object') }
  return { ok: true, value: use(live) }
}

function successOf(answered: ClusterAnswer<KubernetesReply>): ClusterAnswer<KubernetesReply> {
  if (!answered.ok || (answered.value.status >= 200 && answered.value.status < 300)) return answered
  const { status: code, body, retryAfterMs } = answered.value
  const status: ClusterStatus = {
    code,
    reason: textOf(body['reason']),
    message: textOf(body['message']),
    causes: causesOf(answered.value),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
  return { ok: false, failure: classifyClusterFailure(status) }
}

function causesOf({ body }: KubernetesReply): { reason: string; message: string }[] {
  const causes = asRecord(body['details'])?.['causes']
  return (Array.isArray(causes) ? causes : []).map((cause: unknown) => ({
    reason: textOf(asRecord(cause)?.['reason']),
    message: textOf(asRecord(cause)?.['message']),
  }))
}

function liveObject(raw: unknown): LiveObject | undefined {
  const body = asRecord(raw)
  const metadata = asRecord(body?.['metadata'])
  const name = textOf(metadata?.['name'])
  const uid = textOf(metadata?.['uid'])
  if (body === undefined || name === '' || uid === '') return undefined
  const labels = Object.entries(asRecord(metadata?.['labels']) ?? {})
  return {
    name,
    uid,
    labels: Object.fromEntries(labels.map(([key, value]) => [key, textOf(value)])),
    terminating: metadata?.['deletionTimestamp'] !== undefined,
    body,
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
