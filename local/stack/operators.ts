import { readConfig } from '#shared/config.ts'
import { closeDatabase } from '#shared/firestore/database.ts'
import { silentLogger } from '#shared/log.ts'
import type { Result } from '#shared/result.ts'
import {
  addOperator,
  bootstrapOperator,
  type NewOperator,
} from '../../functions/auth/operations/bootstrap-operator.ts'
import { wireAuth } from '../../functions/auth/wiring.ts'
import type { Credentials } from './api-client.ts'
import { type EnvParts, functionEnv } from './function-env.ts'
import { StackError } from './options.ts'

/**
 * Makes two operators with the deployer's rights, as `npm run energent -- bootstrap-operator` does:
 * two, because a purge needs the approval of two different people.
 */
export async function seedOperators(
  parts: EnvParts,
  nowMs: number,
): Promise<readonly [Credentials, Credentials]> {
  const env = functionEnv(parts, 'auth')
  const deps = wireAuth(readConfig({ ...env, FUNCTION_TARGET: 'authHandler' }), { log: silentLogger })
  try {
    const deployer = 'local-stack'
    const first = credentialsOf(
      await bootstrapOperator(deps, { email: 'ada@energent.example', deployer, nowMs }),
    )
    const second = credentialsOf(
      await addOperator(deps, { email: 'grace@energent.example', deployer, nowMs }),
    )
    return [first, second]
  } finally {
    await closeDatabase(deps.platform.database)
  }
}

function credentialsOf(result: Result<NewOperator>): Credentials {
  if (!result.ok) throw new StackError(`The operator could not be made: ${result.code} ${result.detail}`)
  return { clientId: result.value.client.clientId, clientSecret: result.value.clientSecret }
}
