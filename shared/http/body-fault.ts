import type { IncomingMessage } from 'node:http'
import type { Refusal } from '../result.ts'

const faults = new WeakMap<IncomingMessage, Refusal>()
const EVENT = 'energent:body-fault'

/** Says of a request that is being answered that the rest of its body cannot be parsed. */
export function failBody(request: IncomingMessage, refusal: Refusal): void {
  faults.set(request, refusal)
  request.emit(EVENT, refusal)
}

/** Hears of such a fault, also of one that has been; the returned function ends that. */
export function onBodyFault(request: IncomingMessage, hear: (refusal: Refusal) => void): () => void {
  const known = faults.get(request)
  if (known !== undefined) hear(known)
  request.on(EVENT, hear)
  return () => void request.off(EVENT, hear)
}
