import type { Fault } from '#local/faults.ts'
import { StackError } from './options.ts'
import type { Parts } from './parts.ts'

const TARGETS = ['firestore', 'pubsub', 'secrets', 'kubernetes', 'stripe'] as const
const MODES = ['refuse', 'delay', 'error', 'lostAnswer'] as const satisfies readonly Fault['mode'][]
type Target = (typeof TARGETS)[number]

type Order = {
  readonly id: string
  readonly target: Target
  /** The call it waits for, such as `Commit` or `patch namespaces`; `*` is any. */
  readonly operation: string
  readonly fault: Fault
  left: number
}

/** Faults ordered at the control door: each hits the next `count` calls of one operation, then is over. */
export type FaultList = {
  add(body: Readonly<Record<string, unknown>>): { id: string }
  remove(id: string): void
}

export function faultList(parts: Parts): FaultList {
  const orders: Order[] = []
  let number = 0
  const next = (target: Target, operation: string): Fault | undefined => {
    const order = orders.find(
      (each) =>
        each.target === target && each.left > 0 && (each.operation === '*' || each.operation === operation),
    )
    if (order === undefined) return undefined
    order.left -= 1
    return order.fault
  }
  const { firestore, pubsub, secrets } = parts.engines
  firestore?.setFault((rpc) => next('firestore', rpc))
  pubsub?.setFault((rpc) => next('pubsub', rpc))
  secrets.setFault((rpc) => next('secrets', rpc))
  parts.kubernetes.setFault((operation) => next('kubernetes', operation))
  parts.stripe.setFault((operation) => next('stripe', operation))
  return {
    add: (body) => {
      const target = oneOf('target', body['target'], TARGETS)
      if (
        (target === 'firestore' && firestore === undefined) ||
        (target === 'pubsub' && pubsub === undefined)
      ) {
        throw new StackError(
          `${target} is Google's emulator here and takes no faults; use the embedded engine.`,
        )
      }
      number += 1
      const order: Order = {
        id: `fault-${number}`,
        target,
        operation: body['operation'] === undefined ? '*' : String(body['operation']),
        fault: faultOf(body),
        left: optionalNumber('count', body['count']) ?? 1,
      }
      orders.push(order)
      return { id: order.id }
    },
    remove: (id) => {
      const at = orders.findIndex((order) => order.id === id)
      if (at < 0) throw new StackError(`There is no fault ${id}.`)
      orders.splice(at, 1)
    },
  }
}

function faultOf(body: Readonly<Record<string, unknown>>): Fault {
  const code = optionalNumber('code', body['code'])
  const delayMs = optionalNumber('delayMs', body['delayMs'])
  return {
    mode: oneOf('mode', body['mode'], MODES),
    ...(code !== undefined && { code }),
    ...(delayMs !== undefined && { delayMs }),
  }
}

function oneOf<const T extends string>(name: string, value: unknown, known: readonly T[]): T {
  const found = known.find((candidate) => candidate === value)
  if (found === undefined) throw new StackError(`${name} must be one of ${known.join(', ')}.`)
  return found
}

function optionalNumber(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  throw new StackError(`${name} must be a whole number.`)
}
