import { z } from 'zod'
import { PLATFORM_ROLES, TENANT_ROLES } from '#shared/catalogue/scopes.ts'
import type { HandlersOf } from '#shared/http/edge.ts'
import { revisionTag } from '#shared/http/etag.ts'
import type { ApiReply, TenantRequest } from '#shared/http/types.ts'
import { PLATFORM_TENANT } from '#shared/ids.ts'
import { parser } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import type { AuthDeps } from '../deps.ts'
import { isTenantRole, parseRoleScopes, type Role } from '../domain/role.ts'
import { changeRole, createRole, deleteRole } from '../operations/manage-roles.ts'
import { commandOf, ifMatchOf, noContent, withBody } from './people.ts'

type RoleOperations = 'listRoles' | 'getRole' | 'createRole' | 'changeRole' | 'deleteRole'

const description = z.string().regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{0,200}$/u, 'must be printable')
const scopes = z.array(z.string().max(64)).min(1).max(64)
const parseNewRole = parser(
  z.strictObject({ name: z.string().max(64), description: description.default(''), scopes }),
)
const parseRoleChange = parser(
  z.strictObject({ description: description.optional(), scopes: scopes.optional() }),
)

/** Roles: those every tenant has, which nobody changes, and the tenant's own. */
export function roleHandlers(deps: AuthDeps): Pick<HandlersOf<'auth'>, RoleOperations> {
  return {
    listRoles: async ({ ctx }) => {
      const operators = ctx.tenantId === PLATFORM_TENANT ? Object.keys(PLATFORM_ROLES).map(operatorRole) : []
      const own = [...(await deps.roles.all(ctx))].sort((a, b) => (a.name < b.name ? -1 : 1))
      const usual = Object.keys(TENANT_ROLES).filter(isTenantRole).map(usualRole)
      return ok({
        status: 200,
        json: { items: [...usual, ...operators, ...own.map(viewOf)], nextPageToken: null },
      })
    },
    getRole: async (request) => {
      const name = nameOf(request)
      if (isTenantRole(name)) return ok({ status: 200, json: usualRole(name) })
      const role = await deps.roles.find(request.ctx, name)
      return role === undefined ? refuse('resource.not_found', 'no such role') : roleReply(200, ok(role))
    },
    createRole: withBody(parseNewRole, async (request, body) => {
      const parsed = parseRoleScopes(body.scopes)
      if (!parsed.ok) return parsed
      return roleReply(201, await createRole(deps, { ...commandOf(request), ...body, scopes: parsed.value }))
    }),
    changeRole: withBody(parseRoleChange, async (request, body) => {
      const parsed = body.scopes === undefined ? undefined : parseRoleScopes(body.scopes)
      if (parsed !== undefined && !parsed.ok) return parsed
      const changed = await changeRole(deps, {
        ...commandOf(request),
        name: nameOf(request),
        ifMatch: ifMatchOf(request),
        ...(body.description === undefined ? {} : { description: body.description }),
        ...(parsed === undefined ? {} : { scopes: parsed.value }),
      })
      return roleReply(200, changed)
    }),
    deleteRole: async (request) =>
      noContent(
        await deleteRole(deps, {
          ...commandOf(request),
          name: nameOf(request),
          ifMatch: ifMatchOf(request),
        }),
      ),
  }
}

function nameOf({ params }: TenantRequest): string {
  return params['roleName'] ?? ''
}

function usualRole(name: keyof typeof TENANT_ROLES) {
  return { name, description: '', scopes: TENANT_ROLES[name], custom: false }
}

function operatorRole(name: string) {
  return { name, description: '', scopes: PLATFORM_ROLES[name] ?? [], custom: false }
}

function viewOf(role: Role) {
  const { createdAt, description: text, name, scopes: held, updatedAt } = role
  return {
    name,
    description: text,
    scopes: held,
    custom: true,
    createdAt: new Date(createdAt).toISOString(),
    updatedAt: new Date(updatedAt).toISOString(),
  }
}

function roleReply(status: number, role: Result<Role>): Result<ApiReply> {
  if (!role.ok) return role
  return ok({ status, headers: { etag: revisionTag(role.value.revision) }, json: viewOf(role.value) })
}
