import type { Fault } from '#local/faults.ts'
import type { Idp } from '#local/idp/index.ts'
import { ANY, type FaultOrder, type FaultTarget, parseFaultOrder } from './fault-order.ts'
import { StackError } from './options.ts'
import type { Parts } from './parts.ts'

/** Faults ordered at the control door: each hits the next `count` calls of one operation, then is over. */
export type FaultList = {
  /** Takes an order as it was sent; rejects with what is wrong about it. */
  add(body: Readonly<Record<string, unknown>>): Promise<{ id: string }>
  /** Takes an order back, also one that is over. */
  remove(id: string): Promise<void>
}

type Waiting = FaultOrder & { left: number }

export function faultList(parts: Parts, idp: Pick<Idp, 'addFault' | 'removeFault'>): FaultList {
  const orders = new Map<string, Waiting>()
  const next = (target: FaultTarget, operation: string): Fault | undefined => {
    const order = [...orders.values()].find(
      (each) =>
        each.target === target && each.left > 0 && (each.operation === ANY || each.operation === operation),
    )
    if (order === undefined) return undefined
    order.left -= 1
    return order.fault
  }
  const { firestore, pubsub, secrets } = parts.engines
  firestore?.setFault((rpc) => next('firestore', rpc))
  pubsub?.setFault((rpc) => next('pubsub', rpc))
  secrets.setFault((rpc) => next('secrets', rpc))
  const onKubernetes = (operation: string): Fault | undefined => next('kubernetes', operation)
  parts.kubernetes.setFault(onKubernetes)
  // Clusters of tenants' own are clusters like the shared one.
  parts.container.setKubernetesFault(onKubernetes)
  parts.fleet.setKubernetesFault(onKubernetes)
  parts.kms.setFault((operation) => next('kms', operation))
  parts.container.setFault((operation) => next('container', operation))
  parts.fleet.setFault((operation) => next('fleet', operation))
  parts.stripe.setFault((operation) => next('stripe', operation))
  const rpcsOf = (target: FaultTarget): readonly string[] | undefined =>
    ({ firestore, pubsub, secrets })[target as string]?.rpcs
  let number = 0
  return {
    add: async (body) => {
      const order = parseFaultOrder(body, rpcsOf)
      number += 1
      const id = `fault-${number}`
      // The identity provider is a process of its own and counts for itself.
      if (order.target === 'idp') await idp.addFault(id, idpFault(order))
      orders.set(id, { ...order, left: order.count })
      return { id }
    },
    remove: async (id) => {
      const order = orders.get(id)
      if (order === undefined) throw new StackError(`There is no fault ${id}.`)
      orders.delete(id)
      if (order.target === 'idp') await idp.removeFault(id)
    },
  }
}

function idpFault({ fault, count, operation }: FaultOrder) {
  return { ...fault, count, ...(operation === ANY ? {} : { path: operation }) }
}
