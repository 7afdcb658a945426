import { randomUUID } from 'node:crypto'
import { asRecord } from '#shared/json.ts'
import { GoogleError } from '../google-service.ts'
import type { Journal } from '../journal.ts'

export type Membership = {
  readonly name: string
  readonly labels: Readonly<Record<string, unknown>>
  readonly uid: string
  readonly createdAtMs: number
  readonly readyAtMs: number
  readonly goneAtMs?: number
}

export type FleetOperation = {
  readonly name: string
  readonly verb: 'create' | 'delete'
  readonly membership: string
  readonly startedAtMs: number
  readonly doneAtMs: number
}

export type MembershipBook = ReturnType<typeof membershipBook>

export type MembershipBookOptions = {
  readonly now: () => number
  readonly project: string
  /** How long it takes to enter and to leave; 2 s of `now` unless told. */
  readonly takesMs?: number
}

const USUAL_MS = 2_000
const OPERATIONS_KEPT_MS = 86_400_000
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** The memberships of one project's fleet, all of them `global`. */
export function membershipBook(
  journal: Journal,
  { now, project, takesMs = USUAL_MS }: MembershipBookOptions,
) {
  const all = <T>(kind: 'membership' | 'operation'): T[] =>
    [...journal.entries()].filter(([key]) => key.startsWith(`${kind} `)).map(([, value]) => value as T)
  const pathOf = (name: string): string => `projects/${project}/locations/global/memberships/${name}`
  const find = (name: string): Membership | undefined => {
    const found = journal.get(`membership ${name}`) as Membership | undefined
    return found?.goneAtMs !== undefined && found.goneAtMs <= now() ? undefined : found
  }
  const get = (name: string): Membership => {
    const found = find(name)
    if (found === undefined) {
      throw new GoogleError('NOT_FOUND', `Resource '${pathOf(name)}' was not found`)
    }
    return found
  }
  const begin = (verb: FleetOperation['verb'], membership: string): FleetOperation => {
    const name = `operation-${now()}-${randomUUID()}`
    const operation = { name, verb, membership, startedAtMs: now(), doneAtMs: now() + takesMs }
    journal.set(`operation ${name}`, operation)
    return operation
  }
  return {
    find,
    get,
    pathOf,
    list: (): Membership[] => all<Membership>('membership').filter(({ name }) => find(name) !== undefined),
    operation: (name: string): FleetOperation => {
      const found = journal.get(`operation ${name}`) as FleetOperation | undefined
      if (found === undefined) throw new GoogleError('NOT_FOUND', `Operation '${name}' was not found`)
      return found
    },
    create: (name: string, body: Readonly<Record<string, unknown>>): FleetOperation => {
      if (!NAME.test(name)) throw new GoogleError('INVALID_ARGUMENT', `membership_id '${name}' is not valid`)
      if (find(name) !== undefined) {
        throw new GoogleError('ALREADY_EXISTS', `Resource '${pathOf(name)}' already exists`)
      }
      const labels = asRecord(body['labels']) ?? {}
      const membership = { name, labels, uid: randomUUID(), createdAtMs: now(), readyAtMs: now() + takesMs }
      journal.set(`membership ${name}`, membership)
      return begin('create', name)
    },
    remove: (name: string): FleetOperation => {
      const membership = get(name)
      if (membership.goneAtMs !== undefined || now() < membership.readyAtMs) {
        throw new GoogleError('ABORTED', `Another operation is under way on '${pathOf(name)}'`)
      }
      const operation = begin('delete', name)
      journal.set(`membership ${name}`, { ...membership, goneAtMs: operation.doneAtMs })
      return operation
    },
    /** Forgets what is over; answers the names of memberships that left. */
    collectGone: (): string[] => {
      for (const { doneAtMs, name } of all<FleetOperation>('operation')) {
        if (doneAtMs + OPERATIONS_KEPT_MS <= now()) journal.delete(`operation ${name}`)
      }
      const gone = all<Membership>('membership').filter(({ name }) => find(name) === undefined)
      for (const { name } of gone) journal.delete(`membership ${name}`)
      return gone.map(({ name }) => name)
    },
  }
}
