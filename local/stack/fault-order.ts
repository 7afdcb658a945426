import { CONTAINER_OPERATIONS } from '#local/container/index.ts'
import type { Fault } from '#local/faults.ts'
import { FLEET_OPERATIONS } from '#local/fleet/index.ts'
import { KMS_OPERATIONS } from '#local/kms/listing.ts'
import { StackError } from './options.ts'

export const TARGETS = [
  'firestore',
  'pubsub',
  'secrets',
  'kubernetes',
  'stripe',
  'idp',
  'kms',
  'container',
  'fleet',
] as const
const MODES = ['refuse', 'delay', 'error', 'lostAnswer'] as const satisfies readonly Fault['mode'][]
const FIELDS = ['target', 'operation', 'count', 'mode', 'code', 'delayMs']
const LONGEST_DELAY_MS = 600_000
/** Any operation. */
export const ANY = '*'

export type FaultTarget = (typeof TARGETS)[number]

/** What was ordered at the control door: the next `count` calls of an operation go wrong. */
export type FaultOrder = {
  readonly target: FaultTarget
  readonly operation: string
  readonly count: number
  readonly fault: Fault
}

/** How the operations of a target are called, and what its codes are. */
type Naming = {
  readonly isOperation: (operation: string) => boolean
  readonly example: string
  readonly codes: readonly [least: number, most: number]
  /** The modes that answer with a code. */
  readonly coded: readonly Fault['mode'][]
}

const HTTP = { codes: [400, 599], coded: ['error'] } as const
const VERBS = 'get|list|watch|create|update|patch|delete|deletecollection'
/** Of a service whose methods have names. */
const named = (operations: readonly string[]): Naming => ({
  ...HTTP,
  isOperation: (operation) => operations.includes(operation),
  example: `one of ${operations.join(', ')}`,
})
const NAMINGS: Readonly<Record<'kubernetes' | 'stripe' | 'idp' | 'kms' | 'container' | 'fleet', Naming>> = {
  kms: named(KMS_OPERATIONS),
  container: named(CONTAINER_OPERATIONS),
  fleet: named(FLEET_OPERATIONS),
  kubernetes: {
    ...HTTP,
    isOperation: (operation) => new RegExp(`^(${VERBS}) [a-z/]+$`).test(operation),
    example: 'a verb and a resource, such as "patch namespaces"',
  },
  stripe: {
    ...HTTP,
    isOperation: (operation) => /^(GET|POST|DELETE) \/v1\/[\w./-]+$/.test(operation),
    example: 'a method and a path, such as "POST /v1/customers"',
  },
  idp: {
    ...HTTP,
    isOperation: (operation) => /^\/[\w./-]*$/.test(operation),
    example: 'a path, such as "/token"',
  },
}

/**
 * Reads an order. One that could never happen, or not as it was meant, is refused: a test that waits
 * for it would pass for the wrong reason.
 *
 * `rpcsOf` has the RPCs of a target that speaks gRPC; undefined where it takes no faults.
 */
export function parseFaultOrder(
  body: Readonly<Record<string, unknown>>,
  rpcsOf: (target: FaultTarget) => readonly string[] | undefined,
): FaultOrder {
  const unknown = Object.keys(body).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) throw new StackError(`${unknown} is none of ${FIELDS.join(', ')}.`)
  const target = oneOf('target', body['target'], TARGETS)
  const naming = namingOf(target, rpcsOf)
  const mode = oneOf('mode', body['mode'], MODES)
  const operation = body['operation'] ?? ANY
  if (typeof operation !== 'string' || !(operation === ANY || naming.isOperation(operation))) {
    throw new StackError(`operation of ${target} must be "*" or ${naming.example}.`)
  }
  const [least, most] = naming.codes
  const code = wholeNumber('code', body['code'], least, most)
  if (code !== undefined && !naming.coded.includes(mode)) {
    throw new StackError(`${target} has a code only in the modes ${naming.coded.join(', ')}.`)
  }
  const delayMs = wholeNumber('delayMs', body['delayMs'], 0, LONGEST_DELAY_MS)
  if (delayMs !== undefined && mode !== 'delay') throw new StackError('delayMs goes with the mode delay.')
  const fault = { mode, ...(code !== undefined && { code }), ...(delayMs !== undefined && { delayMs }) }
  return { target, operation, count: wholeNumber('count', body['count'], 1, 1_000_000) ?? 1, fault }
}

function namingOf(
  target: FaultTarget,
  rpcsOf: (target: FaultTarget) => readonly string[] | undefined,
): Naming {
  if (target !== 'firestore' && target !== 'pubsub' && target !== 'secrets') return NAMINGS[target]
  const rpcs = rpcsOf(target)
  if (rpcs === undefined) {
    throw new StackError(`${target} is Google's emulator here and takes no faults; use the embedded engine.`)
  }
  return {
    isOperation: (operation) => rpcs.includes(operation),
    example: `one of ${rpcs.join(', ')}`,
    codes: [1, 16],
    coded: ['refuse', 'error', 'lostAnswer'],
  }
}

function oneOf<const T extends string>(name: string, value: unknown, known: readonly T[]): T {
  const found = known.find((candidate) => candidate === value)
  if (found === undefined) throw new StackError(`${name} must be one of ${known.join(', ')}.`)
  return found
}

function wholeNumber(name: string, value: unknown, least: number, most: number): number | undefined {
  if (value === undefined) return undefined
  const fits = typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
  if (!fits) throw new StackError(`${name} must be a whole number from ${least} to ${most}.`)
  return value
}
