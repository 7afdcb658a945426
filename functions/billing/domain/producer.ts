import type { Producer } from './usage-event.ts'

/**
 * How a message on `billing-events` says that it came through the API, and so from a tenant.
 *
 * Only our API and the platform's collectors may publish there, so what is not marked is a collector's.
 */
const MARK = { name: 'producer', value: 'api' }

export function producerAttributes(producer: Producer): Readonly<Record<string, string>> {
  return producer === 'tenant' ? { [MARK.name]: MARK.value } : {}
}

export function producerOf(attributes: Readonly<Record<string, string>>): Producer {
  return attributes[MARK.name] === MARK.value ? 'tenant' : 'collector'
}
