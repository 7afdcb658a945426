import { ok } from '#shared/result.ts'
import {
  addOperator,
  bootstrapOperator,
  type NewOperator,
} from '../../functions/auth/operations/bootstrap-operator.ts'
import type { Answer, Command, Run } from './command.ts'

const EMAIL = {
  email: {
    value: 'ADDRESS',
    required: true,
    meaning: 'Whose client it is. Only a keyed hash of the address is stored.',
  },
} as const

/** The first operators: what must be done before anybody has a token. */
export const OPERATOR_COMMANDS: Readonly<Record<string, Command>> = {
  'bootstrap-operator': {
    summary: 'Create the platform tenant and its first operator. Works once.',
    details: 'The client secret is printed once. Nobody can show it again.',
    options: EMAIL,
    run: (run) => make(run, bootstrapOperator),
  },
  'add-operator': {
    summary: 'Add another operator; approvals that need two need two people.',
    details: 'The client secret is printed once. Nobody can show it again.',
    options: EMAIL,
    run: (run) => make(run, addOperator),
  },
}

async function make(run: Run, operation: typeof bootstrapOperator) {
  const email = run.given.text('email') ?? ''
  const made = await operation(run.deps, { email, deployer: await run.deployer(), nowMs: run.nowMs })
  return made.ok ? ok(answerOf(email, made.value)) : made
}

function answerOf(email: string, { client, clientSecret, ownerUserId }: NewOperator): Answer {
  return {
    json: { clientId: client.clientId, clientSecret, ownerUserId, scopes: client.scopes },
    lines: [
      `Operator client created for ${email}`,
      `  client id      ${client.clientId}`,
      `  client secret  ${clientSecret}`,
      'Keep the secret now: it is stored nowhere and cannot be shown again.',
    ],
  }
}
