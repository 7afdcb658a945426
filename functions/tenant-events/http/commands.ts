import type { HandlersOf } from '#shared/http/edge.ts'
import { checkIfMatch, revisionTag } from '#shared/http/etag.ts'
import { claimOf } from '#shared/http/idempotency.ts'
import type { ApiReply, TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { isDocumentId } from '#shared/ids.ts'
import type { Parse } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { ApiDeps } from '../deps.ts'
import type { Command } from '../domain/command.ts'
import { orderCommand } from '../operations/order-command.ts'
import type { Ordered } from '../operations/request-command.ts'
import { audienceOf } from './audience.ts'
import { approverOf, checkOwner } from './authority.ts'
import { BODIES, readBody } from './bodies.ts'

type Routes =
  | 'changeTier'
  | 'suspendTenant'
  | 'resumeTenant'
  | 'offboardTenant'
  | 'cancelOffboarding'
  | 'exportTenant'
  | 'approvePurge'
  | 'setLegalHold'
  | 'endLegalHold'
  | 'reconcileTenant'
  | 'retryOperation'

/** Every request that something be done to a tenant: from a body to a command, and from its answer to ours. */
export function commandHandlers(deps: ApiDeps): Pick<HandlersOf<'tenants-api'>, Routes> {
  const on = ordering(deps)
  return {
    changeTier: on(BODIES.tierChange, (body) => ok({ name: 'tier-change', ...body })),
    suspendTenant: on(BODIES.suspend, (body) => ok({ name: 'suspend', ...body })),
    resumeTenant: on(BODIES.resume, (body) => ok({ name: 'resume', ...body }), { body: 'optional' }),
    offboardTenant: on(BODIES.offboard, (body) => ok({ name: 'offboard', ...body }), {
      allows: checkOwner,
    }),
    cancelOffboarding: on(BODIES.nothing, () => ok({ name: 'offboard-cancel' }), {
      allows: checkOwner,
      body: 'optional',
    }),
    exportTenant: on(BODIES.export, (body) => ok({ name: 'export', ...body })),
    approvePurge: on(
      BODIES.purge,
      (body, request) => {
        const approver = approverOf(request)
        return approver.ok ? ok({ name: 'purge', approver: approver.value, ...body }) : approver
      },
      { allows: approverOf, reply: approved },
    ),
    setLegalHold: on(BODIES.legalHold, (body) => ok({ name: 'legal-hold', on: true, ...body }), {
      reply: ({ tenant }) => ({ status: 200, headers: tagOf(tenant), json: tenant }),
    }),
    endLegalHold: on(BODIES.nothing, () => ok({ name: 'legal-hold', on: false, reference: '' }), {
      body: 'optional',
      reply: () => ({ status: 204 }),
    }),
    reconcileTenant: on(BODIES.nothing, () => ok({ name: 'reconcile' }), { body: 'optional' }),
    retryOperation: on(
      BODIES.nothing,
      (_body, { params }) => {
        const { operationId } = params
        if (!isDocumentId(operationId)) return refuse('resource.not_found', 'not an operation id')
        return ok({ name: 'retry', operationId })
      },
      { body: 'optional' },
    ),
  }
}

type Form = {
  /** Who may, beyond what the route's scopes say. */
  readonly allows?: (request: TenantRequest) => Result<unknown>
  readonly body?: 'optional'
  /** How it is answered, where not by the operation that carries it out. */
  readonly reply?: (ordered: Ordered) => ApiReply
}

function ordering(deps: ApiDeps) {
  return <T>(
    parse: Parse<T>,
    commandOf: (body: T, request: TenantRequest) => Result<Command>,
    form: Form = {},
  ): TenantHandler =>
    async (request) => {
      const allowed = form.allows?.(request) ?? ok(undefined)
      if (!allowed.ok) return allowed
      const body = readBody(request.body, parse, form.body)
      if (!body.ok) return body
      const command = commandOf(body.value, request)
      if (!command.ok) return command
      const claim = claimOf(request, { ...body.value, params: { ...request.params } })
      if (!claim.ok) return claim
      const { ctx, nowMs, trace } = request
      const ordered = await orderCommand(deps, {
        ...{ ctx, nowMs, trace },
        command: command.value,
        audience: audienceOf(request),
        claim: claim.value,
        hasSeen: (revision) => checkIfMatch(request, revisionTag(revision)),
      })
      return ordered.ok ? ok((form.reply ?? accepted)(ordered.value)) : ordered
    }
}

/** The operation exists: it was made in the commit that accepted the command. */
function accepted(ordered: Ordered): ApiReply {
  const { operationId, tenant } = ordered
  if (operationId === null) throw new Error('this command is carried out by an operation')
  const location = `/v1/tenants/${tenant.tenantId}/operations/${operationId}`
  return { status: 202, headers: { location }, json: ordered }
}

/** The first approval is a thing of its own; the second one begins the purge. */
function approved(ordered: Ordered): ApiReply {
  return ordered.operationId === null ? { status: 201, json: ordered } : accepted(ordered)
}

function tagOf({ revision }: Ordered['tenant']) {
  return { etag: revisionTag(revision) }
}
