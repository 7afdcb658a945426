import type { JsonObject } from './json.ts'

type Cause = { readonly reason?: string; readonly message: string; readonly field?: string }

/** `metav1.Status`: the body of every answer that is not an object. */
type Status = {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: JsonObject
  readonly status: 'Success' | 'Failure'
  readonly message?: string
  readonly reason?: string
  readonly details?: JsonObject
  readonly code: number
}

/** What a refused request throws: the Status goes to the caller as it is. */
export type ApiError = Error & { readonly status: Status }

/** What an error is about: `plural.group` as messages spell it, and the kind for validation errors. */
export type About = { readonly group: string; readonly plural: string; readonly kind: string }

/** A kind with its group, as messages name it: `deployments.apps`. */
export function qualified(about: About, word: 'plural' | 'kind' = 'plural'): string {
  return about.group === '' ? about[word] : `${about[word]}.${about.group}`
}

/** A failure as the API server words it: a Status with code and reason. */
export function apiError(code: number, reason: string, message: string, details?: JsonObject): ApiError {
  const status: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    ...(reason === '' ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    code,
  }
  return Object.assign(new Error(message), { status })
}

/** Whether an error was meant for the caller. */
export function isApiError(error: unknown): error is ApiError {
  return error instanceof Error && 'status' in error
}

const details = (about: About, name: string, causes?: readonly Cause[]): JsonObject => ({
  name,
  ...(about.group === '' ? {} : { group: about.group }),
  kind: about.plural,
  ...(causes === undefined || causes.length === 0 ? {} : { causes }),
})

export const notFound = (about: About, name: string): ApiError =>
  apiError(404, 'NotFound', `${qualified(about)} "${name}" not found`, details(about, name))

export const alreadyExists = (about: About, name: string, prefix = ''): ApiError =>
  apiError(
    409,
    'AlreadyExists',
    `${prefix}${qualified(about)} "${name}" already exists`,
    details(about, name),
  )

export const conflict = (about: About, name: string, why: string): ApiError =>
  apiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(about)} "${name}": ${why}`,
    details(about, name),
  )

export const forbidden = (about: About, name: string, why: string, causes?: readonly Cause[]): ApiError =>
  apiError(
    403,
    'Forbidden',
    `${qualified(about)}${name === '' ? '' : ` "${name}"`} is forbidden: ${why}`,
    details(about, name, causes),
  )

export const badRequest = (message: string): ApiError => apiError(400, 'BadRequest', message)

/** One thing wrong with one field (k8s.io/apimachinery `field.Error`). */
export type FieldError = { readonly field: string; readonly reason: string; readonly message: string }

const shown = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value))

export const invalidValue = (field: string, value: unknown, why: string): FieldError => ({
  field,
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${shown(value)}: ${why}`,
})

/** Like `invalidValue`, for values the server prints in Go's own notation. */
export const invalidGoValue = (field: string, printed: string, why: string): FieldError => ({
  field,
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${printed}: ${why}`,
})

export const requiredValue = (field: string, why = ''): FieldError => ({
  field,
  reason: 'FieldValueRequired',
  message: why === '' ? 'Required value' : `Required value: ${why}`,
})

export const forbiddenField = (field: string, why: string): FieldError => ({
  field,
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${why}`,
})

export const unsupportedValue = (field: string, value: string, supported: readonly string[]): FieldError => ({
  field,
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${shown(value)}: supported values: ${supported.map(shown).join(', ')}`,
})

/** 422 with every cause; the message names each different one once. */
export function invalid(about: About, name: string, errors: readonly FieldError[]): ApiError {
  const lines = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))]
  const message = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`
  return apiError(422, 'Invalid', `${qualified(about, 'kind')} "${name}" is invalid: ${message}`, {
    name,
    ...(about.group === '' ? {} : { group: about.group }),
    kind: about.kind,
    causes: errors.map(({ reason, message: text, field }) => ({ reason, message: text, field })),
  })
}
