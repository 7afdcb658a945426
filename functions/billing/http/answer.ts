import type { ApiReply } from '#shared/http/types.ts'
import { ok, type Result } from '#shared/result.ts'

/** An operation's result as a reply: its value as JSON, or the refusal as it is. */
export function answerWith(result: Result<unknown>, status = 200): Result<ApiReply> {
  return result.ok ? ok({ status, json: result.value }) : result
}
