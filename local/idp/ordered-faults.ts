import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault } from '../faults.ts'
import { readBody } from '../read-body.ts'
import type { IdpFault } from './settings.ts'

/** The faults that wait for requests, each known by its id. */
export type OrderedFaults = {
  /** Answers `PUT /admin/faults/{id}`, `DELETE /admin/faults/{id}` and `DELETE /admin/faults`; false if it is none. */
  answer(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean>
  /** The first fault for this path, if any; it is used up by being asked for. */
  take(path: string): Fault | undefined
}

const ALL = '/admin/faults'

export function orderedFaults(): OrderedFaults {
  const waiting = new Map<string, IdpFault>()
  return {
    answer: async (path, request, response) => {
      if (path !== ALL && !path.startsWith(`${ALL}/`)) return false
      const id = path.slice(ALL.length + 1)
      if (request.method === 'PUT' && id !== '') {
        waiting.set(id, JSON.parse((await readBody(request)).toString()) as IdpFault)
      } else if (request.method === 'DELETE') {
        if (id === '') waiting.clear()
        else waiting.delete(id)
      } else return false
      response.writeHead(204).end()
      return true
    },
    take: (path) => {
      const found = [...waiting].find(([, fault]) => fault.path === undefined || fault.path === path)
      if (found === undefined) return undefined
      const [id, fault] = found
      if (fault.count > 1) waiting.set(id, { ...fault, count: fault.count - 1 })
      else waiting.delete(id)
      return fault
    },
  }
}
