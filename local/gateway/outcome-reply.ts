import type { Outcome } from '#local/proxy/exchange.ts'
import type { LocalReply } from './local-reply.ts'

const RESET_REASONS = {
  connect: 'remote connection failure, transport failure reason: delayed connect error: 111',
  reset: 'connection termination',
} as const

/** What the client is told when a backend gave no answer, in Envoy's words; nothing when one was relayed. */
export function replyTo(outcome: Outcome): LocalReply | undefined {
  if (outcome.kind === 'relayed' || outcome.kind === 'clientGone') return undefined
  if (outcome.kind === 'deadline') return { status: 504, message: 'upstream request timeout' }
  if (outcome.kind === 'requestTooLarge') return { status: 413, message: 'Payload Too Large' }
  if (outcome.kind === 'responseTooLarge') return { status: 500, message: 'Internal Server Error' }
  if (outcome.kind === 'unsendable') return { status: 400, message: 'Bad Request' }
  if (outcome.reason === 'unresolved') return { status: 503, message: 'no healthy upstream' }
  const error = 'upstream connect error or disconnect/reset before headers.'
  if (outcome.reason === 'protocol') return { status: 502, message: `${error} reset reason: protocol error` }
  const latest = outcome.retried ? 'retried and the latest reset reason' : 'reset reason'
  return { status: 503, message: `${error} ${latest}: ${RESET_REASONS[outcome.reason]}` }
}
