import type { AccessTokenSource } from '#shared/metadata-token.ts'
import { clusterUnreachable } from '../domain/cluster-failure.ts'
import type { ClusterObject } from '../domain/kubernetes-objects.ts'
import type {
  AccessQuestion,
  Applied,
  Cluster,
  ClusterAnswer,
  ClusterSelection,
  LiveObject,
} from '../ports/cluster.ts'
import {
  continuationOf,
  isMissing,
  itemsOf,
  managersInConflict,
  successOf,
  verdictOf,
  withObject,
} from './kubernetes-answers.ts'
import { accessReview, applyPath, deletePath, listPath, pathOf } from './kubernetes-requests.ts'
import type { KubernetesReply, KubernetesRequest, KubernetesTransport } from './kubernetes-transport.ts'

type Exchange = (request: Omit<KubernetesRequest, 'token'>) => Promise<ClusterAnswer<KubernetesReply>>

/** Reviews asked at the same time: quick, and far below what one caller is granted. */
const REVIEWS_AT_ONCE = 8
/** More pages than any cluster of ours has; a server that never ends its list is given up. */
const MOST_PAGES = 1_000

/**
 * A workload cluster's API server: server-side apply, get, list, delete and access reviews, no more.
 *
 * What the server says is classified once, here; no call is repeated except with a new token after a
 * 401. A call without an answer may have taken effect: every step looks before it acts.
 */
export function kubernetesCluster(transport: KubernetesTransport, tokens: AccessTokenSource): Cluster {
  const exchange = exchangeWith(transport, tokens)
  return {
    apply: (object, signal) => applyWith(exchange, object, false, signal),
    preview: (object, signal) => applyWith(exchange, object, true, signal),
    find: async (kind, name, signal) => {
      const answered = await exchange({ method: 'GET', path: pathOf(kind, name), signal })
      if (answered.ok && isMissing(answered.value, name)) return { ok: true, value: undefined }
      return withObject(answered, (live) => live)
    },
    list: (selection, signal) => listWith(exchange, selection, signal),
    delete: async (kind, name, uid, signal, graceSeconds, version) => {
      const value = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid, ...(version === undefined ? {} : { resourceVersion: version }) },
        ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
      }
      const body = { contentType: 'application/json', value }
      const answered = await exchange({ method: 'DELETE', path: deletePath(kind, name), body, signal })
      if (answered.ok && isMissing(answered.value, name)) return { ok: true, value: undefined }
      const done = successOf(answered)
      return done.ok ? { ok: true, value: undefined } : done
    },
    review: (questions, signal) => reviewWith(exchange, questions, signal),
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

/** Without force first: only a refusal names those whose fields would be taken. */
async function applyWith(
  exchange: Exchange,
  object: ClusterObject,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<ClusterAnswer<Applied>> {
  const body = { contentType: 'application/apply-patch+yaml', value: object }
  const attempt = (force: boolean) =>
    exchange({ method: 'PATCH', path: applyPath(object, { force, dryRun }), body, signal })
  const first = await attempt(false)
  const takenFrom = first.ok ? managersInConflict(first.value) : []
  const answered = takenFrom.length === 0 ? first : await attempt(true)
  return withObject(answered, (live): Applied => ({ object: live, takenFrom }))
}

async function listWith(
  exchange: Exchange,
  selection: ClusterSelection,
  signal: AbortSignal,
): Promise<ClusterAnswer<readonly LiveObject[]>> {
  const objects: LiveObject[] = []
  let after: string | undefined
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answered = successOf(await exchange({ method: 'GET', path: listPath(selection, after), signal }))
    if (!answered.ok) return answered
    const items = itemsOf(answered.value)
    // Nothing is proven gone by a list that cannot be read.
    if (items === undefined) return { ok: false, failure: clusterUnreachable('the answer is not a list') }
    objects.push(...items)
    after = continuationOf(answered.value)
    if (after === undefined) return { ok: true, value: objects }
  }
  return { ok: false, failure: clusterUnreachable('the list does not end') }
}

async function reviewWith(
  exchange: Exchange,
  questions: readonly AccessQuestion[],
  signal: AbortSignal,
): Promise<ClusterAnswer<readonly boolean[]>> {
  const verdicts: boolean[] = []
  for (let at = 0; at < questions.length; at += REVIEWS_AT_ONCE) {
    const chunk = questions.slice(at, at + REVIEWS_AT_ONCE)
    const answers = await Promise.all(chunk.map((question) => exchange(accessReview(question, signal))))
    for (const answered of answers) {
      const done = successOf(answered)
      if (!done.ok) return done
      const verdict = verdictOf(done.value)
      if (verdict === undefined) return { ok: false, failure: clusterUnreachable('a review without verdict') }
      verdicts.push(verdict)
    }
  }
  return { ok: true, value: verdicts }
}
