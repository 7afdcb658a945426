import type { FunctionId } from './functions.ts'
import type { PlatformScope, Scope } from './scopes.ts'

/**
 * One HTTP operation.
 *
 * `security` says who may call: `public` needs no token at the gateway, `token` needs ours with
 * `scope`, `scheduler` is Cloud Scheduler alone and never stands in `api-spec.yaml`.
 * `operatorScope` is what lets an operator act on a tenant that is not their own. `ownUser` lets the
 * user of the path do to themselves what takes the scope with others.
 */
export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly function: FunctionId
  readonly security: 'public' | 'token' | 'scheduler'
  readonly scope?: Scope
  readonly operatorScope?: PlatformScope
  readonly ownUser?: true
  /** The largest body the route takes, in bytes. */
  readonly maxBodyBytes: number
  readonly accepts?: readonly string[]
  /** Without a body it needs no media type either: everything it could say has a usual value. */
  readonly bodyOptional?: true
  /** How long an answer may take, in milliseconds, where longer than usual; the gateway's own must be longer. */
  readonly deadlineMs?: number
}

export const JSON_TYPE = ['application/json']
export const FORM_TYPE = ['application/x-www-form-urlencoded']
export const USAGE_TYPES = [
  'application/json',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
]
export const KIB = 1024
export const form = { maxBodyBytes: 16 * KIB, accepts: FORM_TYPE } as const
export const json = { maxBodyBytes: 64 * KIB, accepts: JSON_TYPE } as const
/** For what says all by its path, and may say more. */
export const maybeJson = { maxBodyBytes: 4 * KIB, accepts: JSON_TYPE, bodyOptional: true } as const
/** A plan has prices in several currencies. */
export const plan = { maxBodyBytes: 256 * KIB, accepts: JSON_TYPE } as const
/** A group may come with some thousand members. */
export const scim = {
  maxBodyBytes: 256 * KIB,
  accepts: ['application/scim+json', 'application/json'],
} as const

export function open<F extends FunctionId>(method: Route['method'], path: string, owner: F) {
  return { method, path, function: owner, security: 'public', maxBodyBytes: 0 } as const
}

export function bindings(method: Route['method'], path: string) {
  return secured(method, path, 'auth', 'clients:manage', 'platform:tenants')
}

export function secured<F extends FunctionId>(
  method: Route['method'],
  path: string,
  owner: F,
  scope: Scope,
  operatorScope?: PlatformScope,
) {
  const route = { method, path, function: owner, security: 'token', scope, maxBodyBytes: 0 } as const
  return operatorScope === undefined ? route : { ...route, operatorScope }
}

/** How a tenant's people and clients sign in; operators set it up with them. */
export function signOn(method: Route['method'], path: string) {
  return secured(method, path, 'auth', 'sso:manage', 'platform:tenants')
}

export function billingOf<M extends Route['method']>(
  method: M,
  path: string,
  scope: Scope,
  operatorScope?: PlatformScope,
) {
  return { ...secured(method, path, 'billing-api', scope, operatorScope), method } as const
}

/** Who may see and end sessions may be told who is signed in: operators for security, not for support. */
export function sessions<M extends 'GET' | 'DELETE'>(method: M, path: string) {
  return { ...secured(method, path, 'auth', 'sessions:manage', 'platform:security'), method } as const
}

export function users(method: Route['method'], path: string) {
  return secured(method, path, 'auth', 'users:manage')
}

/** Operators invite a tenant's first owner: before that there is nobody who could. */
export function invitations(method: Route['method'], path: string) {
  return secured(method, path, 'auth', 'users:manage', 'platform:tenants')
}

export function invoices(method: Route['method'], path: string) {
  return secured(method, path, 'billing-api', 'invoices:read', 'platform:read')
}

export function operatorsBilling(method: Route['method'], path: string) {
  return secured(method, path, 'billing-api', 'platform:billing', 'platform:billing')
}

export function usage(method: Route['method'], path: string) {
  return secured(method, path, 'billing-api', 'usage:read', 'platform:read')
}

export function clients<M extends Route['method']>(method: M, path: string) {
  return { ...secured(method, path, 'auth', 'clients:manage', 'platform:tenants'), method } as const
}

export function apiKeys<M extends Route['method']>(method: M, path: string) {
  return { ...secured(method, path, 'auth', 'keys:manage', 'platform:tenants'), method } as const
}

/** What a tenant's own people ask of their tenant; operators for tenants may, too. */
export function managed<M extends Route['method']>(method: M, path: string) {
  return { ...secured(method, path, 'tenants-api', 'tenant:manage', 'platform:tenants'), method } as const
}

/** What is done to a tenant, and not by it. */
export function operatorsTenants<M extends Route['method']>(method: M, path: string) {
  return { ...secured(method, path, 'tenants-api', 'platform:tenants', 'platform:tenants'), method } as const
}

/** What whoever may look at a tenant may look at. */
export function ofTenant(path: string) {
  return secured('GET', path, 'tenants-api', 'tenant:read', 'platform:read')
}

/** Messages of all tenants and of none. */
export function deadLetters<M extends Route['method']>(method: M, path: string) {
  return { ...secured(method, path, 'tenants-api', 'platform:operate'), method } as const
}

export function scheduled<F extends FunctionId>(path: string, owner: F) {
  return { method: 'POST', path, function: owner, security: 'scheduler', maxBodyBytes: 4 * KIB } as const
}
