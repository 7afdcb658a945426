import type { AttackGroup } from '../attack.ts'
import { atOnceRows } from './at-once.ts'
import { callbacks } from './callbacks.ts'
import { assertions } from './client-assertions.ts'
import { clientSecrets } from './client-secrets.ts'
import { codes } from './codes.ts'
import { directory } from './directory.ts'
import { enumeration } from './enumeration.ts'
import { foreignIds } from './foreign-ids.ts'
import { foreignPaths } from './foreign-paths.ts'
import { foreignTokens } from './foreign-tokens.ts'
import { forgedTokens } from './forged-tokens.ts'
import { logouts } from './logouts.ts'
import { malformedForms } from './malformed-forms.ts'
import { malformedJson } from './malformed-json.ts'
import { methods } from './methods.ts'
import { operators } from './operators.ts'
import { otherSpellings } from './other-spellings.ts'
import { outbound } from './outbound.ts'
import { outboundAnswers } from './outbound-answers.ts'
import { tenantPaths } from './paths.ts'
import { wrongPlaces } from './places.ts'
import { proofs } from './proofs.ts'
import { redirects } from './redirects.ts'
import { refreshTokens } from './refresh-tokens.ts'
import { roles } from './roles.ts'
import { scopes } from './scopes.ts'
import { spoofedAtGateway, spoofedBehind } from './spoofed-headers.ts'
import { wrongClaims, wrongForms, wrongTimes } from './wrong-claims.ts'

/** All attacks, in the order of `docs/attacks.md`. */
export const ATTACK_GROUPS: readonly AttackGroup[] = [
  forgedTokens,
  wrongTimes,
  wrongClaims,
  wrongForms,
  otherSpellings,
  wrongPlaces,
  spoofedAtGateway,
  spoofedBehind,
  methods,
  tenantPaths,
  foreignPaths,
  foreignIds,
  foreignTokens,
  scopes,
  roles,
  operators,
  clientSecrets,
  assertions,
  proofs,
  codes,
  refreshTokens,
  redirects,
  callbacks,
  logouts,
  directory,
  outbound,
  outboundAnswers,
  malformedForms,
  malformedJson,
  enumeration,
  atOnceRows,
]
