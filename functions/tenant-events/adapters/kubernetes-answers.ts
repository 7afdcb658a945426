import { asRecord } from '#shared/json.ts'
import { type ClusterStatus, classifyClusterFailure, clusterUnreachable } from '../domain/cluster-failure.ts'
import type { ClusterAnswer, LiveObject } from '../ports/cluster.ts'
import type { KubernetesReply } from './kubernetes-transport.ts'

/** The answer if it is a success, the classified failure if it is not. */
export function successOf(answered: ClusterAnswer<KubernetesReply>): ClusterAnswer<KubernetesReply> {
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

/** Hands over the object an answer holds; an answer that holds none is as good as no answer. */
export function withObject<T>(
  answered: ClusterAnswer<KubernetesReply>,
  use: (live: LiveObject) => T,
): ClusterAnswer<T> {
  const done = successOf(answered)
  if (!done.ok) return done
  const live = liveObject(done.value.body)
  if (live === undefined) return { ok: false, failure: clusterUnreachable('the answer is not an object') }
  return { ok: true, value: use(live) }
}

/**
 * Whether the API server says that this very object is not there.
 *
 * Any other 404 (no such cluster, no such API, a proxy's own page) proves nothing about the object.
 */
export function isMissing({ status, body }: KubernetesReply, name: string): boolean {
  const details = asRecord(body['details'])
  return status === 404 && body['reason'] === 'NotFound' && details?.['name'] === name
}

/** The items of a list; undefined when the answer is none, or one of them is no object. */
export function itemsOf({ body }: KubernetesReply): LiveObject[] | undefined {
  const items = body['items']
  if (!Array.isArray(items)) return undefined
  const objects = items.map(liveObject).filter((object) => object !== undefined)
  return objects.length === items.length ? objects : undefined
}

/** Where the next page of a list begins; undefined on the last. */
export function continuationOf({ body }: KubernetesReply): string | undefined {
  const token = textOf(asRecord(body['metadata'])?.['continue'])
  return token === '' ? undefined : token
}

/** What an access review says; undefined when it says nothing. */
export function verdictOf({ body }: KubernetesReply): boolean | undefined {
  const allowed = asRecord(body['status'])?.['allowed']
  return typeof allowed === 'boolean' ? allowed : undefined
}

/** Who else owns fields of what we apply; empty for every other 409 and every other answer. */
export function managersInConflict(reply: KubernetesReply): string[] {
  if (reply.status !== 409) return []
  const managers = causesOf(reply)
    .filter((cause) => cause.reason === 'FieldManagerConflict')
    .map((cause) => /conflict with "([^"]*)"/.exec(cause.message)?.[1] ?? 'unknown')
  return [...new Set(managers)]
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
