import { badParameter, stripeError } from './errors.ts'
import { type Form, type FormValue, isForm } from './form.ts'

/** Parsed parameters of one call. */
export type Params = { readonly [name: string]: unknown }

/** Metadata: at most 50 keys of 40 characters, values of 500. An empty value removes its key. */
type Metadata = { [key: string]: string }

/**
 * Parses a form after a list such as `customer! amount:int metadata:meta`.
 *
 * `!` marks what is required; types are text (none), `int`, `bool`, `meta` and `any`. A parameter that
 * is not listed is refused, as Stripe refuses it.
 */
export function parseParams(form: Form, specification: string): Params {
  const known = new Map(
    [...specification.split(' '), 'expand:any']
      .filter((word) => word !== '')
      .map((word) => {
        const [, name = '', required, type = 'text'] = /^(\w+)(!?)(?::(\w+))?$/.exec(word) ?? []
        return [name, { required: required === '!', type }] as const
      }),
  )
  const params: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(form)) {
    const rule = known.get(name)
    if (rule === undefined)
      throw badParameter(`Received unknown parameter: ${name}`, name, 'parameter_unknown')
    params[name] = parseValue(name, value, rule.type)
  }
  for (const [name, { required }] of known) {
    if (required && (params[name] === undefined || params[name] === '')) {
      throw badParameter(`Missing required param: ${name}.`, name, 'parameter_missing')
    }
  }
  return params
}

function parseValue(name: string, value: FormValue, type: string): unknown {
  if (type === 'any') return value
  if (type === 'meta') return parseMetadata(name, value)
  if (typeof value !== 'string') throw badParameter(`Invalid ${name}: must be a string`, name)
  if (type === 'int') {
    if (!/^-?\d{1,15}$/.test(value))
      throw badParameter(`Invalid integer: ${value}`, name, 'parameter_invalid_integer')
    return Number(value)
  }
  if (type === 'bool') {
    if (value !== 'true' && value !== 'false') throw badParameter(`Invalid boolean: ${value}`, name)
    return value === 'true'
  }
  return value
}

function parseMetadata(name: string, value: FormValue): Metadata | '' {
  if (value === '') return ''
  if (!isForm(value)) throw badParameter('Invalid hash', name, 'parameter_invalid_empty')
  const entries = Object.entries(value)
  if (entries.length > 50) throw badParameter('Metadata can have at most 50 keys', name)
  for (const [key, text] of entries) {
    if (typeof text !== 'string') throw badParameter('Metadata values must be strings', `${name}[${key}]`)
    if (key.length > 40) throw badParameter(`Metadata keys can be at most 40 characters: ${key}`, name)
    if (text.length > 500)
      throw badParameter('Metadata values can be at most 500 characters', `${name}[${key}]`)
  }
  return value as Metadata
}

/** The metadata after an update: given keys are set, empty ones go, `''` clears all. */
export function mergeMetadata(before: unknown, change: unknown): Metadata {
  if (change === '') return {}
  const merged = { ...(before as Metadata | undefined), ...(change as Metadata | undefined) }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== ''))
}

/** A text parameter, or nothing where it is missing. */
export const textOf = (params: Params, name: string): string | undefined => {
  const value = params[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A number parameter, or nothing where it is missing. */
export const numberOf = (params: Params, name: string): number | undefined => {
  const value = params[name]
  return typeof value === 'number' ? value : undefined
}

/** The whole minor units of `quantity` times a decimal unit amount, half away from zero as Stripe rounds. */
export function lineAmount(unitAmount: string, quantity: number): number {
  const match = /^(-?)(\d+)(?:\.(\d{1,12}))?$/.exec(unitAmount)
  if (match === null) {
    throw stripeError(
      400,
      {
        type: 'invalid_request_error',
        message: `Invalid decimal: ${unitAmount}`,
        param: 'unit_amount_decimal',
      },
      false,
    )
  }
  const [, sign, whole = '0', fraction = ''] = match
  const scale = 10n ** BigInt(fraction.length)
  const product = BigInt(`${whole}${fraction}`) * BigInt(quantity)
  const rounded = (product * 2n + scale) / (scale * 2n)
  return Number(sign === '-' ? -rounded : rounded)
}
