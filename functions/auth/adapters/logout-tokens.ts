import { errors, jwtVerify } from 'jose'
import { ok, refuse } from '#shared/result.ts'
import { splitForeignJwt } from '#shared/tokens/foreign-jwt.ts'
import type { AdmittedAlg } from '../domain/admit-jwk.ts'
import type { ForeignKeys } from '../ports/outbound.ts'
import type { LogoutTokens } from '../ports/sign-on.ts'

/** Some providers type them, as RFC 8725 asks; none may be typed as something else. */
const TYPES: readonly (string | undefined)[] = [undefined, 'JWT', 'logout+jwt', 'application/logout+jwt']

const HINT = 'The logout token is not valid.'

/** Verifies logout tokens with the keys that the connection's provider publishes. */
export function logoutTokens(deps: { readonly foreignKeys: ForeignKeys }): LogoutTokens {
  return {
    verify: async (token, tenantId, connection, nowMs) => {
      const parts = splitForeignJwt(token)
      if (!parts.ok) return refuse('logout.invalid', parts.detail, HINT)
      const { alg, kid, typ, payload } = parts.value
      const allowed = connection.algs.find((known) => known === alg)
      if (allowed === undefined) return refuse('logout.invalid', 'algorithm not of this connection', HINT)
      if (!TYPES.includes(typ)) return refuse('logout.invalid', 'another kind of token', HINT)
      const origin = { jwksUri: connection.metadata.jwksUri, scope: tenantId }
      const key = await deps.foreignKeys.find(origin, { kid, alg: allowed as AdmittedAlg }, nowMs)
      if (key === undefined) return refuse('logout.invalid', 'unknown key', HINT)
      try {
        await jwtVerify(token, key, { algorithms: [alg], currentDate: new Date(nowMs), clockTolerance: 30 })
        return ok(payload)
      } catch (error) {
        if (!(error instanceof errors.JOSEError)) throw error
        return refuse('logout.invalid', error.code, HINT)
      }
    },
  }
}
