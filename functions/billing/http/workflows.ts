import type { HandlersOf } from '#shared/http/edge.ts'
import type { TenantHandler, TenantRequest } from '#shared/http/types.ts'
import { parseJson } from '#shared/json.ts'
import type { Result } from '#shared/result.ts'
import { parseSlotRequest, type SlotAnswer, type SlotRequest } from '../domain/slots.ts'
import { acquire, release, renew } from '../operations/use-slots.ts'
import type { BillingDeps } from '../ports.ts'
import { answerWith } from './answer.ts'

type SlotHandlers = Pick<HandlersOf<'billing-api'>, 'acquireWorkflow' | 'renewWorkflow' | 'releaseWorkflow'>

/** The routes of the slots of running workflows. */
export function workflowHandlers(deps: BillingDeps): SlotHandlers {
  const handler =
    (
      operation: (
        deps: BillingDeps,
        caller: TenantRequest,
        request: SlotRequest,
      ) => Promise<Result<SlotAnswer>>,
    ): TenantHandler =>
    async (request) => {
      const body = parseJson(request.body, 4)
      if (!body.ok) return body
      const wanted = parseSlotRequest(body.value)
      return wanted.ok ? answerWith(await operation(deps, request, wanted.value)) : wanted
    }
  return {
    acquireWorkflow: handler(acquire),
    renewWorkflow: handler(renew),
    releaseWorkflow: handler(release),
  }
}
